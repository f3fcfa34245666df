"""Every setting is on the page of its file, with its true default, and nothing else is."""

from collections.abc import Iterator
from typing import Annotated, Any

import pytest
import yaml
from pydantic import BaseModel, TypeAdapter
from pydantic.fields import FieldInfo

from gateway.settings.pool import PoolSettings
from gateway.settings.schema import CognitoProvider, GatewaySettings, OidcProvider
from gateway.settings.suggest import _models
from tests.support.documentation import Row, setting_rows

TOP = "Top level"
PAGES: dict[str, type[BaseModel]] = {"docs/settings.md": GatewaySettings, "docs/pool.md": PoolSettings}
OIDC = "`provider` with `preset: oidc`"
DIFFERS = {"preset", "issuer", "scopes", "email", "groups_claim", "logout_style"}


def sections(model: type[BaseModel], heading: str = TOP) -> Iterator[tuple[str, type[BaseModel]]]:
    """Each heading of the page and the section that it is about; of the provider, Cognito's."""
    yield heading, model
    for key, field in model.model_fields.items():
        for inner in _models(field.annotation):
            if inner is not OidcProvider:
                yield from sections(inner, f"`{key}`" if heading == TOP else f"{heading[:-1]}.{key}`")


def fields(page: str) -> dict[tuple[str, str], FieldInfo]:
    """Every setting of the file, by heading and key."""
    return {
        (heading, key): field for heading, model in sections(PAGES[page]) for key, field in model.model_fields.items()
    }


def rows(page: str) -> dict[tuple[str, str], Row]:
    """The page's rows, those of the other provider apart."""
    found = [row for row in setting_rows(page) if row.heading != OIDC]
    assert len({row[:2] for row in found}) == len(found), "a key stands twice"
    return {(row.heading, row.key): row for row in found}


@pytest.mark.parametrize("page", PAGES)
def test_every_setting_is_on_its_page_and_nothing_else(page):
    """A setting that is not written down does not exist for its readers; one that is gone must go from the page."""
    assert sorted(rows(page)) == sorted(fields(page))


@pytest.mark.parametrize("page", PAGES)
def test_defaults_on_the_page_are_true(page):
    """What stands in the second column is what happens when the key is left out."""
    shown = rows(page)
    wrong = {place: row.default for place, row in shown.items() if not is_true(row.default, fields(page)[place])}
    assert wrong == {}


def test_the_other_providers_defaults_are_true():
    """The table of `preset: oidc` has what differs, and only that."""
    found = {row.key: row.default for row in setting_rows("docs/settings.md") if row.heading == OIDC}
    other = {key: field for key, field in OidcProvider.model_fields.items() if differs(key, field)}
    assert set(found) == set(other) == DIFFERS
    assert all(is_true(default, other[key]) for key, default in found.items())


def differs(key: str, field: FieldInfo) -> bool:
    twin = CognitoProvider.model_fields.get(key)
    return twin is None or (field.annotation, field.default) != (twin.annotation, twin.default)


def is_true(written: str, field: FieldInfo) -> bool:
    if written == "required" or field.is_required():
        return written == "required" and field.is_required()
    default = field.get_default(call_default_factory=True)
    if written in {"none", "see below"}:
        return default is None if written == "none" else not isinstance(default, (str, int, float, tuple, type(None)))
    value = yaml.safe_load(written.strip("`"))
    return bool(_read(field, value) == _plain(default))


def _read(field: FieldInfo, value: Any) -> Any:
    kind: Any = field.annotation
    if field.metadata:
        kind = Annotated[(kind, *field.metadata)]
    return _plain(TypeAdapter(kind).validate_python(value))


def _plain(value: Any) -> Any:
    return value.reveal() if hasattr(value, "reveal") else value

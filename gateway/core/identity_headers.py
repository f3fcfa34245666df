"""Say which header names are ours, and render a session's identity into them."""

from collections.abc import Iterable, Mapping
from typing import Any

from gateway.core.asgi import HeaderList


def fold(name: bytes) -> bytes:
    raise NotImplementedError


def owned_names(configured: Iterable[str]) -> frozenset[bytes]:
    raise NotImplementedError


def is_true(value: object) -> bool:
    raise NotImplementedError


class HeaderTemplates:
    @classmethod
    def compile(cls, templates: Mapping[str, str]) -> "HeaderTemplates":
        """ValueError names the header that cannot be used."""
        raise NotImplementedError

    @property
    def names(self) -> tuple[str, ...]:
        raise NotImplementedError

    @property
    def claims(self) -> frozenset[str]:
        """The claims that the templates read, so that the session keeps them."""
        raise NotImplementedError

    @property
    def needs_id_token(self) -> bool:
        raise NotImplementedError

    @property
    def needs_access_token(self) -> bool:
        raise NotImplementedError

    def render(
        self,
        claims: Mapping[str, Any],
        groups: Iterable[str] = (),
        access_token: str | None = None,
        id_token: str | None = None,
    ) -> HeaderList:
        raise NotImplementedError

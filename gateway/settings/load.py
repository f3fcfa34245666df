"""Load a settings file into frozen values, or raise one report with every mistake in it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from gateway.errors import SettingsError
from gateway.settings.document import LARGEST_FILE, KeyPath, Mistake, read_document
from gateway.settings.interpolation import interpolate
from gateway.settings.pool import PoolSettings
from gateway.settings.report import mistakes_of, printable, render
from gateway.settings.schema import GatewaySettings

Model = TypeVar("Model", bound=BaseModel)


def load(path: str | Path, environ: Mapping[str, str]) -> GatewaySettings:
    """The gateway's settings.

    Raises:
        SettingsError: with the whole report, a line for each mistake.
    """
    return loads(_content(path), str(path), environ, Path(path).parent)


def load_pool(path: str | Path, environ: Mapping[str, str]) -> PoolSettings:
    """The pool's settings.

    Raises:
        SettingsError: with the whole report, a line for each mistake.
    """
    return loads_pool(_content(path), str(path), environ, Path(path).parent)


def loads(content: bytes, name: str, environ: Mapping[str, str], folder: Path) -> GatewaySettings:
    """As `load`, from bytes; `name` stands in the report, `folder` is where relative secret files are."""
    return _Loader(name, environ, folder, _is_header_template).load(GatewaySettings, content)


def loads_pool(content: bytes, name: str, environ: Mapping[str, str], folder: Path) -> PoolSettings:
    """As `load_pool`, from bytes."""
    return _Loader(name, environ, folder, lambda _: False).load(PoolSettings, content)


def _is_header_template(path: KeyPath) -> bool:
    """`${email}` in the value of a header is a claim, not a variable."""
    return path[:1] == ("headers",)


@dataclass(frozen=True, slots=True)
class _Loader:
    name: str
    environ: Mapping[str, str]
    folder: Path
    literal: Callable[[KeyPath], bool]

    def load(self, model: type[Model], content: bytes) -> Model:
        document = read_document(content)
        if document.data is None or not isinstance(document.data, dict):
            raise self._error(document.mistakes or [Mistake(1, (), "must be a block of keys")])
        data = interpolate(document, self.environ, self.folder, self.literal)
        broken = {mistake.path for mistake in document.mistakes}
        try:
            settings = model.model_validate(data)
        except ValidationError as error:
            found = mistakes_of(error, model, document, data)
            # One mistake a key: what could not be filled in is not also "not a web address".
            raise self._error([*document.mistakes, *(each for each in found if each.path not in broken)]) from None
        if document.mistakes:
            raise self._error(document.mistakes)
        return settings

    def _error(self, mistakes: Sequence[Mistake]) -> SettingsError:
        return SettingsError(render(self.name, mistakes))


def _content(path: str | Path) -> bytes:
    try:
        with Path(path).open("rb") as file:
            return file.read(LARGEST_FILE + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "not a file name"
        raise SettingsError(f"{printable(str(path))}: cannot be read: {reason}") from None

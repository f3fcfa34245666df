"""Load a settings file into frozen values, or raise one report with every mistake in it."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ValidationError

from gateway.errors import SettingsError
from gateway.settings import advice, pool_advice
from gateway.settings.document import LARGEST_FILE, Document, KeyPath, Mistake, read_document
from gateway.settings.files import file_mistakes
from gateway.settings.findings import Finding
from gateway.settings.interpolation import interpolate, unfilled
from gateway.settings.kinds import mistaken_for
from gateway.settings.pool import PoolSettings
from gateway.settings.report import mistakes_of, printable, render
from gateway.settings.schema import GatewaySettings
from gateway.settings.surroundings import surroundings

Model = TypeVar("Model", bound=BaseModel)

_KEY = re.compile(r"([a-z_]+)(?:\[[0-9]+\]|\.[a-z_]+)*(?=: )")


@dataclass(frozen=True, slots=True)
class Loaded(Generic[Model]):
    """Settings together with the file that they come from, so that more can be said about its lines."""

    settings: Model
    name: str
    document: Document
    advise: Callable[[Model], Sequence[Finding]]

    def warnings(self) -> tuple[Mistake, ...]:
        """What loads and can hardly be meant, with lines, in no order."""
        findings = [*unfilled(self.document), *self.advise(self.settings)]
        return tuple(self.document.located(finding.path, finding.message) for finding in findings)

    def notes(self) -> list[str]:
        """The warnings as they stand in a log: one text each, in the order of the file."""
        return self.report(self.warnings()).split("\n")[:-1]

    @contextmanager
    def placed(self) -> Iterator[None]:
        """What a part says of a setting when it is built or started (`database: cannot be used`) gets its line."""
        try:
            yield
        except SettingsError as error:
            raise SettingsError(self._place(str(error))) from error

    def _place(self, text: str) -> str:
        key = _KEY.match(text)
        if key is None or key[1] not in type(self.settings).model_fields:
            return text
        path = tuple(int(part) if part.isdigit() else part for part in re.findall(r"\w+", key[0]))
        return f"{printable(self.name)}:{self.document.line(path)}: {text}"

    def report(self, warnings: Sequence[Mistake]) -> str:
        """The warnings in the form of the report."""
        return render(self.name, [], warnings)


def load(path: str | Path, environ: Mapping[str, str]) -> GatewaySettings:
    """The gateway's settings.

    Raises:
        SettingsError: with the whole report, a line for each mistake.
    """
    return read(path, environ).settings


def load_pool(path: str | Path, environ: Mapping[str, str]) -> PoolSettings:
    """The pool's settings.

    Raises:
        SettingsError: with the whole report, a line for each mistake.
    """
    return read_pool(path, environ).settings


def loads(content: bytes, name: str, environ: Mapping[str, str], folder: Path) -> GatewaySettings:
    """As `load`, from bytes; `name` stands in the report, `folder` is where relative secret files are."""
    return reads(content, name, environ, folder).settings


def loads_pool(content: bytes, name: str, environ: Mapping[str, str], folder: Path) -> PoolSettings:
    """As `load_pool`, from bytes."""
    return reads_pool(content, name, environ, folder).settings


def read(path: str | Path, environ: Mapping[str, str]) -> Loaded[GatewaySettings]:
    """As `load`, with the file beside the settings."""
    return reads(_content(path), str(path), environ, Path(path).parent)


def read_pool(path: str | Path, environ: Mapping[str, str]) -> Loaded[PoolSettings]:
    """As `load_pool`, with the file beside the settings."""
    return reads_pool(_content(path), str(path), environ, Path(path).parent)


def reads(content: bytes, name: str, environ: Mapping[str, str], folder: Path) -> Loaded[GatewaySettings]:
    """As `read`, from bytes."""
    loader = _Loader(name, environ, folder, _is_header_template, surroundings)
    return loader.load(GatewaySettings, content, advice.warnings)


def reads_pool(content: bytes, name: str, environ: Mapping[str, str], folder: Path) -> Loaded[PoolSettings]:
    """As `read_pool`, from bytes."""
    loader = _Loader(name, environ, folder, lambda _: False, lambda *_: ())
    return loader.load(PoolSettings, content, pool_advice.warnings)


def _is_header_template(path: KeyPath) -> bool:
    """`${email}` in the value of a header is a claim, not a variable."""
    return path[:1] == ("headers",)


@dataclass(frozen=True, slots=True)
class _Loader:
    name: str
    environ: Mapping[str, str]
    folder: Path
    literal: Callable[[KeyPath], bool]
    outside: Callable[[Mapping[str, Any], Mapping[str, str]], Iterable[Finding]]

    def load(self, model: type[Model], content: bytes, advise: Callable[[Model], Sequence[Finding]]) -> Loaded[Model]:
        document = read_document(content)
        if document.data is None or not isinstance(document.data, dict):
            raise self._error(document.mistakes or [Mistake(1, (), "must be a block of keys")])
        if mistaken := mistaken_for(document.data, model):
            raise self._error([Mistake(1, (), mistaken)])
        data = interpolate(document, self.environ, self.folder, self.literal)
        document.mistakes += [Mistake(0, each.path, each.message) for each in self.outside(data, self.environ)]
        document.mistakes += [document.located(each.path, each.message) for each in file_mistakes(data)]
        broken = {mistake.path for mistake in document.mistakes}
        try:
            settings = model.model_validate(data)
        except ValidationError as error:
            found = mistakes_of(error, model, document, data)
            # One mistake a key: what could not be filled in is not also "not a web address".
            raise self._error([*document.mistakes, *(each for each in found if each.path not in broken)]) from None
        if document.mistakes:
            raise self._error(document.mistakes)
        return Loaded(settings, self.name, document, advise)

    def _error(self, mistakes: Sequence[Mistake]) -> SettingsError:
        return SettingsError(render(self.name, mistakes))


def _content(path: str | Path) -> bytes:
    try:
        with Path(path).open("rb") as file:
            return file.read(LARGEST_FILE + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "not a file name"
        raise SettingsError(f"{printable(str(path))}: cannot be read: {reason}") from None

"""Fill in `${ENV}`, `${ENV:-default}` and `${file:/path}`; `$${` stands for a literal `${`."""

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from gateway.settings.document import Document, KeyPath
from gateway.settings.findings import Finding

LARGEST_SECRET_FILE = 64 * 1024
"""Bytes; Kubernetes and Docker secrets are far smaller."""

_REFERENCE = re.compile(r"\$\$\{|\$\{([^${}]*)\}|\$\{")
_NAME = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?", re.DOTALL)


_FOREIGN = re.compile(r"\$[A-Za-z_]\w*|\$\([A-Za-z_]\w*\)|%[A-Za-z_]\w*%|\{\{.*\}\}", re.ASCII)
"""References as the shell, Kubernetes, Windows and templates have them, when they are the whole text."""


class Unresolved(ValueError):
    """A reference that leads nowhere, in words for the operator."""


def interpolate(
    document: Document, environ: Mapping[str, str], folder: Path, literal: Callable[[KeyPath], bool]
) -> Any:
    """The document's data with its references filled in; what cannot be is noted as a mistake and left as it was.

    `folder` is where relative secret files are looked for; `literal` names the keys that keep their `${...}`.
    """
    return _walk(document, document.data, (), lambda text: fill(text, environ, folder), literal)


def unfilled(document: Document) -> Iterator[Finding]:
    """Texts that look like a reference and are none: they are taken as they stand."""
    for path, text in document.texts.items():
        if looks_unfilled(text):
            yield Finding(path, "looks like a reference to a variable, but is taken as it stands; write ${NAME}")


def looks_unfilled(text: str) -> bool:
    """Whether the whole text is `$NAME`, `$(NAME)`, `%NAME%` or `{{ name }}`."""
    return _FOREIGN.fullmatch(text) is not None


def _walk(
    document: Document, value: Any, path: KeyPath, fill_in: Callable[[str], str], literal: Callable[[KeyPath], bool]
) -> Any:
    if literal(path):
        return value
    if isinstance(value, dict):
        return {key: _walk(document, item, (*path, key), fill_in, literal) for key, item in value.items()}
    if isinstance(value, list):
        return [_walk(document, item, (*path, index), fill_in, literal) for index, item in enumerate(value)]
    if not isinstance(value, str) or "$" not in value:
        return value
    try:
        return fill_in(value)
    except Unresolved as problem:
        document.mistake(path, str(problem))
        return value


def fill(text: str, environ: Mapping[str, str], folder: Path) -> str:
    """A text with its references replaced, once: what comes in is not looked at again.

    Raises:
        Unresolved: a variable is not set, a file cannot be read, or a reference is not well-formed.
    """

    def replace(match: re.Match[str]) -> str:
        if match[0] == "$${":
            return "${"
        if match[1] is None:
            raise Unresolved("has ${ without its }; write $${ for a literal ${")
        return _resolve(match[1], environ, folder)

    filled = _REFERENCE.sub(replace, text)
    try:
        filled.encode()
    except UnicodeEncodeError:
        raise Unresolved("takes in text that is not UTF-8") from None
    return filled


def _resolve(reference: str, environ: Mapping[str, str], folder: Path) -> str:
    if reference.startswith("file:"):
        return _read(reference.removeprefix("file:"), folder)
    match = _NAME.fullmatch(reference)
    if match is None:
        raise Unresolved("has a reference that is none of ${NAME}, ${NAME:-default} and ${file:/path}")
    value = environ.get(match[1], "")
    if value or (match[2] is None and match[1] in environ):
        return value
    if match[2] is None:
        raise Unresolved(f"environment variable {match[1]} is not set")
    return match[2]


def _read(name: str, folder: Path) -> str:
    """The file's text without the line break at its end, which editors and `echo` put there."""
    try:
        with (folder / name).open("rb") as file:
            content = file.read(LARGEST_SECRET_FILE + 1)
        text = content.decode()
    except UnicodeDecodeError:
        raise Unresolved(f"file {name} is not UTF-8 text") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "not a file name"
        raise Unresolved(f"file {name} cannot be read: {reason}") from None
    if len(content) > LARGEST_SECRET_FILE:
        raise Unresolved(f"file {name} is larger than {LARGEST_SECRET_FILE // 1024} KiB")
    return text.removesuffix("\n").removesuffix("\r")

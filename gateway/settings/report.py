"""Put mistakes into words: file, line, key path, message; never the value of a secret."""

import re
from collections.abc import Callable, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from gateway.settings.document import Document, KeyPath, Mistake
from gateway.settings.findings import Refused
from gateway.settings.interpolation import looks_unfilled
from gateway.settings.schema import METHOD, SCOPE
from gateway.settings.suggest import known_keys, meant, nearest

SECRET_KEYS = frozenset({"client_secret", "database", "password", "secret", "secrets", "smtp_password"})
"""Keys whose value is never shown (H4); a test holds them against the schemas."""

_LONGEST_SHOWN = 60

_OF_PATTERNS = {METHOD: "must be in capitals, for example GET", SCOPE: "must be one scope, without spaces or quotes"}

_WORDS: dict[str, Callable[[dict[str, Any]], str]] = {
    "missing": lambda _: "is required",
    "model_type": lambda _: "must be a block of keys",
    "model_attributes_type": lambda _: "must be a block of keys",
    "dict_type": lambda _: "must be a block of keys",
    "tuple_type": lambda _: "must be a list: [a, b], or one entry per line, each after a dash",
    "frozen_set_type": lambda _: "must be a list: [a, b], or one entry per line, each after a dash",
    "string_type": lambda _: "must be a string",
    "string_pattern_mismatch": lambda ctx: _OF_PATTERNS.get(ctx["pattern"], "has characters that cannot be here"),
    "int_type": lambda _: "must be a whole number",
    "int_parsing": lambda _: "must be a whole number",
    "int_parsing_size": lambda _: "is too large a number",
    "bool_type": lambda _: "must be true or false",
    "bool_parsing": lambda _: "must be true or false",
    "literal_error": lambda ctx: f"must be {ctx['expected'].replace(chr(39), '')}",
    "union_tag_not_found": lambda _: "needs its preset",
    "union_tag_invalid": lambda ctx: f"must be one of {ctx['expected_tags'].replace(chr(39), '')}",
    "greater_than_equal": lambda ctx: f"must be at least {ctx['ge']}",
    "less_than_equal": lambda ctx: f"must be at most {ctx['le']}",
    "too_short": lambda _: "must not be empty",
    "too_long": lambda ctx: f"must have at most {ctx['max_length']} entries",
    "string_too_long": lambda ctx: f"must have at most {ctx['max_length']} characters",
    "value_error": lambda ctx: str(ctx["error"]),
}


def mistakes_of(error: ValidationError, root: type[BaseModel], document: Document, data: Any) -> list[Mistake]:
    """Pydantic's findings as mistakes with lines."""
    found: list[Mistake] = []
    wrong = [details["loc"] for details in error.errors(include_url=False, include_input=False)]
    for details in error.errors(include_url=False, include_input=False):
        if details["type"] == "too_short" and any(_below(other, details["loc"]) for other in wrong):
            continue  # the list is not empty, its entries are wrong
        path = _key_path(details["loc"], data)
        if details["type"] == "missing" and _misspelt(root, path, data):
            continue  # said once, at the key that is there
        found += _several(details, document, path) or [_mistake(details, root, document, path, data)]
    return found


def _several(details: ErrorDetails, document: Document, path: KeyPath) -> list[Mistake]:
    """What a validator refuses at keys below its own."""
    verdict = details.get("ctx", {}).get("error")
    findings = verdict.findings if isinstance(verdict, Refused) else ()
    return [document.located((*path, *finding.path), finding.message) for finding in findings]


def _mistake(details: ErrorDetails, root: type[BaseModel], document: Document, path: KeyPath, data: Any) -> Mistake:
    if details["type"].startswith("union_tag"):
        path = (*path, "preset")
    message = _message(details, root, path, data) + _shown(document, path, details["type"])
    return Mistake(document.line(path), path, message)


def _misspelt(root: type[BaseModel], path: KeyPath, data: Any) -> bool:
    """Whether a key beside the missing one is unknown, and close to it."""
    for item in path[:-1]:
        data = data[item]
    here = known_keys(root, path[:-1], data)
    return any(key not in here and nearest(key, here) == path[-1] for key in data)


def _below(location: Sequence[str | int], parent: Sequence[str | int]) -> bool:
    return len(location) > len(parent) and tuple(location[: len(parent)]) == tuple(parent)


def _message(details: ErrorDetails, root: type[BaseModel], path: KeyPath, data: Any) -> str:
    kind, context = details["type"], details.get("ctx", {})
    if kind == "extra_forbidden":
        return meant(root, path, data)
    words = _WORDS.get(kind)
    return words(context) if words else "is not valid"


def _key_path(location: Sequence[str | int], data: Any) -> KeyPath:
    """Pydantic's location without what is not in the file: the names of union members, `[key]` marks."""
    path: list[str | int] = []
    for position, item in enumerate(location):
        last = position == len(location) - 1
        if item == "[key]" and last:
            continue
        if isinstance(data, dict):
            if item not in data and not last:
                continue
            data = data.get(item)
        elif isinstance(data, list) and isinstance(item, int) and item < len(data):
            data = data[item]
        elif not last:
            continue
        path.append(item)
    return tuple(path)


def _shown(document: Document, path: KeyPath, kind: str) -> str:
    """What the file says at a key, for the operator's eyes: as written, before variables and files are filled in."""
    text = document.texts.get(path)
    if text is not None and looks_unfilled(text):
        return "; a variable is written ${NAME}, with braces"
    if text is None or kind in {"extra_forbidden", "missing"} or SECRET_KEYS & set(path):
        return ""
    if re.search(r"//[^/]*@", text):  # a password in an address
        return ""
    short = text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}..."
    return f" (found: {short})" if text else " (it is empty)"


def printable(text: str) -> str:
    """A text that cannot move a terminal's cursor or start a new line of a log."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def render_path(path: KeyPath) -> str:
    """`upstreams[0].url`."""
    text = "".join(f"[{item}]" if isinstance(item, int) else f".{item}" for item in path)
    return printable(text.removeprefix("."))


def render(name: str, mistakes: Sequence[Mistake], warnings: Sequence[Mistake] = ()) -> str:
    """The whole report, a line each, in the order of the file."""
    wrong = [(each, "") for each in set(mistakes)] + [(each, "warning: ") for each in set(warnings)]
    lines = [_line(name, mistake, kind) for mistake, kind in sorted(wrong, key=_order)]
    counts = [counted(len(set(mistakes)), "mistake")] if mistakes else []
    counts += [counted(len(set(warnings)), "warning")] if warnings else []
    return "\n".join([*lines, ", ".join(counts)])


def _order(entry: tuple[Mistake, str]) -> tuple[int, str, str]:
    mistake, _ = entry
    return mistake.line, render_path(mistake.path), mistake.message


def _line(name: str, mistake: Mistake, kind: str) -> str:
    where = f"{printable(name)}:{mistake.line}: {kind}" if mistake.line else "environment: "
    return where + (f"{render_path(mistake.path)}: " if mistake.path else "") + printable(mistake.message)


def counted(number: int, noun: str) -> str:
    """`1 mistake`, `2 mistakes`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"

"""Explain why a text is not YAML, in words that help whoever wrote it.

YAML's own complaint is not passed on: it may quote what should have been a secret.
"""

import re

import yaml

_OF_LINES = (
    (r"[\[{].*[\[{,:\s]\$\{|\[\$\{", '${...} inside [ ] or { } must be in quotes, for example ["${NAME}"]'),
    ("[\u201c\u201d\u2018\u2019\u201e\u00ab\u00bb]", "has typographic quotes; write plain ones: \" or '"),
    ("[\u00a0\u2000-\u200b\u3000\uff1a]", "has a space or colon that is not the plain one of the keyboard"),
    (r"^\s*(?:- )?[\w-]+:[^\s/:]", "needs a space after the colon: key: value"),
    (r"^\s*-[^\s-]", "needs a space after the dash: - value"),
    (r"^\s*(?:- )?[\w-]+\s*=", "write key: value, not key = value"),
)
"""What a line looks like, and what is wrong with it when the file cannot be read."""

_OF_ERRORS = (
    ("'\\t'", "use spaces: YAML does not allow tabs here"),
    ("while scanning an alias", "a value that begins with * must be in quotes; a rule's path begins with /, as in /**"),
    ("found undefined alias", "a value that begins with * must be in quotes; a rule's path begins with /, as in /**"),
    ("expected a single document", "holds more than one document (---)"),
    ("that cannot start any token", "a value that begins with this character must be in quotes"),
    ("unknown escape character", "a backslash in double quotes must be doubled; in single quotes it stands for itself"),
    ("found unexpected end of stream", "a quote or bracket that is not closed"),
    ("while parsing a flow", "a [ or { that is not closed, or a comma that is missing"),
    ("mapping values are not allowed here", "a colon where none can be: check the indentation, or quote the value"),
    ("could not find expected ':'", "a key without its colon, or a quote that is not closed"),
    ("expected <block end>", "the indentation does not fit the lines above"),
)
_OPENED = ("while parsing a flow", "while scanning a quoted scalar", "while scanning a simple key")
"""The fault is where this began, not where it was noticed."""


def explain(error: yaml.MarkedYAMLError, text: str) -> tuple[int, str]:
    """The line, counted from 1, and what is wrong with it."""
    said = f"{error.context} {error.problem}"
    mark = error.context_mark if said.startswith(_OPENED) else error.problem_mark
    mark = mark or error.problem_mark or error.context_mark
    place = mark.line if mark else 0
    tabs, *others = _OF_ERRORS
    if tabs[0] in said:
        return place + 1, f"is not YAML: {tabs[1]}"
    return _by_line(text, place) or (place + 1, _by_error(said, others))


def _by_line(text: str, place: int) -> tuple[int, str] | None:
    """What can be seen in the line, or in the one before, which YAML may have taken for the beginning of this one."""
    lines = text.splitlines()
    for number in (place, place - 1):
        line = lines[number] if 0 <= number < len(lines) else ""
        hint = next((hint for pattern, hint in _OF_LINES if re.search(pattern, line)), None)
        if hint is not None:
            return number + 1, f"is not YAML: {hint}"
    return None


def _by_error(said: str, hints: list[tuple[str, str]]) -> str:
    hint = next((hint for part, hint in hints if part in said), None)
    return f"is not YAML: {hint}" if hint else "is not YAML"

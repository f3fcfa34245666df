"""The index of threats and the tests agree: each row that applies is named by a test, and each name is a row."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

HERE = Path(__file__).parent
INDEX = yaml.safe_load((HERE / "threats" / "index.yaml").read_text())
NOT_HERE = {row: entry["not here"] for row, entry in INDEX.items() if isinstance(entry, dict)}
APPLIES = INDEX.keys() - NOT_HERE.keys()

_ROW = re.compile(r"(?<![\w#./-])([A-HOQ-Z])(\d{1,2})(?:\s?[-\u2013]\s?\1?(\d{1,2}))?(?![\w.-]*\w)")
_ISSUE = re.compile(r"(?<!\w)(?:#\d{3,4}|PR \d{4}|7\.14\.3)(?!\d)")


def rows_in(text: str) -> Iterator[str]:
    """The rows that a docstring names, ranges (`B1-B5`) written out."""
    yield from _ISSUE.findall(text)
    for letter, first, last in _ROW.findall(text):
        yield from (f"{letter}{number}" for number in range(int(first), int(last or first) + 1))


def named() -> dict[str, list[str]]:
    """Where each row is named: `file:line` of the tests whose docstring holds it."""
    places = defaultdict(list)
    for file in sorted(HERE.rglob("test_*.py")):
        if "node_modules" in file.parts:
            continue
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name.startswith("test_"):
                for row in rows_in(ast.get_docstring(node) or ""):
                    places[row].append(f"{file.relative_to(HERE)}:{node.lineno}")
    return places


NAMED = named()


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("A thing, a place.", []),
        ("A3: one.", ["A3"]),
        ("C10, O14: two.", ["C10", "O14"]),
        ("B1-B3, R8: a range.", ["B1", "B2", "B3", "R8"]),
        ("B1-3 and E1 \u2013 E2.", ["B1", "B2", "B3", "E1", "E2"]),
        ("#3365, PR 3478, 7.14.3: from its issues.", ["#3365", "PR 3478", "7.14.3"]),
        ("RFC 9110, SHA256, HTTP/2, 4A3, A3b, x-A3, P1, UTF8, C3.5", []),
        ("see (D15).", ["D15"]),
    ],
)
def test_names_are_found_in_docstrings(text, rows):
    """A row is a word of its own: a letter and its number, a range, or an issue's number."""
    assert list(rows_in(text)) == rows


def test_the_index_has_no_gap():
    """Within a part, rows are numbered without a hole: none was forgotten."""
    parts = defaultdict(set)
    for row in INDEX:
        if row[0].isalpha() and " " not in row:
            parts[row[0]].add(int(row[1:]))
    first_parts = {
        "A": 21, "B": 13, "C": 18, "D": 16, "E": 12, "F": 13, "G": 4, "H": 6, "O": 14, "Q": 17, "R": 17,
    }  # fmt: skip
    assert {letter: max(parts[letter]) for letter in first_parts} == first_parts
    assert all(numbers == set(range(1, max(numbers) + 1)) for numbers in parts.values())


@pytest.mark.parametrize("row", sorted(APPLIES))
def test_a_row_that_applies_is_named_by_a_test(row):
    """What got through another gateway once has a test here that would notice."""
    assert NAMED.get(row), f"no test's docstring names {row}: {INDEX[row]}"


@pytest.mark.parametrize("row", sorted(NOT_HERE))
def test_a_row_that_does_not_apply_has_a_reason_and_no_test(row):
    """A reason that a test contradicts is out of date."""
    assert len(NOT_HERE[row]) > 20
    assert NAMED.get(row, []) == []


def test_every_name_is_a_row_of_the_index():
    """A docstring that names a row which does not exist is a slip."""
    assert {row: places for row, places in NAMED.items() if row not in INDEX} == {}

"""YAML with line numbers: texts stay texts, problems become mistakes with a line."""

import pytest

from gateway.settings.document import DEEPEST, LARGEST_FILE, Mistake, read_document


def only_mistake(content: bytes) -> Mistake:
    """The one mistake of a document."""
    (mistake,) = read_document(content).mistakes
    return mistake


def test_scalars_stay_as_written():
    """No octal numbers, no base 60, no Norway problem: only null and nothing are None."""
    document = read_document(b"a: 0123\nb: 12:30\nc: no\nd: null\ne:\nf: 'null'\ng: 1.10\n")
    assert document.data == {"a": "0123", "b": "12:30", "c": "no", "d": None, "e": None, "f": "null", "g": "1.10"}
    assert document.mistakes == []


def test_every_key_and_item_has_its_line():
    """Lines count from 1; a key that is absent has the line of the block around it."""
    document = read_document(b"# top\na:\n  - b: 1\n    c: 2\n  - d\n")
    assert document.lines[("a", 0, "c")] == 4
    assert document.lines[("a", 1)] == 5
    assert document.line(("a", 0, "missing")) == 3
    assert document.line(("missing",)) == 1


STAR = "a value that begins with * must be in quotes; a rule's path begins with /, as in /**"


@pytest.mark.parametrize(
    ("content", "line", "message"),
    [
        (b"", 1, "is empty: there is no setting in it"),
        (b"# nothing\n", 1, "is empty: there is no setting in it"),
        (b"a: 1\nb: \xff\n", 2, "is not UTF-8 text: save it as UTF-8"),
        (b"a: 1\nb: \x07\n", 2, "contains a control character"),
        (b"a: 1\n\tb: 2\n", 2, "is not YAML: use spaces: YAML does not allow tabs here"),
        (b"a: *secret\n", 1, f"is not YAML: {STAR}"),
        (b"a: @x\n", 1, "is not YAML: a value that begins with this character must be in quotes"),
        (b"a: b: c\n", 1, "is not YAML: a colon where none can be: check the indentation, or quote the value"),
        (b"a: 'x\n", 1, "is not YAML: a quote or bracket that is not closed"),
        (b"a: 1\n b: 2\n", 2, "is not YAML: a colon where none can be: check the indentation, or quote the value"),
        (b"a: 1\n---\nb: 2\n", 2, "is not YAML: holds more than one document (---)"),
        (b"[a]: 1\n", 1, "has a list or block where a key should be; put text that begins with { or [ in quotes"),
        (b"[" * 700, 1, "is nested too deeply"),
        (b'a: "\\UFFFFFFFF"', 1, "is not YAML: it has an escape that no character stands for"),
        (b"x" * (LARGEST_FILE + 1), 1, "is larger than 1 MiB: not a settings file"),
    ],
)
def test_what_cannot_be_read_is_one_mistake(content, line, message):
    """The whole message, in plain words and without YAML's own excerpt of the file."""
    mistake = only_mistake(content)
    assert (mistake.line, mistake.message) == (line, message)


def test_a_key_given_twice_is_a_mistake():
    """The second does not silently win."""
    mistake = only_mistake(b"a: 1\nb: 2\na: 3\n")
    assert (mistake.line, mistake.path, mistake.message) == (3, ("a",), "is given twice; the first is on line 1")


def test_tags_are_refused():
    """`!!python/object` makes no object, it makes a mistake."""
    mistake = only_mistake(b"a: !!python/object/apply:os.system [id]\n")
    assert mistake.message == "YAML tags (!...) are not used here; quote a value that begins with !"


def test_aliases_cannot_grow_without_bound():
    """Nine levels of nine aliases would be 387 million values: reading stops at a bound."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9)]
    mistake = only_mistake("\n".join(lines).encode())
    assert mistake.message == "holds too many values, or one inside itself (&anchors and *aliases?)"


def test_a_value_inside_itself_ends():
    """A recursive alias meets the bound on depth."""
    assert DEEPEST < 100
    mistake = only_mistake(b"a: &a [*a]\n")
    assert mistake.message == "holds too many values, or one inside itself (&anchors and *aliases?)"


def test_half_a_surrogate_pair_is_no_character():
    """It could not be printed or encoded later, so it ends here."""
    mistake = only_mistake(b'a: "\\ud800"\n')
    assert mistake.message == "contains an unpaired surrogate"
    assert only_mistake(b'"\\ud800": a\n').message == "has a key that is not a string"

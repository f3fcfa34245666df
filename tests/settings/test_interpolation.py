"""`${ENV}`, `${ENV:-default}`, `${file:...}` and `$${`."""

import pytest

from gateway.settings.interpolation import LARGEST_SECRET_FILE, Unresolved, fill

ENVIRON = {"NAME": "value", "EMPTY": "", "TRICKY": "${NAME}", "BYTES": "\udcff"}


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("${NAME}", "value"),
        ("a-${NAME}-${NAME}-b", "a-value-value-b"),
        ("${ABSENT:-x}", "x"),
        ("${EMPTY:-x}", "x"),
        ("${EMPTY}", ""),
        ("${ABSENT:-}", ""),
        ("$${NAME}", "${NAME}"),
        ("$5 and $$", "$5 and $$"),
        ("${TRICKY}", "${NAME}"),
    ],
)
def test_references_are_filled_in_once(text, filled, tmp_path):
    """As a shell does it; what comes in is not looked at again."""
    assert fill(text, ENVIRON, tmp_path) == filled


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("${ABSENT}", "environment variable ABSENT is not set"),
        ("${", "has ${ without its }; write $${ for a literal ${"),
        ("${NAME", "has ${ without its }; write $${ for a literal ${"),
        ("${}", "has a reference that is none of ${NAME}, ${NAME:-default} and ${file:/path}"),
        ("${a b}", "has a reference that is none of ${NAME}, ${NAME:-default} and ${file:/path}"),
        ("${BYTES}", "takes in text that is not UTF-8"),
        ("${file:absent}", "file absent cannot be read: No such file or directory"),
        ("${file:.}", "file . cannot be read: Is a directory"),
        ("${file:a\0b}", "file a\0b cannot be read: not a file name"),
    ],
)
def test_a_reference_that_leads_nowhere_is_named(text, message, tmp_path):
    """The whole message, which names the variable or the file and never a value."""
    with pytest.raises(Unresolved) as refused:
        fill(text, ENVIRON, tmp_path)
    assert str(refused.value) == message


def test_a_secret_file_loses_its_last_line_break(tmp_path):
    """Editors put it there; nothing else is taken away."""
    (tmp_path / "secret").write_bytes(b" abc \r\n")
    assert fill("${file:secret}", {}, tmp_path) == " abc "
    assert fill(f"${{file:{tmp_path}/secret}}", {}, tmp_path) == " abc "


def test_secret_files_are_text_and_small(tmp_path):
    """A device or a binary is not read into memory."""
    (tmp_path / "binary").write_bytes(b"\xff")
    (tmp_path / "large").write_bytes(b"x" * (LARGEST_SECRET_FILE + 1))
    for name, message in (("binary", "file binary is not UTF-8 text"), ("large", "file large is larger than 64 KiB")):
        with pytest.raises(Unresolved) as refused:
            fill(f"${{file:{name}}}", {}, tmp_path)
        assert str(refused.value) == message

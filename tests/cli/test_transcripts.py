"""The command line as people see it: each transcript is run, and what it shows is what must come out.

A transcript holds files (`-- name --` and their lines), then commands (`$ cognito-gateway ...`), each followed by its
output, error lines marked with `! `, and its exit code.
"""

import re
import shlex
from pathlib import Path

import pytest

from gateway.cli import execute

FOLDER = Path(__file__).parent / "transcripts"
ENVIRON = {
    "COOKIE_SECRET": "vQ3xN8kLr2mT5wYb7cJd9fHg1pSa4uZe",
    "COLUMNS": "80",
}


def parts(transcript: str) -> tuple[dict[str, str], list[tuple[str, str]]]:
    """The files, and the commands with all that follows them."""
    setup, *steps = re.split(r"^\$ cognito-gateway ?", transcript, flags=re.MULTILINE)
    _, *named = re.split(r"^-- (\S+) --\n", setup, flags=re.MULTILINE)
    files = dict(zip(named[::2], named[1::2], strict=True))
    return files, [(step.partition("\n")[0], step.partition("\n")[2].rstrip("\n")) for step in steps]


@pytest.mark.parametrize("name", sorted(path.stem for path in FOLDER.glob("*.txt")))
def test_transcript(name, tmp_path, monkeypatch, capsys):
    """Output, error output and exit code are exactly those written down; a traceback never is."""
    files, steps = parts((FOLDER / f"{name}.txt").read_text())
    monkeypatch.chdir(tmp_path)
    for key, value in ENVIRON.items():
        monkeypatch.setenv(key, value)
    for file, text in files.items():
        (tmp_path / file).write_text(text)
    assert steps
    for command, expected in steps:
        try:
            code = execute(shlex.split(command))
        except SystemExit as left:  # argparse's own way out
            code = int(left.code or 0)
        shown = capsys.readouterr()
        errors = "".join(f"! {line}\n" for line in shown.err.splitlines())
        assert f"{shown.out}{errors}[exit {code}]" == expected

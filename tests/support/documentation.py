"""The project's pages, taken apart: blocks, links, headings, tables of settings."""

import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
ENVIRON = {
    "COOKIE_SECRET": "vQ3xN8kLr2mT5wYb7cJd9fHg1pSa4uZe",
    "NEW_COOKIE_SECRET": "nB5zP0mTs4oV7yAd9eLf1hJi3rUc6wBg",
    "POOL_SECRET": "wR4yM9jKs3nU6xZc8dKe0gIh2qTb5vAf",
    "CLIENT_SECRET": "k2j4h5g6f7d8s9a0",
    "ADA_PASSWORD": "Analytical-Engine-1843",
}
"""The variables that the pages tell people to set."""

_FENCE = re.compile(r"^(?P<indent> *)```(?P<language>\w*)\n(?P<text>.*?)^(?P=indent)```$", re.DOTALL | re.MULTILINE)
_CODE = re.compile(r"`([^`]+)`")


class Block(NamedTuple):
    """A fenced block. `where` is the page and the line, for messages."""

    where: str
    language: str
    text: str


class Row(NamedTuple):
    """A row of a table of settings: `default` is YAML in backticks, or a word without them."""

    heading: str
    key: str
    default: str


def name(page: Path) -> str:
    """The page as people call it."""
    return str(page.relative_to(ROOT))


def blocks(language: str, page: str | None = None) -> list[Block]:
    """Every block in that language, on all pages or on one."""
    return [
        block for path in PAGES if page in {None, name(path)} for block in _blocks(path) if block.language == language
    ]


def _blocks(page: Path) -> Iterator[Block]:
    text = page.read_text("utf-8")
    for found in _FENCE.finditer(text):
        line = text.count("\n", 0, found.start()) + 1
        yield Block(f"{name(page)}:{line}", found["language"], textwrap.dedent(found["text"]))


def prose(page: Path) -> str:
    """The page without its blocks."""
    return _FENCE.sub("", page.read_text("utf-8"))


def inline_code(page: Path) -> list[str]:
    """What stands between backticks in the text."""
    return _CODE.findall(prose(page))


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def setting_rows(page: str) -> list[Row]:
    """The rows of every table whose head is `| Key | Default |`."""
    rows: list[Row] = []
    heading, inside = "", False
    for line in (ROOT / page).read_text("utf-8").splitlines():
        if line.startswith("#"):
            heading = line.lstrip("#").strip()
        inside = line.startswith("| Key | Default |") or (inside and line.startswith("|"))
        cells = [cell.strip() for cell in line.split("|")]
        if inside and cells[1].startswith("`"):
            rows.append(Row(heading, cells[1].strip("`"), cells[2]))
    return rows

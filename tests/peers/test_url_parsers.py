"""Node's own parsers of addresses find no way to a closed path that the rules do not see."""

import random
from contextlib import suppress

import pytest

from gateway.core.paths import canonical
from gateway.core.rules import AccessRules, Allow, Rule
from gateway.errors import BadPath
from tests.peers.program import running_program

pytestmark = [pytest.mark.peers, pytest.mark.network]

PIECES = [
    "/",
    "//",
    "\\",
    "host",
    "user@host",
    "@",
    "private",
    "private",
    "PRIVATE",
    "Private",
    "a",
    ".",
    "..",
    "%2e",
    "%2F",
    "%5c",
    ";",
    ";x",
    "%3b",
    ":80",
    "%23",
    "%3f",
    "%25",
    "%252f",
    "%252e",
    "[::1]",
    "*",
    "!",
    "%40",
    "%20",
    "%70rivate",
    "pr%69vate",
    "%50RIVATE",
    "|",
    "/.",
    "/./",
]
RULES = AccessRules([Rule(path="/private/**", allow=Allow.NOBODY), Rule(path="/**", allow=Allow.ANYONE)])


def is_open(target: str) -> bool:
    with suppress(BadPath):
        return RULES.judge("GET", target.encode()).allow is Allow.ANYONE
    return False


async def test_no_parser_of_node_reads_a_closed_path_in_an_open_one(tmp_path):
    """U3, U4: of thousands of odd targets, none that everybody may ask for is a closed path to `new URL` or
    `url.parse`, before or after what services usually do to a path."""
    chance = random.Random(4)
    made = {"/" + "".join(chance.choices(PIECES, k=chance.randint(1, 6))) for _ in range(20_000)}
    targets = sorted(filter(is_open, made))
    async with running_program("url_parsers.mjs", {}, tmp_path) as node:
        read = []
        for first in range(0, len(targets), 200):
            read += (await node.ask(ask="read", targets=targets[first : first + 200]))["result"]

    closed = {
        target: found
        for target, readings in zip(targets, read, strict=True)
        for found in readings
        if f"{canonical(found)}/".startswith("/private/")
    }
    assert len(targets) > 10_000
    assert closed == {}

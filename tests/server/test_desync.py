"""AWS's classified desync cases (tests/data/http-desync), each through a real socket."""

import asyncio
from pathlib import Path

import pytest
import yaml

from gateway.server import Limits, running
from tests.support.raw_http import Recorder, head, status

pytestmark = pytest.mark.network
DATA = Path(__file__).parents[1] / "data" / "http-desync"
LIMITS = Limits(header_seconds=0.1, body_idle_seconds=0.1, keep_alive_seconds=0.1, linger_seconds=0.2)
HOST = {"name": "Host", "value": "localhost"}


def cases():
    for file in sorted(DATA.glob("*.yaml")):
        for number, case in enumerate(yaml.safe_load(file.read_text("utf-8"))):
            yield pytest.param(case, id=f"{file.stem}-{number}-{case['expected']['tier']}")


def octets(text: object) -> bytes:
    """The characters of the file stand for latin-1 octets; what is beyond them can only travel as UTF-8."""
    try:
        return str(text).encode("latin-1")
    except UnicodeEncodeError:
        return str(text).encode()


def wire(case, extra) -> bytes:
    start = b" ".join(octets(part) for part in (case["method"], case["uri"], case["version"]) if part or part == "")
    lines = [
        octets(header["name"]) + b": " + octets(header["value"]) for header in [*extra, *(case.get("headers") or [])]
    ]
    return b"\r\n".join([start, *lines, b"", b""])


async def judge(case, extra):
    """Status and header of the answer, whether the server closed, and what the application saw."""
    app = Recorder()
    async with running(app, limits=LIMITS) as server:
        reader, writer = await asyncio.open_connection(server.host, server.port)
        writer.write(wire(case, extra))
        async with asyncio.timeout(5):
            said = await reader.read()
        writer.close()
    return said, app


@pytest.mark.parametrize("case", list(cases()))
@pytest.mark.parametrize("extra", [[], [HOST]], ids=["as it is", "with a Host"])
async def test_a_desync_case_is_answered_by_its_class(case, extra):
    """F1: no Severe case is answered 2xx or reaches the application; an Ambiguous one that does ends its connection.

    The cases have no Host, for which alone they would be refused: each is sent with one too.
    """
    said, app = await judge(case, extra)
    tier = case["expected"]["tier"]
    if tier == "Severe":
        assert not app.reached
        assert status(said) in {400, 405, 501}
    elif tier == "Ambiguous" and app.reached:
        assert head(said)[b"connection"] == b"close"
        [scope] = app.scopes
        framing = [line for line in scope["headers"] if line[0] in {b"content-length", b"transfer-encoding"}]
        assert len(framing) == 1


async def test_the_files_hold_every_class():
    """The driver reads what it should: all five files, and cases of each class."""
    tiers = [param.values[0]["expected"]["tier"] for param in cases()]
    assert {
        tier: tiers.count(tier) > 5 for tier in ("Severe", "Ambiguous", "Acceptable", "Compliant")
    } == dict.fromkeys(("Severe", "Ambiguous", "Acceptable", "Compliant"), True)


async def test_ordinary_cases_are_not_refused_wholesale():
    """A server that refuses everything would pass the rows above: plain compliant requests are answered."""
    served = 0
    for param in cases():
        case = param.values[0]
        if case["expected"]["tier"] == "Compliant":
            served += (await judge(case, [HOST]))[1].reached
    assert served >= 8

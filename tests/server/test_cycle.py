"""An answer on its way to the wire: what goes out, when, and in how many writes."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from gateway.server.cycle import BodyCycle, Cycle, Flow, OldCycle

DATE = (b"date", b"Thu, 01 Jan 1970 00:00:00 GMT")
OK: dict[str, Any] = {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]}
HI = {"type": "http.response.body", "body": b"hi"}


class Wire:
    """A transport and the connection's side of a cycle; `writes` are its system calls."""

    def __init__(self) -> None:
        self.transport: Any = self
        self.flow = Flow(self)  # type: ignore[arg-type]  # a fake
        self.loop = asyncio.get_running_loop()
        self.tasks: set[Any] = set()
        self.server_state = SimpleNamespace(default_headers=[DATE])
        self.writes: list[bytes] = []
        self.closed = False
        self.complete = 0

    def write(self, data):
        self.writes.append(data)

    def writelines(self, pieces):
        self.writes.append(b"".join(pieces))

    def is_closing(self):
        return self.closed

    def close(self):
        self.closed = True

    def end_after(self, cycle):
        self.closed = True

    def on_response_complete(self):
        self.complete += 1


def started(wire: Any, app, *, kind=Cycle, method="GET"):
    """A cycle whose application runs."""
    cycle = kind(wire, {"type": "http", "method": method}, keep_alive=True, expects=False)
    cycle.start(app)
    return cycle


async def answered(app, *, kind=Cycle, method="GET"):
    """What `app` put on the wire."""
    wire = Wire()
    started(wire, app, kind=kind, method=method)
    await asyncio.wait(wire.tasks)
    return wire


def saying(*messages):
    async def app(_scope, _receive, send):
        for message in messages:
            await send(message)

    return app


async def test_head_and_body_are_one_write():
    """A short answer costs one system call, and has our date."""
    wire = await answered(saying(OK, HI))
    assert wire.writes == [b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ndate: %b\r\n\r\nhi" % DATE[1]]
    assert (wire.complete, wire.closed) == (1, False)


async def test_a_long_body_is_not_copied_behind_its_head():
    """Both still go out together."""
    start = {**OK, "headers": [(b"content-length", b"100000"), DATE]}
    wire = await answered(saying(start, {"type": "http.response.body", "body": b"x" * 100_000}))
    assert len(wire.writes) == 1


async def test_a_head_does_not_wait_for_a_slow_body():
    """An event stream's client learns at once that it is connected."""
    go_on = asyncio.Event()

    async def app(_scope, _receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await go_on.wait()
        await send(HI)

    wire = Wire()
    started(wire, app)
    for _ in range(3):
        await asyncio.sleep(0)
    assert b"transfer-encoding: chunked\r\n\r\n" in wire.writes[0]
    go_on.set()
    await asyncio.wait(wire.tasks)
    assert wire.writes[1:] == [b"2\r\nhi\r\n0\r\n\r\n"]


async def test_an_upstreams_date_is_the_only_one():
    """RFC 9110 §6.6.1: a date is added where there is none."""
    wire = await answered(saying({**OK, "headers": [*OK["headers"], (b"date", b"theirs")]}, HI))
    assert wire.writes[0].count(b"date") == 1


@pytest.mark.parametrize("messages", [(), (HI,), (OK, OK), ({**OK, "headers": [(b"x-a", b"1\r\nb: 2")]},)])
async def test_what_an_application_must_not_say_is_a_failure(messages):
    """F6: before its head has gone out the client gets a plain 500; afterwards the connection ends."""
    wire = await answered(saying(*messages))
    text = b"".join(wire.writes)
    assert text.startswith(b"HTTP/1.1 500 ") or messages[:1] == (OK,)
    assert wire.closed


@pytest.mark.parametrize("body", [b"h", b"h!!"])
async def test_a_body_of_another_length_breaks_the_connection(body):
    """RFC 9112 §8: what is incomplete must not look complete; what is too much is not sent."""
    wire = await answered(saying(OK, {**HI, "body": body}))
    assert wire.closed
    assert b"h!!" not in b"".join(wire.writes)
    assert not wire.complete


@pytest.mark.parametrize("status", [204, 304])
async def test_answers_without_content_promise_nothing(status):
    """RFC 9110 §8.6: a length with 304 speaks of another answer."""
    wire = await answered(saying({**OK, "status": status}, {"type": "http.response.body"}))
    assert (wire.complete, wire.closed) == (1, False)
    assert b"transfer-encoding" not in wire.writes[0]


async def test_the_answer_to_head_has_no_body():
    """RFC 9110 §9.3.2."""
    wire = await answered(saying(OK, HI), method="HEAD")
    assert wire.writes[0].endswith(b"\r\n\r\n")
    assert wire.complete == 1


async def test_http_1_0_gets_no_chunks():
    """RFC 9112 §6.1."""
    start = {"type": "http.response.start", "status": 200, "headers": []}
    wire = await answered(saying(start, {**HI, "more_body": True}, HI), kind=OldCycle)
    assert b"transfer-encoding" not in wire.writes[0]
    assert b"".join(wire.writes).endswith(b"\r\n\r\nhihi")


async def test_a_refused_upload_announces_the_end():
    """The rest of its body would be taken for a request."""
    wire = await answered(saying({**OK, "status": 413}, HI), kind=BodyCycle)
    assert b"connection: close\r\n" in wire.writes[0]
    assert wire.closed


async def test_two_that_wait_for_a_disconnect_both_hear_of_it():
    """A framework may listen in one task and read the body in another."""
    wire = Wire()
    heard = []

    async def app(_scope, receive, _send):
        async def listen():
            heard.append((await receive())["type"])

        await asyncio.gather(listen(), listen())

    cycle = started(wire, app)
    for _ in range(3):
        await asyncio.sleep(0)
    cycle.leave()
    await asyncio.wait(wire.tasks)
    assert heard == ["http.disconnect", "http.disconnect"]
    assert not wire.writes


async def test_nobody_is_told_to_continue_behind_a_refusal():
    """T6: who asks for a body that the server has refused hears that the client is gone, and nothing is written behind
    the refusal: the transport may be closed for writing."""
    wire: Any = Wire()
    cycle = BodyCycle(wire, {"type": "http", "method": "POST"}, keep_alive=True, expects=True)
    cycle.leave()
    assert ((await cycle.receive())["type"], wire.writes) == ("http.disconnect", [])

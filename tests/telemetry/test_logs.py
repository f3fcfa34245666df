"""The log: a line a request, nothing secret in it, nothing that a client sends can start a line of its own."""

import io
import json
import logging
import sys
import threading
import warnings
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.telemetry.current import CURRENT_REQUEST
from gateway.telemetry.logs import (
    RequestLine,
    RequestLog,
    configure,
    is_pretty,
    log_what_nobody_caught,
    timestamp,
)
from tests.support.log_state import logging_restored

NOW = 1_700_000_000.25


def written(line: RequestLine, *, pretty: bool = False) -> str:
    """What one request leaves in the log."""
    stream = io.StringIO()
    RequestLog(stream, lambda: NOW, pretty=pretty).write(line)
    return stream.getvalue()


def test_a_request_is_one_json_line():
    """Id, rule, decision, status and times: the closed set of fields."""
    line = RequestLine("a1-1", "GET", "/admin/**", "forbidden", 403, 0.01234)
    assert written(line) == (
        '{"time":"2023-11-14T22:13:20.250Z","event":"request","id":"a1-1","method":"GET","rule":"/admin/**",'
        '"decision":"forbidden","status":403,"ms":12.3}\n'
    )


def test_a_terminal_gets_words():
    """Time, status, method, duration, decision, rule, id."""
    line = RequestLine("a1-1", "GET", "/**", "pass", 200, 0.0123)
    assert written(line, pretty=True) == ("22:13:20.250  \x1b[32m200\x1b[0m  GET         12.3 ms  pass  /**  a1-1\n")


@pytest.mark.property
@given(st.text(), st.text(), st.text(), st.text(), st.booleans())
def test_nothing_starts_a_line_of_its_own(request_id, method, rule, decision, pretty):
    """H4 (CVE-2025-25294): line breaks, U+2028, NUL and escape characters in any field stay inside one line."""
    line = written(RequestLine(request_id, method, rule, decision, 200, 0.001), pretty=pretty)
    assert len(line.splitlines()) == 1
    assert line.endswith("\n")
    shown = line[:-1].replace("\x1b[32m", "").replace("\x1b[0m", "")
    assert shown.isprintable()
    if not pretty:
        assert line.isascii()
        assert json.loads(line)["rule"] == rule


def test_a_method_is_a_known_word():
    """A method is the client's text; only known ones are repeated."""
    assert json.loads(written(RequestLine("a", "eyJhbGciOi", "r", "d", 400, 0.0)))["method"] == "OTHER"


def test_when_off_nothing_is_formatted():
    """No clock is read, no text is built, nothing is written."""

    def clock() -> float:
        raise AssertionError("asked for the time")

    stream = io.StringIO()
    log = RequestLog(stream, clock, pretty=False, enabled=False)
    log.write(RequestLine("a", "GET", "r", "d", 200, 0.0))
    assert not log.enabled
    assert stream.getvalue() == ""


def test_a_reader_that_has_gone_away_ends_the_log_and_not_the_service():
    """A closed stream raises ValueError, a broken pipe OSError: neither reaches the request."""
    stream = io.StringIO()
    stream.close()
    log = RequestLog(stream, lambda: NOW, pretty=False)
    log.write(RequestLine("a", "GET", "r", "d", 200, 0.0))
    assert not log.enabled


@pytest.mark.parametrize(
    ("style", "terminal", "pretty"), [("auto", True, True), ("auto", False, False), ("json", True, False)]
)
def test_the_form_follows_the_stream(style, terminal, pretty):
    """auto: for eyes on a terminal, else JSON."""

    class Stream(io.StringIO):
        def isatty(self) -> bool:
            return bool(terminal)

    assert is_pretty(style, Stream()) is pretty


@pytest.mark.property
@given(st.floats(0, 4e9))
def test_timestamps_are_rfc_3339(now):
    """To the millisecond, in UTC, also beyond 2038 (C18)."""
    text = timestamp(now)
    assert len(text) == 24
    assert text[10] == "T"
    assert text.endswith("Z")


def fail(error: Exception) -> None:
    """Raise it, so that it has a traceback."""
    raise error


@pytest.fixture
def root_logging():
    """The state of logging as it was."""
    with logging_restored():
        yield


@pytest.mark.usefixtures("root_logging")
def test_an_event_is_one_redacted_json_line():
    """H4: the text and the traceback of an event hold neither token nor e-mail address, and no line break gets out."""
    stream = io.StringIO()
    configure(stream, lambda: NOW, style="json")
    try:
        fail(RuntimeError("refused: refresh_token=abc123 for ada@example.com"))
    except RuntimeError:
        logging.getLogger("gateway.provider").exception("exchange\nfailed: Bearer %s", "eyJhbGciOiJSUzI1NiJ9.e30.x")
    (line,) = stream.getvalue().splitlines()
    fields = json.loads(line)
    assert fields["message"] == "exchange\nfailed: Bearer ***"
    assert "RuntimeError: refused: refresh_token=*** for ***" in fields["trace"]
    assert (fields["event"], fields["level"], fields["logger"]) == ("log", "error", "gateway.provider")
    assert line.startswith('{"time":"2023-11-14T22:13:20.250Z","event":"log",'), "the same form as a request's line"


@pytest.mark.usefixtures("root_logging")
def test_what_python_says_itself_is_json_too():
    """Warnings of the interpreter, and errors that nobody caught in the process, a thread or a destructor."""
    stream = io.StringIO()
    configure(stream, lambda: NOW, style="json")
    log_what_nobody_caught()
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=False)
        logging.captureWarnings(capture=True)
        warnings.warn("old\ncode of ada@example.com", UserWarning, stacklevel=1)
    error = RuntimeError("code=secret")
    sys.excepthook(RuntimeError, error, None)
    thread = threading.Thread(target=fail, args=(error,))
    thread.start()
    thread.join()
    sys.unraisablehook(SimpleNamespace(exc_type=RuntimeError, exc_value=None, exc_traceback=None))
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [line["level"] for line in lines] == ["warning", "critical", "critical", "critical"]
    assert "old\ncode of ***" in lines[0]["message"]
    assert "secret" not in stream.getvalue()
    assert "ada" not in stream.getvalue()


@pytest.mark.usefixtures("root_logging")
@pytest.mark.parametrize(
    ("style", "shown"),
    [("json", '"message":"seen","id":"a1-7"}'), ("pretty", "22:13:20.250  warning  seen  a1-7")],
)
def test_an_event_has_the_id_of_its_request(style, shown):
    """Where there is one, so that the two lines can be brought together."""
    stream = io.StringIO()
    configure(stream, lambda: NOW, style=style)
    token = CURRENT_REQUEST.set("a1-7")
    logging.getLogger("x").warning("seen")
    CURRENT_REQUEST.reset(token)
    logging.getLogger("x").warning("seen")
    first, second = stream.getvalue().splitlines()
    assert first.endswith(shown)
    assert "a1-7" not in second


@pytest.mark.usefixtures("root_logging")
@pytest.mark.parametrize("name", ["httpcore", "httpcore.http11", "aiosqlite"])
def test_libraries_that_would_tell_too_much_are_kept_short(name):
    """H4: at no level are a provider's header lines or the pool's statements logged; what goes wrong is."""
    stream = io.StringIO()
    configure(stream, lambda: NOW, style="json", level="debug")
    logging.getLogger(name).debug("return_value=[(b'Set-Cookie', b'XSRF=abc')]")
    assert stream.getvalue() == ""
    logging.getLogger(name).warning("broken")
    assert "broken" in stream.getvalue()


@pytest.mark.usefixtures("root_logging")
def test_configuring_twice_writes_once():
    """The second call replaces the first."""
    first, second = io.StringIO(), io.StringIO()
    configure(first, lambda: NOW, style="json")
    configure(second, lambda: NOW, style="pretty", level="warning")
    logging.getLogger("x").warning("seen\n")
    logging.getLogger("x").info("not seen")
    assert first.getvalue() == ""
    assert second.getvalue() == "22:13:20.250  warning  seen\\n\n"


@pytest.mark.usefixtures("root_logging")
@pytest.mark.parametrize(("level", "shown"), [("info", 1), ("debug", 2)])
def test_a_server_that_starts_is_not_news(level, shown):
    """uvicorn tells of each start and stop of each listener: for debugging; what goes wrong is shown at every level."""
    stream = io.StringIO()
    configure(stream, lambda: NOW, style="json", level=level)
    uvicorn = logging.getLogger("uvicorn.error")
    uvicorn.info("Waiting for application startup.")
    uvicorn.error("Exception in ASGI application")
    uvicorn.error("Application startup failed. Exiting.")
    lines = [json.loads(line)["message"] for line in stream.getvalue().splitlines()]
    assert len(lines) == shown
    assert lines[-1] == "Exception in ASGI application"


@pytest.mark.usefixtures("root_logging")
def test_a_pretty_traceback_is_indented():
    """On a terminal a traceback keeps its lines, each shown and not obeyed."""
    stream = io.StringIO()
    configure(stream, lambda: NOW, style="pretty")
    try:
        fail(ValueError("\x1b[2J"))
    except ValueError:
        logging.getLogger("x").exception("broken")
    lines = stream.getvalue().splitlines()
    assert lines[0] == "22:13:20.250  error  broken"
    assert all(line.startswith("    ") and line.isprintable() for line in lines[1:])
    assert lines[-1] == "    ValueError: \\x1b[2J"

"""Write the log: one line for each request, one for each event; JSON for machines, aligned words on a terminal.

A request line has a closed set of fields, none of which can hold a token, a code, a cookie or an e-mail address: there
is no path (it may be a reset link), no query, no user. An event's text goes through `redact`. Every text is escaped, so
nothing that a client sends can start a line of its own or move a cursor.
"""

import json
import logging
import sys
import threading
import traceback
from collections.abc import Callable
from functools import lru_cache
from time import gmtime, strftime
from types import TracebackType
from typing import Literal, NamedTuple, TextIO

from gateway.telemetry.current import CURRENT_REQUEST
from gateway.telemetry.redaction import redact

Style = Literal["auto", "json", "pretty"]
Clock = Callable[[], float]

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE", "WEBSOCKET"})


def is_pretty(style: Style, stream: TextIO) -> bool:
    """Whether lines are for eyes: asked for, or left open while the stream is a terminal."""
    return style == "pretty" or (style == "auto" and stream.isatty())


@lru_cache(maxsize=64)
def _second(second: int) -> str:
    return strftime("%Y-%m-%dT%H:%M:%S", gmtime(second))


def timestamp(now: float) -> str:
    """RFC 3339 in UTC, to the millisecond."""
    second = int(now)
    return f"{_second(second)}.{int((now - second) * 1000):03d}Z"


@lru_cache(maxsize=4096)
def _quoted(text: str) -> str:
    """A JSON string in ASCII: line breaks, escape characters and U+2028 cannot get out of it."""
    return json.dumps(text)


def printable(text: str) -> str:
    """A text for a terminal: control characters are shown, not obeyed."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


class RequestLine(NamedTuple):
    """What is known of one exchange when it is over. `seconds` is the whole of it."""

    request_id: str
    method: str
    rule: str
    decision: str
    status: int
    seconds: float


class RequestLog:
    """Writes the line of a request. Ask `enabled` first: when it is off, nothing has to be measured or formatted."""

    __slots__ = ("_clock", "_format", "_stream", "enabled")

    def __init__(self, stream: TextIO, clock: Clock, *, pretty: bool, enabled: bool = True) -> None:
        self.enabled = enabled
        self._stream = stream
        self._clock = clock
        self._format = _pretty_line if pretty else _json_line

    def write(self, line: RequestLine) -> None:
        """Write one line; a reader that has gone away ends the log, never the service."""
        if not self.enabled:
            return
        try:
            self._stream.write(self._format(self._clock(), line))
            self._stream.flush()
        except (OSError, ValueError):
            self.enabled = False


def _method(method: str) -> str:
    return method if method in _METHODS else "OTHER"


def _json_line(now: float, line: RequestLine) -> str:
    return (
        f'{{"time":"{timestamp(now)}","event":"request","id":{json.dumps(line.request_id[:64])},'
        f'"method":"{_method(line.method)}","rule":{_quoted(line.rule)},"decision":{_quoted(line.decision)},'
        f'"status":{line.status:d},"ms":{line.seconds * 1000:.1f}}}\n'
    )


_COLOURS = {1: "36", 2: "32", 3: "36", 4: "33", 5: "31"}


def _pretty_line(now: float, line: RequestLine) -> str:
    colour = _COLOURS.get(line.status // 100, "0")
    return (
        f"{timestamp(now)[11:23]}  \x1b[{colour}m{line.status:d}\x1b[0m  {_method(line.method):<7} "
        f"{line.seconds * 1000:8.1f} ms  {printable(line.decision)}  {printable(line.rule)}  "
        f"{printable(line.request_id[:64])}\n"
    )


class _Formatter(logging.Formatter):
    """An event as a line; its text and its traceback are redacted."""

    def __init__(self, clock: Clock, *, pretty: bool) -> None:
        super().__init__()
        self._clock = clock
        self._pretty = pretty

    def format(self, record: logging.LogRecord) -> str:
        text, request_id = redact(record.getMessage()), CURRENT_REQUEST.get()
        trace = redact("".join(traceback.format_exception(*record.exc_info))) if record.exc_info else ""
        if self._pretty:
            lines = [f"{timestamp(self._clock())[11:23]}  {record.levelname.lower()}  {printable(text)}"]
            lines[0] += f"  {printable(request_id)}" if request_id else ""
            return "\n".join(lines + [f"    {printable(line)}" for line in trace.splitlines()])
        fields = {
            "time": timestamp(self._clock()),
            "event": "log",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": text,
            "id": request_id,
            "trace": trace,
        }
        return json.dumps({name: value for name, value in fields.items() if value}, separators=(",", ":"))


_log = logging.getLogger(__name__)

_CHATTY = ("uvicorn.error", "httpx", "asyncio")
"""Lines for each start, stop and back-channel call: for debugging."""
_INDISCREET = ("httpcore", "aiosqlite")
"""Their lines for debugging hold header lines with cookies, and statements with everything that is stored."""
_SAID_BETTER = frozenset({"Application startup failed. Exiting."})
"""uvicorn's last word on a start that failed: whoever started it says why, or shows the traceback."""


class _Handler(logging.StreamHandler[TextIO]):
    """Ours, so that configuring twice replaces it."""


def configure(stream: TextIO, clock: Clock, *, level: str = "info", style: Style = "auto") -> None:
    """Send every library's events, and Python's warnings, to one stream in one form; uvicorn's access lines not."""
    logging.captureWarnings(capture=True)
    handler = _Handler(stream)
    handler.setFormatter(_Formatter(clock, pretty=is_pretty(style, stream)))
    root = logging.getLogger()
    root.handlers = [each for each in root.handlers if not isinstance(each, _Handler)] + [handler]
    root.setLevel(_LEVELS[level])
    handler.addFilter(lambda record: record.msg not in _SAID_BETTER)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = name != "uvicorn.access"
    for name in _INDISCREET:
        logging.getLogger(name).setLevel(logging.WARNING)
    for name in _CHATTY:
        logging.getLogger(name).setLevel(logging.DEBUG if level == "debug" else logging.WARNING)


def log_what_nobody_caught() -> None:
    """Have exceptions that end the process, a thread, or nothing (in a destructor) logged as events, redacted. Python's
    own words on the error stream are no JSON, and may hold anything."""
    sys.excepthook = _uncaught
    threading.excepthook = lambda given: _uncaught(given.exc_type, given.exc_value, given.exc_traceback)
    sys.unraisablehook = lambda given: _uncaught(given.exc_type, given.exc_value, given.exc_traceback)


def _uncaught(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
    error = error or kind()
    _log.critical("an error that nobody caught", exc_info=(kind, error, trace))

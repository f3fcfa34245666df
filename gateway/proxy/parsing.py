"""Parse one upstream's answers, one at a time, into what an exchange passes on."""

from typing import Final

import httptools

from gateway.core.asgi import HeaderList
from gateway.errors import BadUpstreamAnswer, UpstreamError
from gateway.proxy.answer import NOTED, PASSED, body_length, check_interim, passed_on, reusable
from gateway.proxy.authentication import binds_response
from gateway.proxy.heads import Heads
from gateway.proxy.plain import read_head

# A phase is what is waited for. (Plain numbers: in Python 3.11 an Enum's member costs as much as a call.)
IDLE: Final = 0  # nothing: no request was sent, any byte is one too many
HEAD: Final = 1  # the head of an answer
BODY: Final = 2  # more of its body
DONE: Final = 3  # nothing: the answer is complete

MAX_INTERIM: Final = 64
"""Interim responses to one request. Apache takes 10; a 102 every few seconds may tell of a long WebDAV operation."""


class AnswerParser:
    """State is kept for the connection, not per answer: `expect` resets it. httptools calls the `on_` methods."""

    __slots__ = (
        "_bare",
        "_heads",
        "_interims",
        "_is_interim",
        "_lines",
        "_max_head",
        "_method",
        "_notes",
        "_parser",
        "_rest",
        "_untouched",
        "chunks",
        "continued",
        "headers",
        "interim",
        "keep",
        "length",
        "phase",
        "size",
        "status",
    )

    def __init__(self, max_head: int, *, lenient: bool = False) -> None:
        self._max_head = max_head
        self._heads = Heads(max_head, lenient=lenient)
        self._parser = httptools.HttpResponseParser(self)
        self._notes: dict[bytes, bytes] = {}
        self.chunks: list[bytes] = []
        self.phase = IDLE

    def expect(self, method: str) -> None:
        """The answer to a `method` request comes next."""
        self.phase = HEAD
        self.status = 0
        self.headers: HeaderList = []
        self.length = 0
        self.keep = False
        """Whether the connection may carry another exchange."""
        self.continued = False
        """`100 Continue` came."""
        self.interim: list[tuple[int, HeaderList]] | None = None
        """Status and header lines of the interim responses that nobody took yet."""
        self.size = 0
        """Of `chunks`, the body as far as it came and was not taken yet."""
        self._method = method
        self._lines: HeaderList = []
        self._bare = self._rest = 0
        self._interims = 0
        self._is_interim = False
        self._untouched = method != "HEAD"
        """Nothing of the answer came; a head that comes whole may do without the parser."""

    def feed(self, data: bytes) -> None:
        """Parse what came in phase HEAD or BODY. Raises BadUpstreamAnswer."""
        if self._rest > 0 and self.phase == BODY:
            self._plain(data)
        elif not (self._untouched and self._read_plainly(data)):
            self._parse(data)

    def _parse(self, data: bytes) -> None:
        if self.phase == HEAD:
            data = self._read_heads(data)
        if data and self.phase == BODY:
            self._parse_body(data)
        elif data:  # what follows is nobody's (G4)
            self.keep = False

    def _read_heads(self, data: bytes) -> bytes:
        """Parse every head that is whole; what follows the final one."""
        heads = self._heads
        heads.add(data)
        while self.phase == HEAD:
            head = heads.next()
            if head is None:
                return b""
            self._feed_parser(head)
        return heads.rest()

    def _parse_body(self, data: bytes) -> None:
        before = self.size
        self._feed_parser(data)
        if self.phase == BODY and self.size == before:
            # Chunk extensions and trailers carry nothing, and so may not go on for ever.
            self._bare += len(data)
            if self._bare > self._max_head:
                raise BadUpstreamAnswer("a body of chunk extensions or trailers")

    def _feed_parser(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as exc:
            raise BadUpstreamAnswer("switched protocols unasked") from exc
        except httptools.HttpParserError as exc:
            self.keep = False
            if self.phase != DONE:
                raise _reason(exc) from exc

    @property
    def silent(self) -> bool:
        """Whether not a byte of the answer came."""
        return self.phase == HEAD and not self._heads.size

    def _read_plainly(self, data: bytes) -> bool:
        """Take the usual answer; False leaves all of it to the parser."""
        self._untouched = False
        end = data.find(b"\r\n\r\n")
        found = read_head(data[:end]) if 0 < end <= self._max_head else None
        if found is None:
            return False
        self.status, self.headers, self.length = found
        body = data[end + 4 :]
        self._rest = rest = self.length - len(body)
        self.keep = rest >= 0
        if rest < 0:  # what follows is nobody's (G4)
            body = body[:rest]
        if body:
            self.chunks.append(body)
            self.size = len(body)
        self.phase = BODY if rest > 0 else DONE
        return True

    def _plain(self, data: bytes) -> None:
        """A body of known length, past the first read: counted here, since the parser would only copy it."""
        self._rest -= len(data)
        if self._rest < 0:
            self.keep = False
            data = data[: self._rest]
        self.chunks.append(data)
        self.size += len(data)
        if self._rest <= 0:
            self._finish()

    def _finish(self) -> None:
        """Complete, but the parser does not know: it still waits for a body that it will not see."""
        self.phase = DONE
        self._parser = httptools.HttpResponseParser(self)

    # ---- called by httptools

    def on_message_begin(self) -> None:
        if self.phase == DONE:  # a second answer to one request: nobody's (G4)
            self.keep = False

    def on_header(self, name: bytes, value: bytes) -> None:
        name = name.lower()
        if name in NOTED:
            if self.phase == HEAD:
                notes = self._notes
                notes[name] = notes[name] + b"," + value if name in notes else value
            if name not in PASSED:
                return
        self._lines.append((name, value))

    def on_headers_complete(self) -> None:
        if self.phase != HEAD:  # as above
            return
        status = self._parser.get_status_code()
        lines, notes = self._lines, self._notes
        self._lines = []  # where trailers go, to be forgotten
        if notes:
            self._notes = {}
        if status < 200:
            self._on_interim(status, lines, notes)
        else:
            self._on_final(status, lines, notes)

    def _on_interim(self, status: int, lines: HeaderList, notes: dict[bytes, bytes]) -> None:
        check_interim(status, notes)
        self._is_interim = True
        self._interims += 1
        if self._interims > MAX_INTERIM:
            raise BadUpstreamAnswer(f"more than {MAX_INTERIM} interim responses")
        if status == 100:
            self.continued = True
        else:
            self.interim = [*(self.interim or ()), (status, passed_on(status, self._method, lines, notes))]

    def _on_final(self, status: int, lines: HeaderList, notes: dict[bytes, bytes]) -> None:
        method = self._method
        self.length = self._rest = body_length(status, method, notes)
        self.headers = passed_on(status, method, lines, notes)
        self.keep = self._parser.should_keep_alive()
        if method == "HEAD" or b"transfer-encoding" in notes:
            version = self._parser.get_http_version()
            self.keep = reusable(method, notes, parser_agrees=self.keep, version=version)
        self.keep = self.keep and not binds_response(notes)
        self.status = status
        self.phase = BODY
        if method == "HEAD":
            self._finish()

    def on_body(self, body: bytes) -> None:
        if self.phase == BODY:
            self.chunks.append(body)
            self.size += len(body)
            self._rest -= len(body)
        else:
            self.keep = False

    def on_message_complete(self) -> None:
        if self._is_interim:
            self._is_interim = False
        elif self.phase == BODY:
            self.phase = DONE


def _reason(error: httptools.HttpParserError) -> UpstreamError:
    """What a callback of ours raised, or the parser's own words."""
    cause = error.__context__
    return cause if isinstance(cause, UpstreamError) else BadUpstreamAnswer(str(error))

"""Give every plausible reading of a request path, and its canonical form.

Servers, frameworks and front servers disagree about what a path means: whether `%2F` divides segments, whether `;v=1`
belongs to a name, whether `\\` is a slash, whether `//` begins a host, how often to decode, and in which order all that
happens. Some ignore the case of letters and a slash at the end. Nobody can know
which reading the application behind has, so each rule is asked about all of them (threat cases E1-E4, Q1, O12) and
the strictest answer wins. The bytes that travel upstream are never changed here.
"""

import re
from collections.abc import Callable
from functools import partial
from urllib.parse import quote, unquote_to_bytes

from gateway.errors import BadPath

MAX_READINGS = 128
"""Ordinary paths have one to five; a path with every kind of oddity has some dozens. More is an attack on our time."""

MAX_CHARACTERS = 64 * 1024
"""Of all readings together, which bounds the time: a path of 4 KiB may have sixteen, one as long as a request line may
be (16 KiB) four."""

MAX_DECODINGS = 2
"""Double encoding is what real stacks undo (a front server, then a framework); threat cases Q1."""

# RFC 3986 §3.3 pchar without "%", ";" and without "." (which needs a look at its neighbours).
_PLAIN = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/-_~!$&'()*+,=:@."
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_ENCODED_DOT = re.compile(r"%2[Ee]")
_PARAMETERS = re.compile(r";[^/]*")
_SLASHES = re.compile(r"/{2,}")
# A host before the path: as the URL standard has it; as RFC 3986 §3.2, Python and PHP; as Node's `url.parse`, to which
# what cannot be part of a host belongs to the path, and as it was until Node 18.
_AUTHORITIES = (
    re.compile(r"//+[^/]*"),
    re.compile(r"//[^/]*"),
    re.compile(r"//(?:[^/]*@)?[^/ \"%';<>\\^`{|}]*"),
    re.compile(r"//(?:[^/]*@)?[-+.0-9A-Z_a-z\x80-\U0010ffff]*"),
)
_REST = re.compile(r"[?#].*", re.DOTALL)
# Unicode's White_Space without control characters, and what JavaScript's `trim` counts among it.
_BLANKS = "".join(chr(code) for code in (0x20, 0x85, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029))
_BLANKS += "\u202f\u205f\u3000\ufeff"
# Overlong UTF-8 (RFC 3629 §3 forbids it, old decoders read `%c0%af` as "/"); as surrogates after a strict decoder.
_OVERLONG = re.compile("[\udcc0\udcc1][\udc80-\udcbf]|\udce0[\udc80\udc81][\udc80-\udcbf]")


def readings(raw_path: bytes) -> tuple[str, ...]:
    """Every text that an application may take `raw_path` (no query) for; the raw one first.

    Raises BadPath for what no application reads safely: not starting with a slash, control characters at any depth
    of encoding, broken escapes, and dot segments that climb above the root.
    """
    if is_plain(raw_path):
        return (raw_path.decode("ascii"),)
    return _closure(_raw_reading(raw_path))


def readings_behind(raw_path: bytes, prefix: str) -> tuple[str, ...]:
    """What an upstream reads that is sent `raw_path` without `prefix`, with the prefix put back; nothing where the path
    is not below it.

    `/app//host/x` is sent as `//host/x`, whose readings are other ones (U5). Raises BadPath.
    """
    start = prefix.encode("ascii")
    if not raw_path.startswith(start + b"/"):
        return ()
    return tuple(prefix + reading for reading in readings(raw_path[len(start) :]))


def mounted_path(path: str, root_path: str) -> bytes | None:
    """What an application routes by that is mounted below `root_path`, encoded again; None where the path is not below
    it.

    ASGI has both in one text, `path`. A server that is told its root path (`uvicorn --root-path`) puts it in front of
    what came, so that rules for what the application calls `/admin` would be asked about `/api/admin` alone (U12).
    """
    if not path.startswith(root_path):
        return None
    return quote("/" + path[len(root_path) :].removeprefix("/"), errors="surrogateescape").encode("ascii")


def canonical(text: str, *, fold: bool = True) -> str:
    """The one form of all paths or patterns that a lenient router takes for the same: without slashes at the end, and
    with `fold` in one case of letters.

    A `/.` at the end is gone from one of the readings already. Express and Koa do both, other frameworks one of them.
    """
    text = text.rstrip("/") or "/"
    return _folded(text) if fold else text


def _folded(text: str) -> str:
    """Unicode's simple case folding (CaseFolding.txt, C and S): a letter stays one letter, `\u00df` is not `ss`."""
    return text.lower() if text.isascii() else text.translate(_ONE_LETTER).casefold()


def _one_letter(letter: str) -> str:
    small = letter.lower() if len(letter.lower()) == 1 else letter
    return chr(_PRIVATE_PLANE + ord(small))


_PRIVATE_PLANE = 0xF0000
# The blocks with letters that full folding makes several letters of. In their place stands one that nobody uses.
_WITH_LIGATURES = (*range(0x80, 0x600), *range(0x1E90, 0x2000), *range(0xFB00, 0xFB20))
_ONE_LETTER = {code: _one_letter(chr(code)) for code in _WITH_LIGATURES if len(chr(code).casefold()) > 1}
# Java's `equalsIgnoreCase` takes the Turkish letters for an `i`, and so do we.
_ONE_LETTER |= {0x130: "i", 0x131: "i"}


def is_plain(raw_path: bytes) -> bool:
    """Whether everybody reads the path alike: the usual case, decided without a regular expression."""
    return (
        raw_path[:1] == b"/"
        and not raw_path.translate(None, _PLAIN)
        and b"//" not in raw_path
        and b"/." not in raw_path
    )


def _raw_reading(raw_path: bytes) -> str:
    text = raw_path.decode("utf-8", "surrogateescape")
    if not text.startswith("/"):
        raise BadPath("the path does not start with a slash")
    if _BAD_ESCAPE.search(text):
        raise BadPath("the path has an invalid percent escape")
    # RFC 3986 §6.2.2.1: the case of hexadecimal digits in an escape has no meaning.
    start, *escaped = text.split("%")
    return "%".join((start, *[piece[:2].upper() + piece[2:] for piece in escaped]))


def _closure(first: str) -> tuple[str, ...]:
    """`first` and all that any order of the steps below makes of it."""
    depth = {_checked(first): 0}  # in the order found; the value is how often it was decoded
    queue = [first]
    most = min(MAX_READINGS, MAX_CHARACTERS // len(first))
    for text in queue:  # grows while it is walked
        for step, cost in _STEPS:
            decodings = depth[text] + cost
            found = text if decodings > MAX_DECODINGS else step(text)
            if depth.get(found, decodings + 1) > decodings:
                depth[_checked(found)] = decodings
                queue.append(found)
        if len(queue) > most:
            raise BadPath("the path has too many readings")
    return tuple(depth)


def _checked(text: str) -> str:
    if _CONTROL.search(text):
        raise BadPath("the path has a control character")
    return text


def _decoded(text: str) -> str:
    if "%" not in text:
        return text
    # Lenient about broken escapes: `/100%25` is `/100%` once decoded, which is no fault.
    return unquote_to_bytes(text.encode("utf-8", "surrogateescape")).decode("utf-8", "surrogateescape")


def _without_overlong(text: str) -> str:
    return text if text.isascii() else _OVERLONG.sub(_shortest, text)


def _shortest(sequence: re.Match[str]) -> str:
    """The ASCII character that a lenient decoder makes of an overlong sequence: its lowest seven bits."""
    *_, before, last = (ord(byte) & 0x3F for byte in sequence[0])
    return chr((before << 6 | last) & 0x7F)


def _without_rest(text: str) -> str:
    # O12: an application that decodes first and then parses the target loses what follows `%23` or `%3F`.
    return _REST.sub("", text)


def _without_authority(form: re.Pattern[str], text: str) -> str:
    """Of a target that begins with `//`, many parsers take the host away (U3)."""
    authority = form.match(text)
    if authority is None:
        return text
    rest = text[authority.end() :]
    return rest if rest.startswith("/") else "/" + rest


def _without_outer_blanks(text: str) -> str:
    # The URL standard removes spaces; a decoder before it finds them in `%20`, and behind a host that Node took away.
    # `trim` and `strip` of applications remove every blank of Unicode.
    return "/" + text[1:].strip(_BLANKS)


def _without_parameters(text: str) -> str:
    return _PARAMETERS.sub("", text) if ";" in text else text


def _backslashes_turned(text: str) -> str:
    return text.replace("\\", "/")


def _slashes_merged(text: str) -> str:
    return _SLASHES.sub("/", text) if "//" in text else text


def _dots_decoded(text: str) -> str:
    # The URL standard of the browsers takes `%2e` for a dot in dot segments although it decodes nothing else.
    return _ENCODED_DOT.sub(".", text) if "%2" in text else text


def _without_dot_segments(text: str) -> str:
    """RFC 3986 §5.2.4, except that climbing above the root is refused, not ignored."""
    if "/." not in text:
        return text
    kept: list[str] = []
    segments = text.split("/")[1:]
    for segment in segments:
        if segment == "..":
            if not kept:
                raise BadPath("the path climbs above the root")
            kept.pop()
        elif segment != ".":
            kept.append(segment)
    if segments[-1] in {".", ".."}:
        kept.append("")
    return "/" + "/".join(kept)


_STEPS: tuple[tuple[Callable[[str], str], int], ...] = (
    (_decoded, 1),
    (_without_overlong, 0),
    (_without_rest, 0),
    *((partial(_without_authority, form), 0) for form in _AUTHORITIES),
    (_without_outer_blanks, 0),
    (_without_parameters, 0),
    (_backslashes_turned, 0),
    (_slashes_merged, 0),
    (_dots_decoded, 0),
    (_without_dot_segments, 0),
)
"""What a reader may do to a path, each with the number of decodings that it spends."""

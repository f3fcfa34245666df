"""The kinds of value that a settings file holds: durations, sizes, addresses, networks, secrets, header templates.

Messages never quote the value: it may have come out of an environment variable or a secret file. The report puts the
text of the settings file itself beside the message (see `gateway.settings.report`).
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Annotated, Any
from urllib.parse import SplitResult, urlsplit

from pydantic import BeforeValidator, Field, PlainSerializer, PlainValidator, WithJsonSchema

from gateway.core.cognito import POOL_ID, redirect_url_problem
from gateway.core.globs import compile_glob
from gateway.core.secret import Secret
from gateway.settings.strength import stands_in, weakness

_DURATION = re.compile(r"(?:[0-9]{1,9}(?:\.[0-9]{1,3})?(?:ms|s|m|h|d))+")
_DURATION_PART = re.compile(r"([0-9.]+)(ms|s|m|h|d)")
_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
_SIZE = re.compile(r"([0-9]{1,12})(B|KiB|MiB|GiB|kB|MB|GB)")
_BYTES = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "kB": 10**3, "MB": 10**6, "GB": 10**9}
_HOST = re.compile(r"[a-z0-9_](?:[a-z0-9_.-]{0,251}[a-z0-9_])?")
_UNSAFE = re.compile(r"[\x00-\x20\x7f-\x9f\\]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
TEN_YEARS = 3650 * 86400
"""Longest duration: beyond it a slip of the pen is likelier than a wish."""


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("must be a string")  # noqa: TRY004 - pydantic reports ValueError, not TypeError
    return value


def parse_duration(value: object) -> float:
    """Seconds of `500ms`, `30s`, `15m`, `12h`, `7d`, `1h30m`. A number alone is refused: it hides its unit."""
    if value == "0":  # nothing is nothing in every unit
        return 0.0
    if not isinstance(value, str) or not _DURATION.fullmatch(value):
        raise ValueError("is not a duration; write a number and its unit, for example 30s, 15m, 12h or 7d")
    try:
        seconds = sum(float(number) * _SECONDS[unit] for number, unit in _DURATION_PART.findall(value))
    except ValueError:
        raise ValueError("is not a duration; write a number and its unit, for example 30s, 15m, 12h or 7d") from None
    if seconds > TEN_YEARS:
        raise ValueError("is longer than ten years")
    return seconds


def parse_whole_seconds(value: object) -> int:
    """A duration that counts in whole seconds, as cookies and tokens do."""
    seconds = parse_duration(value)
    if seconds != int(seconds):
        raise ValueError("must be whole seconds")
    return int(seconds)


def parse_size(value: object) -> int:
    """Bytes of `512B`, `64KiB`, `1MiB`, `10MB`. A number alone is refused: it hides its unit."""
    match = _SIZE.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError("is not a size; write a number and its unit, for example 16KiB or 10MiB")
    return int(match[1]) * _BYTES[match[2]]


def is_loopback(host: str) -> bool:
    """Whether a host name or address means this machine: the only place where plain http may carry a sign-in."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _split(value: object) -> tuple[SplitResult, str]:
    text = _text(value)
    if _UNSAFE.search(text):
        raise ValueError("must not contain spaces, control characters or backslashes")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise ValueError("is not a web address") from None
    host = (parts.hostname or "").lower()
    if "://" not in text:
        raise ValueError("must begin with http:// or https://")
    if parts.scheme not in {"http", "https"} or not _known_host(host) or port == 0:
        raise ValueError("is not a web address; write for example https://app.example.com")
    if "@" in parts.netloc:
        raise ValueError("must not contain a user name or password")
    return parts, _authority(host, port, parts.scheme)


def _known_host(host: str) -> bool:
    if _HOST.fullmatch(host) and ".." not in host:
        return True
    try:
        return ip_address(host).version == 6 and "%" not in host
    except ValueError:
        return False


def _authority(host: str, port: int | None, scheme: str) -> str:
    host = f"[{host}]" if ":" in host else host
    return host if port in {None, {"http": 80, "https": 443}[scheme]} else f"{host}:{port}"


def parse_origin(value: object) -> str:
    """Scheme, host and port of a web address that has nothing else; default ports are left out."""
    parts, authority = _split(value)
    if parts.path not in {"", "/"} or parts.query or parts.fragment or str(value).endswith(("?", "#")):
        raise ValueError("must be an address without a path, for example https://app.example.com")
    return f"{parts.scheme}://{authority}"


def parse_public_url(value: object) -> str:
    """An origin that browsers may sign in at: https, or http on this machine only (as Cognito has it)."""
    origin = parse_origin(value)
    if origin.startswith("http:") and not is_loopback(urlsplit(origin).hostname or ""):
        raise ValueError("must begin with https:// (plain http is for localhost only)")
    return origin


def parse_web_url(value: object) -> str:
    """A web address with a path, kept as written: endpoints and issuers are compared byte for byte."""
    parts, _ = _split(value)
    if parts.fragment:
        raise ValueError("must not contain a fragment (#)")
    return str(value)


def parse_issuer(value: object) -> str:
    """An issuer, as tokens name it: its metadata is found below it, and is no part of it (OIDC Discovery §4)."""
    text = parse_web_url(value)
    if "/.well-known/" in text:
        raise ValueError("must end before /.well-known/: the issuer is the address that stands in front of it")
    if "?" in text:
        raise ValueError("must not contain a query (?)")
    return text


def parse_callback_url(value: object) -> str:
    """A redirect address as Cognito allows it, kept as written: it is compared character by character."""
    text = _text(value)
    if problem := redirect_url_problem(text):
        raise ValueError(problem)
    return text


def parse_pool_id(value: object) -> str:
    """The id of a user pool: its region, and what Amazon added."""
    text = _text(value)
    if not POOL_ID.fullmatch(text):
        raise ValueError("is not a pool id; write for example eu-west-1_AbC123xyz")
    return text


def parse_server(value: object) -> str:
    """Where an upstream listens: `http://host:port`, `https://host:port`, or `unix:/path/to.sock`."""
    text = _text(value)
    if text.startswith("unix:"):
        if not text.startswith("unix:/") or _CONTROL.search(text) or len(text) < 7:
            raise ValueError("must be unix: and an absolute path, for example unix:/run/app.sock")
        return text
    return parse_origin(value)


def parse_path(value: object) -> str:
    """A plain absolute path such as `/oauth2/callback`: no escapes, dot segments, query or doubled slash."""
    text = _text(value)
    if not re.fullmatch(r"/(?:[A-Za-z0-9_.~!$'()+,:@-]+/?)*", text) or any(
        part in {".", ".."} for part in text.split("/")
    ):
        raise ValueError("must be a plain path that begins with /, for example /oauth2/callback")
    return text


def parse_path_glob(value: object) -> str:
    """A rule's path: begins with /, `*` stands for part of a segment, `**` for any number of whole segments."""
    text = _text(value)
    try:
        compile_glob(text)
    except ValueError as error:
        raise ValueError(f"is not a path for a rule: {error}") from None
    return text


def parse_network(value: object) -> str:
    """A network in CIDR form. All addresses at once are refused: any client could speak for any other (A12, O11)."""
    text = _text(value)
    try:
        network = ip_network(text)
    except ValueError:
        raise ValueError("is not a network; write for example 10.0.0.0/8, 192.0.2.7 or fd00::/8") from None
    if network.prefixlen == 0:
        raise ValueError("trusts every address there is; list the networks of your own proxies")
    return str(network)


def parse_host(value: object) -> str:
    """A host name or address, lower case, without port."""
    text = _text(value).lower()
    if not _known_host(text):
        raise ValueError("is not a host name; write for example app.example.com, without scheme and port")
    return text


@dataclass(frozen=True, slots=True)
class Address:
    """Host and port that a listener binds."""

    host: str
    port: int


def parse_address(value: object) -> Address:
    """`127.0.0.1:9464` or `[::1]:9464`."""
    if isinstance(value, Address):
        return value
    match = (
        re.fullmatch(r"(?:\[([0-9A-Fa-f:.]+)\]|([^:\[\]]+)):([0-9]{1,5})", value) if isinstance(value, str) else None
    )
    if match is None or int(match[3]) > 65535:
        raise ValueError("is not host and port; write for example 127.0.0.1:9464")
    return Address(parse_host(match[1] or match[2]), int(match[3]))


def _plain_secret(value: object) -> Secret:
    if isinstance(value, Secret):
        return value
    text = _text(value)
    if not text:
        raise ValueError("is empty")
    if _CONTROL.search(text):
        raise ValueError("contains control characters (is there a line break at the end?)")
    return Secret(text)


def parse_secret(value: object) -> Secret:
    """A text, wrapped so that it does not print. The empty one is refused, and what only holds a secret's place."""
    secret = _plain_secret(value)
    if stands_in(secret.reveal()):
        raise ValueError("is the placeholder of an example, not a secret")
    return secret


def parse_sealing_secret(value: object) -> Secret:
    """A secret from which keys are derived: short and well-known ones are refused (C15)."""
    secret = _plain_secret(value)
    if problem := weakness(secret.reveal()):
        raise ValueError(f"{problem}; make a new one with `cognito-gateway secret`")
    return secret


def _stars(_: Secret) -> str:
    return "**********"


def _string(description: str, **more: Any) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "description": description, **more})


def _parsed(parse: Callable[[object], object], description: str, **more: Any) -> tuple[PlainValidator, WithJsonSchema]:
    return PlainValidator(parse), _string(description, **more)


_DURATION_SCHEMA = WithJsonSchema(
    {
        "description": "A duration: 500ms, 30s, 15m, 12h, 7d, 1h30m",
        "anyOf": [
            {"type": "string", "pattern": f"^{_DURATION.pattern}$"},
            {"enum": [0, "0"]},
            {"type": "string", "pattern": r"\$\{"},
        ],
    }
)
_SIZE_SCHEMA = _string("A size: 512B, 16KiB, 10MiB, 1GB", pattern=rf"^{_SIZE.pattern}$|\$\{{")

Duration = Annotated[float, PlainValidator(parse_duration), _DURATION_SCHEMA]
"""Seconds, perhaps with a fraction; 0 allowed."""
Seconds = Annotated[int, PlainValidator(parse_whole_seconds), _DURATION_SCHEMA]
"""Whole seconds; 0 allowed."""
Size = Annotated[int, PlainValidator(parse_size), _SIZE_SCHEMA]
"""Bytes."""
Origin = Annotated[str, *_parsed(parse_origin, "Scheme, host and port: https://app.example.com")]
PublicUrl = Annotated[str, *_parsed(parse_public_url, "The address that browsers use: https://app.example.com")]
WebUrl = Annotated[str, *_parsed(parse_web_url, "A web address")]
Issuer = Annotated[str, *_parsed(parse_issuer, "A web address, exactly as the provider's tokens name it")]
CallbackUrl = Annotated[
    str, *_parsed(parse_callback_url, "A redirect address: https, http on localhost, or a custom scheme")
]
PoolId = Annotated[str, *_parsed(parse_pool_id, "The id of a user pool: eu-west-1_AbC123xyz")]
Server = Annotated[str, *_parsed(parse_server, "http://host:port, https://host:port or unix:/path.sock")]
Path = Annotated[str, *_parsed(parse_path, "A plain absolute path")]
PathGlob = Annotated[str, *_parsed(parse_path_glob, "A path; * within a segment, ** across segments")]
Network = Annotated[str, *_parsed(parse_network, "A network: 10.0.0.0/8, 192.0.2.7, fd00::/8")]
Host = Annotated[str, *_parsed(parse_host, "A host name, without scheme and port")]
ListenAddress = Annotated[Address, *_parsed(parse_address, "Host and port: 127.0.0.1:9464")]
SecretText = Annotated[Secret, *_parsed(parse_secret, "A secret; ${ENV} or ${file:/path}"), PlainSerializer(_stars)]
SealingSecret = Annotated[
    Secret,
    *_parsed(parse_sealing_secret, "A secret of at least 32 characters; `cognito-gateway secret`"),
    PlainSerializer(_stars),
]
Port = Annotated[int, Field(ge=0, le=65535)]
"""0 lets the system choose."""


def _plain_text(value: object) -> str:
    text = _text(value)
    if not text.strip() or _CONTROL.search(text):
        raise ValueError("must not be empty or contain control characters")
    return text


Text = Annotated[str, BeforeValidator(_plain_text)]
"""A line of text: not empty, no control characters."""

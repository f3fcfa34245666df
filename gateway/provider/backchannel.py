"""Carry one call to the provider and bring the whole answer back, bounded in bytes and in time."""

import asyncio
import ssl
from contextlib import AbstractAsyncContextManager
from http.cookiejar import CookieJar, DefaultCookiePolicy

import httpx

from gateway.core.exchange import Answer, Call
from gateway.errors import ProviderUnavailable

# A discovery document is 2 KB, a key set 1 to 15, tokens 5 to 20.
MAX_BODY = 262_144
# Seconds (cognito-reference §7): between two bytes, and in all, so that a byte now and then does not hold a request.
TIMEOUT = httpx.Timeout(5, connect=2, pool=2)
TOTAL_SECONDS = 10


def back_channel(*, verify: ssl.SSLContext | None = None, trust_env: bool = True) -> httpx.AsyncClient:
    """The HTTP client to give to a Provider; whoever asks for it closes it.

    `verify` None trusts the system's authorities, or those of SSL_CERT_FILE; httpx by itself would trust certifi's.
    It keeps no cookies: what the provider sets in one user's exchange must not travel in another's. `trust_env` reads
    HTTPS_PROXY and the like.
    """
    return httpx.AsyncClient(
        verify=verify or ssl.create_default_context(),
        trust_env=trust_env,
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
        headers={"user-agent": "cognito-gateway"},
        limits=httpx.Limits(max_connections=50, max_keepalive_connections=10, keepalive_expiry=30),
    )


async def carry(http: httpx.AsyncClient, call: Call) -> Answer:
    """Send `call` and follow no redirect. Raises ProviderUnavailable: it names the address, and never a secret."""
    try:
        async with asyncio.timeout(TOTAL_SECONDS), _stream(http, call) as response:
            return Answer(response.status_code, await _bounded(response, _where(call)), _date(response))
    except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
        # The address last: in the log, what follows `…/token:` would be masked as a secret.
        raise ProviderUnavailable(f"{_reason(error)} at {_where(call)}") from error


def _first_cause(error: Exception) -> str:
    """The words of the system or of OpenSSL: "All connection attempts failed", on top of them, says nothing."""
    words, cause = str(error), error.__cause__ or error.__context__
    while cause is not None:
        words = str(cause) if isinstance(cause, OSError) else words
        cause = cause.__cause__ or cause.__context__
    return words


def _date(response: httpx.Response) -> str:
    date = response.headers.get("date", "")
    return date if len(date) < 40 and date.isascii() and date.isprintable() else ""


def _reason(error: Exception) -> str:
    # The words of other errors may quote what was sent, a secret too.
    words = _first_cause(error) if isinstance(error, httpx.ConnectError) else ""
    return f"{type(error).__name__} ({words})" if words else type(error).__name__


def _stream(http: httpx.AsyncClient, call: Call) -> AbstractAsyncContextManager[httpx.Response]:
    # No compression: a bound on bytes must bound what they become, too.
    headers = {**call.headers, "accept-encoding": "identity"}
    return http.stream(
        call.method, call.url, headers=headers, content=call.body or None, timeout=TIMEOUT, follow_redirects=False
    )


async def _bounded(response: httpx.Response, where: str) -> bytes:
    if response.headers.get("content-encoding", "identity").lower() != "identity":
        raise ProviderUnavailable(f"a compressed answer, which was not asked for, from {where}")
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > MAX_BODY:
            raise ProviderUnavailable(f"an answer of more than {MAX_BODY} bytes from {where}")
    return bytes(body)


def _where(call: Call) -> str:
    return call.url.partition("?")[0]

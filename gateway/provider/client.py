"""Speak OpenID Connect to one provider: sign-in, refresh, sign-out, and the tokens of API callers."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from email.utils import formatdate
from functools import partial
from itertools import chain, repeat
from typing import Any

import httpx

from gateway.core import oidc
from gateway.core.emails import completed, vouched
from gateway.core.exchange import (
    UNSAID_EXPIRES_IN,
    Answer,
    Call,
    Client,
    TokenAnswer,
    code_call,
    read_tokens,
    read_userinfo,
    refresh_call,
    revoke_call,
    userinfo_call,
)
from gateway.core.session import TokenSet, claim_at
from gateway.core.tokens import Expected, expires_at, verify_access_token, verify_id_token
from gateway.errors import BadToken, ProviderError, ProviderUnavailable, TokenExpired, TokenNotYet
from gateway.provider.backchannel import carry
from gateway.provider.discovery import Discovery
from gateway.provider.keys import Keys
from gateway.provider.options import ProviderOptions
from gateway.provider.remote import Asker

__all__ = ["Provider", "ProviderOptions", "Tokens"]

REVOKE_SECONDS = 2
# Seconds between attempts at start. Each second at first, so that a provider that starts with us is found at once.
WARM_DELAYS = (1, 1, 1, 1, 1, 2, 3, 5)

_LEFT_OUT = (
    "a user's email address is not passed on, and others' will not be either: email_verified is not true, and"
    " provider.email is %s. Have the provider verify addresses (Cognito: map email_verified for federated users), or"
    " set provider.email to not-denied (absent is enough) or any"
)
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """What the token endpoint gave, verified.

    `claims` are the ID token's, None when a refresh brought no ID token. `access_expires_at` is in seconds since the
    epoch. After a refresh, `token_set.refresh_token` is the new one, or the one sent when the provider does not rotate.
    """

    claims: Mapping[str, Any] | None
    token_set: TokenSet
    access_expires_at: int


class Provider:
    """One OpenID provider. `clock` counts seconds; only differences of it are used."""

    def __init__(
        self,
        options: ProviderOptions,
        http: httpx.AsyncClient,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.options = options
        self._http = http
        self._sleep = sleep
        self._discovery = Discovery(options, http, clock)
        self._told_of_emails = False
        self._expected = Expected(
            issuer=options.issuer,
            client_ids=frozenset({options.client_id}),
            leeway=options.leeway,
            token_use_required=options.token_use_required,
            audiences=None,
        )
        self._keys = Keys(lambda: self._discovery.needed("jwks_uri"), http, clock)

    @property
    def ready(self) -> bool:
        """Whether everything that a sign-in needs is known: endpoints and keys."""
        return self._discovery.ready and self._keys.ready

    @property
    def trouble(self) -> str:
        """Why it is not ready, as far as an attempt has shown; "" when it is."""
        return self._discovery.trouble or self._keys.trouble

    async def warm(self) -> None:
        """Fetch discovery and keys, again and again until both are there. Never raises."""
        for delay in chain(WARM_DELAYS, repeat(WARM_DELAYS[-1])):
            await self._discovery.fetch()
            if self._discovery.ready:
                await self._keys.fetch()
            if self.ready:
                return
            await self._sleep(delay)

    async def authorize_url(
        self, *, redirect_uri: str, state: str, nonce: str, code_challenge: str, extra: Mapping[str, str] | None = None
    ) -> str:
        """Where to send a browser to sign in. Raises ProviderUnavailable.

        `extra` adds parameters of this one sign-in (`login_hint`, `identity_provider`…). It overrides neither ours nor
        the operator's.
        """
        ours = {
            "response_type": "code",
            "client_id": self.options.client_id,
            "redirect_uri": redirect_uri,
            "scope": " ".join(self.options.scopes),
            "state": state,
            "nonce": nonce,
            "code_challenge": code_challenge,
            "code_challenge_method": "S256",
        }
        endpoint = await self._discovery.needed("authorization_endpoint")
        return oidc.authorize_url(endpoint, ours, self.options.extra_authorize_params, extra or {})

    async def exchange(self, *, code: str, redirect_uri: str, code_verifier: str, nonce: str, now: int) -> Tokens:
        """Redeem a code. Raises ProviderRefused (final), ProviderUnavailable (transient), BadToken."""
        url, client = await self._token_endpoint()
        await self._keys.some()  # a code is spent once: not before its tokens can be verified
        call = code_call(url, client, code=code, redirect_uri=redirect_uri, code_verifier=code_verifier)
        answer = read_tokens(await self._ask(call))
        if answer.id_token is None:
            raise BadToken("no ID token in the answer to a code")
        return await self._accept(answer, nonce=nonce, now=now)

    async def refresh(self, refresh_token: str, now: int) -> Tokens:
        """New tokens for a refresh token. Raises as `exchange` does."""
        url, client = await self._token_endpoint()
        await self._keys.some()  # so is a refresh token where the provider rotates
        answer = read_tokens(await self._ask(refresh_call(url, client, refresh_token)))
        # OpenID Connect Core §12.2: a refreshed ID token should have no nonce, and we no longer know ours.
        return await self._accept(answer, nonce=None, now=now, used=refresh_token)

    async def userinfo(self, access_token: str, sub: str) -> Mapping[str, Any]:
        """The user's claims from the provider. Raises as `exchange` does; BadToken when they are another user's."""
        url = await self._discovery.needed("userinfo_endpoint")
        return read_userinfo(await self._ask(userinfo_call(url, access_token)), sub)

    async def revoke(self, refresh_token: str) -> None:
        """Revoke a refresh token, best effort, within 2 s, where the provider can. Never raises."""
        try:
            async with asyncio.timeout(REVOKE_SECONDS):
                url = await self._discovery.endpoint("revocation_endpoint")
                if url is None:
                    return
                _, client = await self._token_endpoint()
                answer = await self._ask(revoke_call(url, client, refresh_token))
                if answer.status != 200:
                    raise ProviderUnavailable(f"{url}: answered {answer.status}")
        except (ProviderError, TimeoutError) as error:
            _log.warning("a refresh token could not be revoked and lives on: %s", str(error) or "no answer in time")

    async def verify_bearer(
        self, token: str, now: int, client_ids: Collection[str], audiences: Collection[str]
    ) -> Mapping[str, Any]:
        """The claims of an API caller's access token, verified each time: no verdict is remembered.

        It was issued to one of `client_ids`; when it names audiences, one of them is in `audiences`.

        Raises BadToken, TokenExpired, or ProviderUnavailable when the keys cannot be had.
        """
        expected = replace(self._expected, client_ids=frozenset(client_ids), audiences=frozenset(audiences))
        verify = partial(verify_access_token, token, expected=expected, now=now)
        return self._vouched(await self._keys.verified(token, verify, Asker.STRANGER))

    def keys_in_use(self) -> object:
        """What bearers are judged by: another object once the provider's keys changed, None while there are none."""
        return self._keys.in_use()

    async def sign_out_url(self, *, return_uri: str, id_token: str | None = None) -> str | None:
        """Where to send a browser to end the provider's session; None where there is no such place. Never raises."""
        if self.options.logout_style == "none":
            return None
        with suppress(ProviderError):
            return oidc.sign_out_url(
                self.options.logout_style,
                await self._discovery.endpoint("end_session_endpoint"),
                client_id=self.options.client_id,
                return_uri=return_uri,
                id_token=id_token,
            )
        return None

    async def _accept(self, answer: TokenAnswer, *, nonce: str | None, now: int, used: str | None = None) -> Tokens:
        try:
            return await self._verified(answer, nonce=nonce, now=now, used=used)
        except (TokenNotYet, TokenExpired) as error:
            said = answer.date or "not known"
            clocks = f"the provider's clock: {said}, ours: {formatdate(now, usegmt=True)}"
            raise type(error)(f"{error} ({clocks})") from error

    async def _verified(self, answer: TokenAnswer, *, nonce: str | None, now: int, used: str | None = None) -> Tokens:
        claims = await self._id_claims(answer, nonce, now)
        whole = await self._completed(claims, answer.access_token, is_refresh=used is not None)
        return Tokens(
            claims=None if whole is None else self._vouched(whole),
            token_set=TokenSet(
                id_token=answer.id_token,
                access_token=answer.access_token,
                refresh_token=answer.refresh_token or used,
            ),
            access_expires_at=await self._access_expires_at(answer, claims, now),
        )

    async def _id_claims(self, answer: TokenAnswer, nonce: str | None, now: int) -> dict[str, Any] | None:
        if answer.id_token is None:
            return None
        verify = partial(
            verify_id_token,
            answer.id_token,
            expected=self._expected,
            now=now,
            nonce=nonce,
            access_token=answer.access_token,
        )
        return await self._keys.verified(answer.id_token, verify, Asker.GATEWAY)

    async def _completed(
        self, claims: Mapping[str, Any] | None, access_token: str, *, is_refresh: bool
    ) -> Mapping[str, Any] | None:
        """What the ID token says, and from userInfo what it lacks of the wanted claims: a provider may give
        those of `profile` and `email` there alone (OpenID Connect Core §5.4). Cognito's two say the same.

        When userInfo does not answer, a sign-in goes on without, and a refresh leaves the session's claims alone.
        """
        if claims is None or self.options.token_use_required:
            return claims
        if all(claim_at(claims, name) is not None for name in self.options.wanted_claims):
            return claims
        try:
            if await self._discovery.endpoint("userinfo_endpoint") is None:
                return claims
            return completed(claims, await self.userinfo(access_token, claims["sub"]))
        except ProviderError as error:
            _log.warning("a user's claims are not complete: %s", error)
            return None if is_refresh else claims

    def _vouched(self, claims: Mapping[str, Any]) -> Mapping[str, Any]:
        """The claims, without an address that the provider does not vouch for; the first one left out is told of."""
        kept = vouched(claims, self.options.email)
        if kept is not claims and not self._told_of_emails and "email" in self.options.wanted_claims:
            self._told_of_emails = True
            _log.warning(_LEFT_OUT, self.options.email)
        return kept

    async def _access_expires_at(self, answer: TokenAnswer, claims: Mapping[str, Any] | None, now: int) -> int:
        """When the access token is over. Cognito's is read, and must be of the same user; others' are opaque to us."""
        if self.options.token_use_required:
            verify = partial(verify_access_token, answer.access_token, expected=self._expected, now=now)
            access = await self._keys.verified(answer.access_token, verify, Asker.GATEWAY)
            if claims is not None and access["sub"] != claims["sub"]:
                raise BadToken("the access token is of another user than the ID token")
            return expires_at(access)
        if answer.expires_in is not None:
            return now + answer.expires_in
        return expires_at(claims) if claims is not None else now + UNSAID_EXPIRES_IN

    async def _token_endpoint(self) -> tuple[str, Client]:
        client = Client(
            client_id=self.options.client_id,
            client_secret=self.options.client_secret,
            authentication=await self._discovery.authentication(),
        )
        return await self._discovery.needed("token_endpoint"), client

    async def _ask(self, call: Call) -> Answer:
        return await carry(self._http, call)

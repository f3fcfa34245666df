"""Codes, refresh tokens and client credentials."""

import asyncio
import base64
import hashlib
from dataclasses import replace
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.pool.backend import Backend
from gateway.pool.grants import OAuthError, TokenAnswer
from gateway.pool.pkce import pkce_matches
from gateway.pool.records import AppClient, UserStatus
from tests.support.pool import (
    CALLBACK,
    MACHINE,
    NOW,
    PUBLIC,
    ROTATING,
    WEB,
    ada,
    change_user,
    issue_code,
    opened,
    options_for,
)

VERIFIER = "v" * 43
VERIFIERS = st.text("ABCXYZabcxyz0189-._~", min_size=32, max_size=128)


def challenge_of(verifier: str) -> str:
    """The S256 challenge (RFC 7636 §4.2)."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


async def issue(backend: Backend, client: AppClient = WEB, **changes) -> str:
    """A code for Ada."""
    asked = {
        "redirect_uri": CALLBACK,
        "scopes": ("openid", "email", "profile"),
        "nonce": "n-1",
        "code_challenge": challenge_of(VERIFIER),
        "auth_time": NOW - 30,
        "now": NOW,
    }
    return await issue_code(backend, client, await ada(backend), **{**asked, **changes})


async def redeem(backend: Backend, code: str, client: AppClient = WEB, **changes: Any) -> Any:
    """Tokens for it."""
    sent = {"code": code, "redirect_uri": CALLBACK, "code_verifier": VERIFIER, "now": NOW, **changes}
    return await backend.grants.redeem(client, **sent)


async def error_of(awaitable) -> str:
    """The OAuth error of a refusal."""
    with pytest.raises(OAuthError) as caught:
        await awaitable
    return caught.value.error


async def test_a_code_gives_three_tokens(backend):
    """A code is a UUID; it gives access, ID and refresh token, and `expires_in` is the client's access validity."""
    code = await issue(backend)
    answer = await redeem(backend, code)

    assert len(code) == 36
    assert answer.expires_in == 3600
    assert answer.id_token
    assert answer.refresh_token
    assert "." not in answer.refresh_token


@pytest.mark.parametrize(
    ("client", "swap", "error"),
    [
        (PUBLIC, {}, "invalid_grant"),
        (WEB, {"redirect_uri": CALLBACK + "/"}, "unauthorized_client"),
        (WEB, {"redirect_uri": CALLBACK.upper()}, "unauthorized_client"),
        (WEB, {"code_verifier": "w" * 43}, "invalid_grant"),
        (WEB, {"code_verifier": challenge_of(VERIFIER)}, "invalid_grant"),
        (WEB, {"code_verifier": None}, "invalid_grant"),
        (WEB, {"code_verifier": ""}, "invalid_grant"),
        (WEB, {"now": NOW + 300}, "invalid_grant"),
    ],
)
async def test_a_code_is_bound(backend, client, swap, error):
    """R1, R2: client, redirect URI, verifier and time swapped in turn: refused, and the right holder still succeeds."""
    code = await issue(backend)

    assert await error_of(redeem(backend, code, client, **swap)) == error
    assert (await redeem(backend, code, now=NOW + 299)).access_token


async def test_verifier_without_challenge(backend):
    """R2: a verifier for a code that was asked for without a challenge is refused: somebody cut the challenge out."""
    code = await issue(backend, code_challenge=None)

    assert await error_of(redeem(backend, code)) == "invalid_grant"
    assert (await redeem(backend, code, code_verifier=None)).access_token


async def test_a_public_client_may_be_made_to_use_pkce(backend):
    """R2: `require_pkce` refuses a code without a challenge already when it is issued."""
    assert await error_of(issue(backend, PUBLIC, code_challenge=None)) == "invalid_request"


async def test_a_code_used_twice_revokes(backend):
    """R3: the second use is refused, and refresh token and userInfo of the first use stop working."""
    code = await issue(backend)
    first = await redeem(backend, code)
    await backend.grants.user_info(first.access_token, NOW)

    assert await error_of(redeem(backend, code)) == "invalid_grant"
    assert await error_of(backend.grants.refresh(WEB, refresh_token=first.refresh_token, now=NOW)) == "invalid_grant"
    assert await error_of(backend.grants.user_info(first.access_token, NOW)) == "invalid_token"


async def test_a_code_used_twice_at_once(backend):
    """R3: of ten simultaneous uses at most one gets tokens, and those are revoked."""
    code = await issue(backend)
    results = await asyncio.gather(*(redeem(backend, code) for _ in range(10)), return_exceptions=True)
    answers = [result for result in results if isinstance(result, TokenAnswer)]

    assert len(answers) == 1
    assert await error_of(backend.grants.user_info(answers[0].access_token, NOW)) == "invalid_token"


async def test_another_client_cannot_burn_a_code(backend):
    """R3: a used code shown by another client revokes nothing: it proves no leak of the right one's."""
    code = await issue(backend)
    first = await redeem(backend, code)

    assert await error_of(redeem(backend, code, PUBLIC)) == "invalid_grant"
    assert (await backend.grants.refresh(WEB, refresh_token=first.refresh_token, now=NOW)).access_token


async def test_refresh(backend):
    """A refresh keeps sign-in time, family and scopes, has no nonce, and tells groups and attributes of now."""
    first = await redeem(backend, await issue(backend))
    user = await ada(backend)
    attributes = {**user.attributes, "name": "Ada K."}
    await change_user(backend.storage, user.sub, groups=("readers",), attributes=attributes)
    second = await backend.grants.refresh(WEB, refresh_token=first.refresh_token, now=NOW + 60)
    before, after = (jwt.decode(t.id_token, options={"verify_signature": False}) for t in (first, second))

    assert second.refresh_token is None
    assert [after[name] for name in ("auth_time", "origin_jti")] == [before[n] for n in ("auth_time", "origin_jti")]
    assert (before["nonce"], "nonce" in after) == ("n-1", False)
    assert (after["cognito:groups"], after["name"]) == (["readers"], "Ada K.")
    assert after["jti"] != before["jti"]
    assert after["iat"] == NOW + 60


async def test_a_refresh_token_is_bound_to_its_client(backend):
    """R4: another client's refresh token is refused, and stays good for its own."""
    first = await redeem(backend, await issue(backend))

    assert (
        await error_of(backend.grants.refresh(ROTATING, refresh_token=first.refresh_token, now=NOW)) == "invalid_grant"
    )
    assert (await backend.grants.refresh(WEB, refresh_token=first.refresh_token, now=NOW)).access_token


async def test_a_refresh_token_expires(backend):
    """A refresh token works until the second of its expiry, not at it."""
    first = await redeem(backend, await issue(backend))
    end = NOW + WEB.refresh_token_validity

    assert (await backend.grants.refresh(WEB, refresh_token=first.refresh_token, now=end - 1)).access_token
    assert await error_of(backend.grants.refresh(WEB, refresh_token=first.refresh_token, now=end)) == "invalid_grant"


async def test_rotation_and_grace(backend):
    """R4: the old token works during the grace; after it, its use is reuse and revokes old and new."""
    first = await redeem(backend, await issue(backend, ROTATING), ROTATING)

    async def refresh(token: str, now: int) -> Any:
        return await backend.grants.refresh(ROTATING, refresh_token=token, now=now)

    second = await refresh(first.refresh_token, NOW + 100)
    retried = await refresh(first.refresh_token, NOW + 109)
    third = await refresh(second.refresh_token, NOW + 200)

    assert len({first.refresh_token, second.refresh_token, retried.refresh_token, third.refresh_token}) == 4
    assert await error_of(refresh(first.refresh_token, NOW + 110)) == "invalid_grant"
    for token in (second, retried, third):
        assert await error_of(refresh(token.refresh_token, NOW + 111)) == "invalid_grant"


async def test_rotation_keeps_the_remaining_lifetime(backend):
    """R4: a rotated token ends when the first one would have: rotation never prolongs a session."""
    token = (await redeem(backend, await issue(backend, ROTATING), ROTATING)).refresh_token
    end = NOW + ROTATING.refresh_token_validity
    token = (await backend.grants.refresh(ROTATING, refresh_token=token, now=end - 10)).refresh_token

    assert await error_of(backend.grants.refresh(ROTATING, refresh_token=token, now=end)) == "invalid_grant"


async def test_rotation_without_grace(backend):
    """R4: without a grace two simultaneous uses are reuse: one answer at most, and the family is revoked."""
    strict = replace(ROTATING, rotation_grace=0)
    token = (await redeem(backend, await issue(backend, ROTATING), strict)).refresh_token
    refreshes = (backend.grants.refresh(strict, refresh_token=token, now=NOW) for _ in range(5))
    results = await asyncio.gather(*refreshes, return_exceptions=True)
    answers = [result for result in results if isinstance(result, TokenAnswer)]

    assert len(answers) <= 1
    for answer in answers:
        assert await error_of(backend.grants.refresh(strict, refresh_token=answer.refresh_token, now=NOW)) == (
            "invalid_grant"
        )


async def test_disabled_users_get_no_tokens(backend):
    """A disabled user's code, refresh token and userInfo are refused."""
    code, first = await issue(backend), await redeem(backend, await issue(backend))
    user = await ada(backend)
    await change_user(backend.storage, user.sub, enabled=False)

    assert await error_of(redeem(backend, code)) == "invalid_grant"
    assert await error_of(backend.grants.refresh(WEB, refresh_token=first.refresh_token, now=NOW)) == "invalid_grant"
    assert await error_of(backend.grants.user_info(first.access_token, NOW)) == "invalid_token"


async def test_a_password_reset_revokes(backend):
    """Who resets the password ends what others got with the old one: refresh tokens, and codes not yet used."""
    code, first = await issue(backend), await redeem(backend, await issue(backend))
    await backend.accounts.forgot_password(WEB, "ada@example.com", NOW)
    sent = backend.mailbox.mails[0].code
    await backend.accounts.confirm_forgot_password(WEB, "ada@example.com", sent, "Another horse 8!", NOW)

    assert await error_of(redeem(backend, code)) == "invalid_grant"
    assert await error_of(backend.grants.refresh(WEB, refresh_token=first.refresh_token, now=NOW)) == "invalid_grant"


async def test_scopes_that_the_client_cannot_read(backend):
    """A client that may read `email` but not `email_verified` gets no tokens for the scope `email` (§1.5)."""
    half = replace(WEB, read_attributes=frozenset({"email"}), allowed_scopes=("openid",))

    assert await error_of(redeem(backend, await issue(backend, scopes=("openid", "email")), half)) == "invalid_grant"


async def test_no_id_token_without_openid(backend):
    """Without `openid` there is no ID token, and userInfo refuses."""
    answer = await redeem(backend, await issue(backend, scopes=("api/read",)))

    assert answer.id_token is None
    assert await error_of(backend.grants.user_info(answer.access_token, NOW)) == "invalid_token"


async def test_client_credentials(backend):
    """A machine gets an access token for its custom scopes: `sub` is the client, there is no `username`."""
    answer = await backend.grants.client_credentials(MACHINE, scope=None, now=NOW)
    claims = backend.tokens.open_access_token(answer.access_token, NOW)

    assert (answer.id_token, answer.refresh_token) == (None, None)
    assert (claims["sub"], claims["scope"], claims["version"]) == ("machine", "api/read", 2)
    assert not {"username", "origin_jti", "event_id", "aud"} & set(claims)


@pytest.mark.parametrize("scope", ["openid", "api/write", "api/read openid", "other/read"])
async def test_client_credentials_scopes(backend, scope):
    """A machine's scope must be a custom one, and its own."""
    assert await error_of(backend.grants.client_credentials(MACHINE, scope=scope, now=NOW)) == "invalid_scope"


async def test_client_credentials_need_the_flow(backend):
    """A client without the flow is refused."""
    assert await error_of(backend.grants.client_credentials(WEB, scope=None, now=NOW)) == "unauthorized_client"


async def test_revocation_ends_the_family(backend):
    """After revocation refresh and userInfo refuse; revoking again, or something unknown, is no error."""
    first = await redeem(backend, await issue(backend))
    for token in (first.refresh_token, first.refresh_token, "unknown"):
        await backend.grants.revoke(WEB, token=token, now=NOW)

    assert await error_of(backend.grants.refresh(WEB, refresh_token=first.refresh_token, now=NOW)) == "invalid_grant"
    assert await error_of(backend.grants.user_info(first.access_token, NOW)) == "invalid_token"


async def test_revocation_is_for_the_tokens_own_client(backend):
    """Another client revokes nothing (RFC 7009 §2.1); signed tokens and clients without revocation are told so."""
    first = await redeem(backend, await issue(backend))
    off = replace(WEB, enable_token_revocation=False)

    assert await error_of(backend.grants.revoke(ROTATING, token=first.refresh_token, now=NOW)) == "unauthorized_client"
    assert await error_of(backend.grants.revoke(WEB, token=first.access_token, now=NOW)) == "unsupported_token_type"
    assert await error_of(backend.grants.revoke(off, token=first.refresh_token, now=NOW)) == "invalid_request"
    assert (await backend.grants.refresh(WEB, refresh_token=first.refresh_token, now=NOW)).access_token


async def test_nothing_presentable_is_stored(tmp_path, clock):
    """A stolen database opens no session: codes, refresh tokens and passwords are in no file of it."""
    async with opened(options_for(tmp_path), clock) as backend:
        spent = await issue(backend)
        answer = await redeem(backend, spent)
        secrets = [spent, await issue(backend), answer.refresh_token, answer.access_token]
        await backend.accounts.forgot_password(WEB, "ada@example.com", NOW)
    content = b"".join(path.read_bytes() for path in tmp_path.iterdir())

    assert not [secret for secret in secrets if secret.encode() in content]
    assert b"ada@example.com" in content


@pytest.mark.property
@given(VERIFIERS, VERIFIERS)
def test_pkce_law(verifier, other):
    """R1: a challenge accepts its own verifier and no other."""
    assert pkce_matches(challenge_of(verifier), verifier)
    assert pkce_matches(challenge_of(verifier), other) == (verifier == other)


@pytest.mark.parametrize(
    "verifier",
    ["v" * 31, "v" * 129, *(f"{'v' * 42}{end}" for end in "é \n+="), ""],
)
def test_pkce_malformed_verifier(verifier):
    """R1: a verifier that is too short, too long or has other characters is refused even if it hashes right."""
    assert not pkce_matches(challenge_of(verifier), verifier)


@pytest.mark.parametrize(
    "later",
    [
        replace(ROTATING, refresh_token_rotation=False),
        replace(ROTATING, rotation_grace=60),
        replace(ROTATING, rotation_grace=0),
        replace(ROTATING, refresh_token_rotation=False, rotation_grace=60),
    ],
    ids=["rotation off", "longer grace", "no grace", "both"],
)
async def test_a_rotated_token_stays_rotated(backend, later):
    """Y6: whatever becomes of the client's rotation, the grace of then is over, and a reuse revokes the family."""
    first = await redeem(backend, await issue(backend, ROTATING), ROTATING)
    second = await backend.grants.refresh(ROTATING, refresh_token=first.refresh_token, now=NOW)
    over = NOW + ROTATING.rotation_grace

    for token in (first, second):
        refused = backend.grants.refresh(later, refresh_token=token.refresh_token, now=over)
        assert await error_of(refused) == "invalid_grant"


async def test_rotation_turned_off_keeps_the_newest_token(backend):
    """Y6: the token that was not rotated works on when rotation is turned off, and in the grace the older one too."""
    off = replace(ROTATING, refresh_token_rotation=False)
    first = await redeem(backend, await issue(backend, ROTATING), ROTATING)
    second = await backend.grants.refresh(ROTATING, refresh_token=first.refresh_token, now=NOW)

    for token, now in ((first, NOW + 9), (second, NOW + 99)):
        assert (await backend.grants.refresh(off, refresh_token=token.refresh_token, now=now)).access_token


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"callback_urls": ("https://app.test/new",)}, "invalid_grant"),
        ({"allowed_flows": frozenset[Any]({"implicit"})}, "invalid_grant"),
        ({"allowed_scopes": ("api/read",)}, "invalid_grant"),
    ],
    ids=["callback", "flow", "scopes"],
)
async def test_an_old_code_is_for_the_client_of_now(backend, change, error):
    """Y6: a callback, the flow or every scope that the client has lost makes its older codes worthless."""
    code = await issue(backend)

    assert await error_of(redeem(backend, code, replace(WEB, **change))) == error


async def test_an_old_code_without_pkce(backend):
    """Y6: once a client must use PKCE, a code from before that has no challenge is refused."""
    code = await issue(backend, code_challenge=None)

    assert await error_of(redeem(backend, code, replace(WEB, require_pkce=True), code_verifier=None)) == (
        "invalid_grant"
    )


async def test_scopes_that_were_taken_are_gone(tmp_path, clock):
    """Y6: code, refresh token and userInfo give what the client may have now; without `openid` no identity at all."""
    less = replace(WEB, allowed_scopes=("openid", "profile"))
    none = replace(WEB, allowed_scopes=("api/read", "email", "profile"))
    async with opened(options_for(tmp_path), clock) as backend:
        code = await issue(backend, scopes=("openid", "email", "profile"))
        first = await redeem(backend, await issue(backend, scopes=("openid", "email", "profile", "api/read")))
        narrow = await redeem(backend, await issue(backend, scopes=("openid", "email")))
    async with opened(options_for(tmp_path, clients=(less,)), clock) as backend:
        shown = await backend.grants.user_info(first.access_token, NOW)
        redeemed = await redeem(backend, code, less)
        refreshed = await backend.grants.refresh(less, refresh_token=first.refresh_token, now=NOW)
        widened = await error_of(backend.grants.refresh(less, refresh_token=narrow.refresh_token, now=NOW))
        scopes = [
            backend.tokens.open_access_token(answer.access_token, NOW)["scope"] for answer in (redeemed, refreshed)
        ]
    async with opened(options_for(tmp_path, clients=(none,)), clock) as backend:
        refused = await error_of(backend.grants.user_info(first.access_token, NOW))
        machine = await backend.grants.refresh(none, refresh_token=first.refresh_token, now=NOW)

    assert "email" not in jwt.decode(refreshed.id_token or "", options={"verify_signature": False})
    assert "email" not in shown
    assert scopes == ["openid profile", "openid profile"]
    assert widened == "invalid_grant"  # `openid` alone would show more than `openid email` did
    assert refused == "invalid_token"
    assert machine.id_token is None


@pytest.mark.parametrize("status", [UserStatus.RESET_REQUIRED, UserStatus.FORCE_CHANGE_PASSWORD])
async def test_who_owes_a_step_gets_no_tokens(backend, status):
    """Y2: an account that an administrator has reset gives no tokens for what it began before."""
    code, first = await issue(backend), await redeem(backend, await issue(backend))
    await change_user(backend.storage, (await ada(backend)).sub, status=status)

    assert await error_of(redeem(backend, code)) == "invalid_grant"
    assert await error_of(backend.grants.refresh(WEB, refresh_token=first.refresh_token, now=NOW)) == "invalid_grant"

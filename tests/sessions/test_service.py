"""The session service: recognising, starting, refreshing and ending sessions, as a browser meets them."""

import asyncio
from dataclasses import replace

import pytest

from gateway.core.cookies import RequestCookies
from gateway.core.session import TokenSet
from gateway.errors import BadData, BadToken, ProviderRefused, ProviderUnavailable
from gateway.sessions import renewal
from gateway.sessions.service import Ended, Live, Refreshed, Sessions
from tests.support.sessions import (
    CLIENT,
    COOKIE,
    IDLE_COOKIE,
    ISSUER,
    NOW,
    SUB,
    FakeTokens,
    Jar,
    access_claims,
    cognito_tokens,
    id_claims,
    jwt,
    policy,
    refresh_token,
    ring,
    session,
    sessions,
    store,
)

DUE = NOW + 2880


async def sign_in(service: Sessions, jar: Jar | None = None, *, sub: str = SUB, now: int = NOW) -> Jar:
    jar = jar or Jar()
    started = await service.start(id_claims(sub), cognito_tokens(sub), now + 3600, now, jar.names)
    return jar.take(started.set_cookies)


def recognised(service: Sessions, jar: Jar, now: int = NOW) -> Live:
    live = service.recognise(RequestCookies(jar.header), now)
    assert live is not None
    return live


# --- recognising


async def test_a_started_session_is_recognised():
    """After sign-in the cookie brings the session, its header lines and its groups."""
    gateway = sessions()
    live = recognised(gateway, await sign_in(gateway))
    assert live.session.sub == SUB
    assert live.block == [(b"x-forwarded-user", SUB.encode())]
    assert live.groups == {"admins", "editors"}


async def test_another_process_recognises_the_session():
    """A process that never saw the session opens it from the cookie alone; afterwards it is one lookup."""
    jar = await sign_in(sessions())
    other = sessions()
    first = recognised(other, jar)
    assert recognised(other, jar) is first


async def test_a_hit_opens_nothing():
    """The hot path: a known cookie's bytes are looked up, not opened again."""
    gateway = sessions()
    jar = await sign_in(gateway)
    gateway._store = None  # type: ignore[assignment]
    assert recognised(gateway, jar).session.sub == SUB


@pytest.mark.parametrize("before", [b"", b"a=1; ", b"a=1;"])
@pytest.mark.parametrize("after", [b"", b"; b=2", b";b=2"])
async def test_a_hit_is_found_anywhere_in_the_header(before, after):
    """First, last, between others, with and without the blank after the semicolon."""
    gateway = sessions()
    jar = await sign_in(gateway)
    gateway._store = None  # type: ignore[assignment]
    assert gateway.recognise(RequestCookies([b"x=y", before + jar.header[0] + after]), NOW)


@pytest.mark.parametrize(("before", "after"), [(b"", b""), (b"a=1; ", b""), (b"", b"; b=2"), (b"a=1;b; ", b";c")])
async def test_the_only_line_of_a_request_is_known_at_a_glance(before, after):
    """A session that is open here is found without opening or splitting anything, wherever browsers put it."""
    gateway = sessions()
    jar = await sign_in(gateway)
    assert gateway.glance(before + jar.header[0] + after, NOW) is recognised(gateway, jar)


@pytest.mark.parametrize("before", [b"theme=dark ", b"x", b"x; y", b" ", b";", b"a=1;", b"a=1,", b"a=1, ", b'a=";" '])
async def test_a_glance_sees_no_cookie_within_another(before):
    """U1: only what begins after `; `, or begins the line, is taken; the rest is for those who read whole cookies."""
    gateway = sessions()
    jar = await sign_in(gateway)
    assert gateway.glance(before + jar.header[0], NOW) is None


async def test_a_longer_name_is_another_cookie():
    """A cookie whose name ends in ours is not ours; ours behind it is found the long way."""
    gateway = sessions()
    jar = await sign_in(gateway)
    impostor = b"x" + jar.header[0].partition(b";")[0]
    assert gateway.recognise(RequestCookies([impostor]), NOW) is None
    assert gateway.recognise(RequestCookies([impostor + b"; " + jar.header[0]]), NOW)


async def test_a_session_in_parts_is_recognised():
    """A session over 4,096 bytes comes in parts, is recognised cold and warm, and not when a part is missing (C7)."""
    gateway = sessions(keep_id_token=True, keep_access_token=True)
    tokens = replace(cognito_tokens(), id_token="*" * 3000)
    jar = Jar().take((await gateway.start(id_claims(), tokens, NOW + 3600, NOW, ())).set_cookies)
    assert jar.names == [f"{COOKIE.name}.1", f"{COOKIE.name}.2"]
    assert recognised(gateway, jar) is recognised(gateway, jar)
    assert recognised(sessions(), jar).session.tokens.id_token == "*" * 3000
    del jar.cookies[f"{COOKIE.name}.2"]
    assert gateway.recognise(RequestCookies(jar.header), NOW) is None


async def test_parts_of_two_sessions_make_none():
    """C7: a part of another session does not open."""
    gateway = sessions(keep_id_token=True, keep_access_token=True)
    tokens = replace(cognito_tokens(), id_token="*" * 3000)
    one, two = [
        Jar().take((await gateway.start(id_claims(), tokens, NOW + 3600, NOW, ())).set_cookies) for _ in range(2)
    ]
    one.cookies[f"{COOKIE.name}.2"] = two.cookies[f"{COOKIE.name}.2"]
    assert gateway.recognise(RequestCookies(one.header), NOW) is None


@pytest.mark.parametrize("value", ["", "x", "A" * 60, "é" * 60, "A" * 4000, "%s%n", "=;;a", '"quoted"'])
async def test_a_malformed_cookie_signs_nobody_in(value):
    """C5 (authentik CVE-2026-25748): what does not open is nobody, and a good cookie beside it still counts."""
    gateway = sessions()
    bad = f"{COOKIE.name}={value}".encode("latin-1")
    assert gateway.recognise(RequestCookies([bad]), NOW) is None
    jar = await sign_in(gateway)
    assert gateway.recognise(RequestCookies([bad + b"; " + jar.header[0]]), NOW)


async def test_every_flipped_bit_of_the_cookie_is_nobody():
    """C1: a session cookie with any one character changed is nobody, also where the session is known."""
    gateway = sessions()
    jar = await sign_in(gateway)
    value = jar.cookies[COOKIE.name]
    for at in range(len(value)):
        other = value[:at] + ("A" if value[at] != "A" else "B") + value[at + 1 :]
        assert gateway.recognise(RequestCookies([f"{COOKIE.name}={other}".encode()]), NOW) is None


async def test_the_idle_cookie_is_no_session():
    """C4, Q17: the idle cookie presented as the session, and the session as the idle cookie, are refused."""
    gateway = sessions(idle_timeout=600)
    jar = await sign_in(gateway)
    swapped = [f"{COOKIE.name}={jar.cookies[IDLE_COOKIE.name]}".encode()]
    assert gateway.recognise(RequestCookies(swapped), NOW) is None
    cold = sessions(idle_timeout=600)
    jar.cookies[IDLE_COOKIE.name] = jar.cookies[COOKIE.name]
    assert cold.recognise(RequestCookies(jar.header), NOW + 600) is None


async def test_a_session_ends_at_its_lifetime_exactly():
    """Q16: one second before the absolute end it is there, at the end it is not: known or opened anew."""
    gateway = sessions(lifetime=1000)
    jar = await sign_in(gateway)
    assert gateway.recognise(RequestCookies(jar.header), NOW + 999)
    assert gateway.recognise(RequestCookies(jar.header), NOW + 1000) is None
    assert sessions().recognise(RequestCookies(jar.header), NOW + 1000) is None


async def test_no_cookie_is_nobody():
    """Without header lines, and with others' cookies alone, nobody is signed in."""
    assert sessions().recognise(RequestCookies([]), NOW) is None
    assert sessions().recognise(RequestCookies([b"a=1", b"", b"cg_session=x"]), NOW) is None


async def test_a_flood_of_cookies_is_opened_a_few_times_only():
    """A thousand cookies of our name cost four openings."""
    gateway = sessions()
    opened = []

    class Counting:
        def peek(self, value):
            opened.append(value)
            raise BadData

    gateway._store = Counting()  # type: ignore[assignment]
    assert gateway.recognise(RequestCookies([b"; ".join([COOKIE.name.encode() + b"=x"] * 1000)]), NOW) is None
    assert len(opened) == 4


# --- idle time


async def test_an_idle_session_is_not_usable():
    """A session that nobody used for the idle timeout is over, warm or cold; used before, it goes on."""
    gateway = sessions(idle_timeout=600)
    jar = await sign_in(gateway)
    assert gateway.recognise(RequestCookies(jar.header), NOW + 599)
    assert gateway.recognise(RequestCookies(jar.header), NOW + 1198)
    assert gateway.recognise(RequestCookies(jar.header), NOW + 1798) is None
    assert sessions(idle_timeout=600).recognise(RequestCookies(jar.header), NOW + 600) is None


async def test_the_idle_cookie_carries_activity_to_another_process():
    """What one process saw keeps the session alive in another, by the idle cookie, also where it was known before."""
    here, there = sessions(idle_timeout=600), sessions(idle_timeout=600)
    jar = await sign_in(here)
    assert there.recognise(RequestCookies(jar.header), NOW)
    touched = here.touch(recognised(here, jar, NOW + 500), NOW + 500)
    assert touched is not None
    stale = list(jar.header)
    jar.take([touched])
    assert there.recognise(RequestCookies(stale), NOW + 700) is None
    assert there.recognise(RequestCookies(jar.header), NOW + 700)
    assert sessions(idle_timeout=600).recognise(RequestCookies(jar.header), NOW + 700)


async def test_without_its_idle_cookie_an_old_session_is_idle():
    """Leaving the idle cookie away does not make a session younger."""
    jar = await sign_in(sessions(idle_timeout=600))
    del jar.cookies[IDLE_COOKIE.name]
    assert sessions(idle_timeout=600).recognise(RequestCookies(jar.header), NOW + 600) is None


async def test_another_sessions_idle_cookie_keeps_nothing_alive():
    """The idle cookie is bound to its session's id."""
    gateway = sessions(idle_timeout=600)
    old = await sign_in(gateway)
    new = await sign_in(gateway, now=NOW + 500)
    old.cookies[IDLE_COOKIE.name] = new.cookies[IDLE_COOKIE.name]
    assert gateway.recognise(RequestCookies(old.header), NOW + 601) is None


async def test_the_idle_cookie_is_renewed_now_and_then():
    """Not on every request: when a tenth of the timeout, or a minute, has passed."""
    gateway = sessions(idle_timeout=3600)
    live = recognised(gateway, await sign_in(gateway))
    assert gateway.touch(live, NOW + 59) is None
    line = gateway.touch(live, NOW + 60)
    assert line is not None
    assert line.startswith(IDLE_COOKIE.name.encode() + b"=")
    assert b"Max-Age=43140;" in line
    assert gateway.touch(live, NOW + 61) is None


async def test_without_an_idle_timeout_there_is_no_idle_cookie():
    """Nothing is written that nothing reads."""
    gateway = sessions()
    jar = await sign_in(gateway)
    assert jar.names == [COOKIE.name]
    assert gateway.touch(recognised(gateway, jar), NOW + 9999) is None


async def test_what_came_in_no_cookie_gets_no_idle_cookie():
    """An identity from a bearer token is no session of a browser."""
    bearer = Live(session(), [], frozenset())
    assert sessions(idle_timeout=600).touch(bearer, NOW + 9999) is None


# --- signing in


async def test_a_session_id_does_not_survive_sign_in():
    """C6, Q5: whatever session the browser brought, signing in makes a new one."""
    gateway = sessions()
    jar = await sign_in(gateway)
    before = recognised(gateway, jar).session
    await sign_in(gateway, jar)
    after = recognised(gateway, jar).session
    assert before.id != after.id
    assert after.version == 1


async def test_signing_in_expires_stale_parts():
    """C7: what the browser had in more parts leaves none behind."""
    gateway = sessions(keep_id_token=True)
    tokens = replace(cognito_tokens(), id_token="*" * 5000)
    jar = Jar().take((await gateway.start(id_claims(), tokens, NOW + 3600, NOW, ())).set_cookies)
    await sign_in(gateway, jar)
    assert jar.names == [COOKIE.name]


async def test_a_sign_in_with_two_subjects_is_refused():
    """C16: ID token and access token must be the same person's."""
    tokens = replace(cognito_tokens(), access_token=jwt(access_claims("mallory")))
    with pytest.raises(BadToken):
        await sessions().start(id_claims(), tokens, NOW + 3600, NOW, ())


async def test_a_session_too_large_for_cookies_is_bad_data():
    """Beyond six parts there is a clear refusal, not a cookie that browsers drop."""
    tokens = replace(cognito_tokens(), id_token="*" * 30_000)
    with pytest.raises(BadData, match=r"^the session is too large for cookies$"):
        await sessions(keep_id_token=True).start(id_claims(), tokens, NOW + 3600, NOW, ())


@pytest.mark.parametrize("exp", [1e300, 2**60, -1, True])
async def test_an_impossible_end_is_bad_data(exp):
    """C18: an access token's end that is no sane time makes no session."""
    with pytest.raises(BadData):
        await sessions().start(id_claims(), cognito_tokens(), exp, NOW, ())


async def test_claims_and_tokens_are_kept_as_the_policy_says():
    """Only what is needed lives in the cookie."""
    gateway = sessions(kept_claims=frozenset({"email"}), keep_access_token=True)
    kept = recognised(gateway, await sign_in(gateway)).session
    assert kept.claims == {"sub": SUB, "email": "ada.lovelace@example.com"}
    assert kept.tokens == replace(cognito_tokens(), id_token=None)
    assert kept.groups == ("admins", "editors")


# --- refreshing


async def test_fifty_requests_make_one_refresh():
    """G2: 50 parallel requests make one call; all get the same new version, and the rotated token is stored once."""
    tokens = FakeTokens(gate=asyncio.Event())
    gateway = sessions(tokens)
    live = recognised(gateway, await sign_in(gateway), DUE)
    waiting = [asyncio.create_task(gateway.refresh(live, DUE)) for _ in range(50)]
    await asyncio.sleep(0)
    assert tokens.gate is not None
    tokens.gate.set()
    made = {id(one) for one in await asyncio.gather(*waiting)}
    assert len(made) == 1
    outcome = waiting[0].result()
    assert isinstance(outcome, Refreshed)
    assert tokens.refreshed == [refresh_token()]
    assert outcome.live.session.version == 2
    assert outcome.live.session.tokens.refresh_token == "refresh-2"
    assert len(outcome.set_cookies) == 1


async def test_a_refreshed_session_is_recognised_everywhere():
    """The new cookie opens here and in another process; nothing of the old is left in the browser."""
    gateway = sessions()
    jar = await sign_in(gateway)
    outcome = await gateway.refresh(recognised(gateway, jar, DUE), DUE)
    assert isinstance(outcome, Refreshed)
    jar.take(outcome.set_cookies)
    assert recognised(gateway, jar, DUE) is outcome.live
    assert recognised(sessions(), jar, DUE).session == outcome.live.session


async def test_the_old_cookie_leads_to_the_newest_version_for_a_minute():
    """A parallel tab, or a browser that never got the answer, is given what the refresh made, without another call."""
    tokens = FakeTokens()
    gateway = sessions(tokens)
    jar = await sign_in(gateway)
    outcome = await gateway.refresh(recognised(gateway, jar, DUE), DUE)
    again = await gateway.refresh(recognised(gateway, jar, DUE + 59), DUE + 59)
    assert again is outcome
    assert len(tokens.refreshed) == 1
    await gateway.refresh(recognised(gateway, jar, DUE + 60), DUE + 60)
    assert len(tokens.refreshed) == 2


async def test_a_refresh_does_not_move_the_end():
    """Q16: refreshed again and again, the session ends when its lifetime is over, and the cookie with it."""
    gateway = sessions(lifetime=10_000)
    jar = await sign_in(gateway)
    for now in (NOW + 3000, NOW + 6000, NOW + 9000):
        outcome = await gateway.refresh(recognised(gateway, jar, now), now)
        assert isinstance(outcome, Refreshed)
        assert f"Max-Age={NOW + 10_000 - now};".encode() in outcome.set_cookies[0]
        jar.take(outcome.set_cookies)
    assert gateway.recognise(RequestCookies(jar.header), NOW + 10_000) is None


async def test_a_refresh_without_an_id_token_keeps_the_claims():
    """RFC 6749 §6: providers may leave it out."""
    gateway = sessions(FakeTokens(with_claims=False))
    live = recognised(gateway, await sign_in(gateway), DUE)
    outcome = await gateway.refresh(live, DUE)
    assert isinstance(outcome, Refreshed)
    assert outcome.live.session.claims == live.session.claims


async def test_a_group_taken_away_is_gone():
    """D16: the groups after a refresh are the provider's."""
    gateway = sessions(FakeTokens(groups=["editors", ""]))
    outcome = await gateway.refresh(recognised(gateway, await sign_in(gateway), DUE), DUE)
    assert isinstance(outcome, Refreshed)
    assert outcome.live.groups == {"editors"}


async def test_parts_that_a_refresh_leaves_over_are_expired():
    """C7: a session that shrinks at a refresh leaves no part beside its one cookie."""
    gateway = sessions(keep_access_token=True)
    tokens = TokenSet(access_token="*" * 5000, refresh_token="r")
    jar = Jar().take((await gateway.start(id_claims(), tokens, NOW + 3600, NOW, ())).set_cookies)
    assert len(jar.names) == 2
    outcome = await gateway.refresh(recognised(gateway, jar, DUE), DUE)
    assert isinstance(outcome, Refreshed)
    assert jar.take(outcome.set_cookies).names == [COOKIE.name]


async def test_an_outage_leaves_the_session_as_it_is():
    """Transient is not fatal: the error is raised, the session stays, the next second tries again, and only then."""
    tokens = FakeTokens(error=ProviderUnavailable("down"))
    gateway = sessions(tokens)
    jar = await sign_in(gateway)
    for _ in range(3):
        with pytest.raises(ProviderUnavailable):
            await gateway.refresh(recognised(gateway, jar, DUE), DUE)
    assert len(tokens.refreshed) == 1
    tokens.error = None
    assert isinstance(await gateway.refresh(recognised(gateway, jar, DUE + 1), DUE + 1), Refreshed)


@pytest.mark.parametrize("error", [ProviderRefused("invalid_client"), ProviderRefused("server_error"), BadToken("sig")])
async def test_the_operators_mistake_signs_nobody_out(error):
    """A wrong client secret, or an answer that does not verify, says nothing about the session: it is an outage."""
    gateway = sessions(FakeTokens(error=error))
    jar = await sign_in(gateway)
    with pytest.raises(ProviderUnavailable):
        await gateway.refresh(recognised(gateway, jar, DUE), DUE)
    assert gateway.recognise(RequestCookies(jar.header), DUE)


async def test_invalid_grant_is_final():
    """The provider will not go on: the session is over, in every tab, and is not asked for again."""
    tokens = FakeTokens(error=ProviderRefused("invalid_grant"))
    gateway = sessions(tokens)
    jar = await sign_in(gateway)
    live = recognised(gateway, jar, DUE)
    assert await gateway.refresh(live, DUE) == Ended()
    assert await gateway.refresh(live, DUE + 5) == Ended()
    assert gateway.recognise(RequestCookies(jar.header), DUE) is None
    assert len(tokens.refreshed) == 1


async def test_a_version_that_another_replica_made_survives_invalid_grant():
    """An old cookie that is refused ends its own version, not the later one that another replica brought in time."""
    here, there = sessions(FakeTokens(error=ProviderRefused("invalid_grant"))), sessions()
    jar = await sign_in(here)
    old = recognised(here, jar, DUE)
    outcome = await there.refresh(recognised(there, jar, DUE), DUE)
    assert isinstance(outcome, Refreshed)
    assert await here.refresh(old, DUE) == Ended()
    assert here.recognise(RequestCookies(jar.header), DUE) is None
    assert here.recognise(RequestCookies(jar.take(outcome.set_cookies).header), DUE)


@pytest.mark.parametrize("tokens", [FakeTokens(sub="mallory"), FakeTokens(access_sub="mallory")])
async def test_somebody_elses_tokens_end_the_session(tokens):
    """C16: a refresh that brings another subject never becomes this session, and the session does not go on."""
    gateway = sessions(tokens)
    jar = await sign_in(gateway)
    assert await gateway.refresh(recognised(gateway, jar, DUE), DUE) == Ended()
    assert gateway.recognise(RequestCookies(jar.header), DUE) is None


async def test_without_a_refresh_token_there_is_no_refresh():
    """Its user signs in again when the access token is over; until then the session stays."""
    gateway = sessions()
    jar = Jar().take((await gateway.start(id_claims(), TokenSet(), NOW + 3600, NOW, ())).set_cookies)
    live = recognised(gateway, jar)
    assert live.session.refresh_at is None
    assert await gateway.refresh(live, DUE) == Ended()
    assert gateway.recognise(RequestCookies(jar.header), DUE)


async def test_a_refresh_keeps_what_the_idle_cookie_tells():
    """A refresh writes no idle cookie, so the old one's time counts on."""
    gateway = sessions(idle_timeout=3600)
    jar = await sign_in(gateway)
    outcome = await gateway.refresh(recognised(gateway, jar, DUE), DUE)
    assert isinstance(outcome, Refreshed)
    assert gateway.touch(outcome.live, DUE) is not None


async def test_closing_waits_for_refreshes_under_way():
    """A provider that has rotated the token already must not have done so in vain."""
    tokens = FakeTokens(gate=asyncio.Event())
    gateway = sessions(tokens)
    jar = await sign_in(gateway)
    live = recognised(gateway, jar, DUE)
    caller = asyncio.create_task(gateway.refresh(live, DUE))
    await asyncio.sleep(0)
    caller.cancel()
    assert tokens.gate is not None
    tokens.gate.set()
    await gateway.close()
    assert isinstance(await gateway.refresh(live, DUE), Refreshed)
    assert len(tokens.refreshed) == 1


# --- ending


async def test_a_session_that_ended_is_gone_although_its_cookie_is_kept():
    """C11: the cookie replayed after sign-out is nobody, and the refresh token is revoked."""
    tokens = FakeTokens()
    gateway = sessions(tokens, idle_timeout=600)
    jar = await sign_in(gateway)
    stolen = list(jar.header)
    live = recognised(gateway, jar)
    jar.take(await gateway.end(RequestCookies(jar.header), NOW))
    assert jar.names == []
    assert gateway.recognise(RequestCookies(stolen), NOW) is None
    assert await gateway.refresh(live, NOW) == Ended()
    assert tokens.revoked == [refresh_token()]


async def test_ending_kills_every_version():
    """C11: cookies of earlier and later versions are nobody, and the newest refresh token is revoked."""
    tokens = FakeTokens()
    gateway = sessions(tokens)
    jar = await sign_in(gateway)
    old = list(jar.header)
    outcome = await gateway.refresh(recognised(gateway, jar, DUE), DUE)
    assert isinstance(outcome, Refreshed)
    jar.take(outcome.set_cookies)
    await gateway.end(RequestCookies(old), DUE)
    assert gateway.recognise(RequestCookies(old), DUE) is None
    assert gateway.recognise(RequestCookies(jar.header), DUE) is None
    assert tokens.revoked == ["refresh-2"]


async def test_a_refresh_under_way_does_not_bring_an_ended_session_back():
    """C11: sign-out while a refresh waits for the provider: no new version, and its fresh token is revoked, too."""
    tokens = FakeTokens(gate=asyncio.Event())
    gateway = sessions(tokens)
    jar = await sign_in(gateway)
    refreshing = asyncio.create_task(gateway.refresh(recognised(gateway, jar, DUE), DUE))
    await asyncio.sleep(0)
    await gateway.end(RequestCookies(jar.header), DUE)
    assert tokens.gate is not None
    tokens.gate.set()
    assert await refreshing == Ended()
    assert tokens.revoked == [refresh_token(), "refresh-2"]


async def test_other_sessions_go_on():
    """Ending one session of a user leaves their others."""
    gateway = sessions()
    one, two = await sign_in(gateway), await sign_in(gateway)
    await gateway.end(RequestCookies(one.header), NOW)
    assert gateway.recognise(RequestCookies(two.header), NOW)


async def test_a_provider_that_hangs_does_not_hold_sign_out(monkeypatch):
    """The session is over whatever the provider does, in bounded time."""
    monkeypatch.setattr(renewal, "REVOKE_SECONDS", 0.01)
    gateway = sessions(FakeTokens(revoke_hangs=True))
    jar = await sign_in(gateway)
    assert await gateway.end(RequestCookies(jar.header), NOW)
    assert gateway.recognise(RequestCookies(jar.header), NOW) is None


async def test_ending_without_a_session_does_nothing():
    """Q8: no cookie, no crash; a cookie that does not open is removed, for its user asked."""
    gateway = sessions()
    assert await gateway.end(RequestCookies([]), NOW) == []
    assert await gateway.end(RequestCookies([b"a=1"]), NOW) == []
    assert len(await gateway.end(RequestCookies([f"{COOKIE.name}=x".encode()]), NOW)) == 1


async def test_ending_without_a_refresh_token_revokes_nothing():
    """There is nothing to revoke."""
    tokens = FakeTokens()
    gateway = sessions(tokens)
    jar = Jar().take((await gateway.start(id_claims(), TokenSet(), NOW + 3600, NOW, ())).set_cookies)
    await gateway.end(RequestCookies(jar.header), NOW)
    assert tokens.revoked == []


async def test_every_cookie_present_is_expired():
    """O14: session, each part, idle cookie: only those present, each with Secure and its Path; foreign ones stay."""
    present = [*(f"{COOKIE.name}{part}" for part in ("", ".1", ".6", ".7")), IDLE_COOKIE.name, "a"]
    lines = sessions().expire(RequestCookies(["; ".join(f"{name}=x" for name in present).encode()]))
    assert [line.partition(b"=")[0].decode() for line in lines] == [
        COOKIE.name,
        f"{COOKIE.name}.1",
        f"{COOKIE.name}.6",
        IDLE_COOKIE.name,
    ]
    assert all(b"Max-Age=0" in line and b"; Secure" in line and b"; Path=/;" in line for line in lines)


async def test_random_jitter_is_the_default():
    """Without a given jitter the system's randomness spreads the refreshes."""
    keys = ring()
    gateway = Sessions(
        store=store(keys),
        tokens=FakeTokens(),
        policy=policy(),
        render=lambda _: [],
        idle_box=keys.box("idle", ISSUER, CLIENT),
    )
    started = await gateway.start(id_claims(), cognito_tokens(), NOW + 3600, NOW, ())
    assert started.session.refresh_at is not None
    assert NOW + 2700 <= started.session.refresh_at <= NOW + 3060

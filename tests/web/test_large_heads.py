"""Cookies of ours beside large heads of an application: servers in front have buffers of 4 KiB."""

import hashlib

import pytest

from tests.support.world import SETTINGS, World

FRONT = {"trusted_proxies": ["192.0.2.7"], "headers": {"authorization": "Bearer ${access_token}"}}
LARGE = [(b"content-security-policy", b"x" * 3400)]


async def refreshed(changes, application_headers):
    """A visitor whose session is due for a refresh, before an application with these header lines."""
    world = World(changes)
    visitor = world.visitor()
    await visitor.sign_in()
    world.app.headers = application_headers
    world.now += 3200
    return world, visitor


def renewed(answer):
    return [line for line in answer.headers.get_list("set-cookie") if line.startswith("__Host-cg_session")]


async def test_a_refreshed_session_comes_with_a_response_that_has_room_for_it(caplog):
    """The page with a large head is served without the cookie, and the next small response brings it; the provider was
    asked once."""
    world, visitor = await refreshed(FRONT, LARGE)

    page = await visitor.navigate("/")
    world.app.headers = []
    image = await visitor.fetch("/logo.png")
    later = await visitor.navigate("/")

    assert page.status_code == image.status_code == later.status_code == 200
    assert renewed(page) == []
    assert len(renewed(image)) == 1
    assert renewed(later) == []
    assert world.provider.refreshed == 1
    assert caplog.records == []


async def test_it_does_not_wait_until_it_is_forgotten(caplog):
    """Half a minute after the refresh it is sent whatever the size, and one warning says where to read on."""
    world, visitor = await refreshed(FRONT, LARGE)
    await visitor.navigate("/")
    world.now += 31

    answer = await visitor.navigate("/")
    again = await visitor.navigate("/")

    assert len(renewed(answer)) == 1
    assert renewed(again) == []
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "docs/operations.md" in caplog.text
    assert world.provider.refreshed == 1


async def test_without_a_server_in_front_it_comes_at_once(caplog):
    """Who is not behind a trusted server gets the cookie with the first response, and the log says that it is large."""
    _, visitor = await refreshed({**FRONT, "trusted_proxies": []}, LARGE)

    answer = await visitor.navigate("/")

    assert len(renewed(answer)) == 1
    assert [record.levelname for record in caplog.records] == ["WARNING"]


async def test_what_cannot_come_again_does_not_wait():
    """The idle cookie is small and goes with the large page; only the refreshed session waits."""
    session = {**SETTINGS["session"], "idle_timeout": "1h"}
    _, visitor = await refreshed({**FRONT, "session": session}, LARGE)

    page = await visitor.navigate("/")

    assert [line.partition("=")[0] for line in page.headers.get_list("set-cookie")] == ["__Host-cg_idle"]


@pytest.mark.parametrize("large", [True, False])
async def test_a_sign_in_with_a_large_session_is_warned_of(caplog, large):
    """The callback's own head counts too: with tokens for the application in the session, the log says once what a
    server in front must let pass."""
    world = World({"headers": {"a": "${access_token}", "b": "${id_token}"}})
    world.provider.claims = (
        {"cognito:groups": [hashlib.sha512(b"%d" % number).hexdigest() for number in range(60)]} if large else {}
    )
    visitor = world.visitor()

    assert (await visitor.sign_in()).status_code == 302

    assert [record.levelname for record in caplog.records] == ["WARNING"] * large

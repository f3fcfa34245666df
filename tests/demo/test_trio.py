"""The demo: ports, data folder, banner; and the three together as a process that a newcomer starts."""

import io
import os
import signal
import socket
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from gateway.app_pool import build_pool
from gateway.demo import data, ports, trio
from gateway.demo.ports import Ports
from gateway.errors import SettingsError
from gateway.pool.mail import Mail

ROOT = Path(__file__).parents[2]
USUAL = Ports(pool=8001, app=8002, gateway=8000)


def test_ports_are_the_usual_ones_or_those_of_the_environment():
    """An empty variable, as make exports it, counts as absent."""
    assert ports.choose({}) == USUAL
    assert ports.choose({"POOL_PORT": "", "GATEWAY_PORT": "9000"}) == Ports(pool=8001, app=8002, gateway=9000)


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        (
            {"POOL_PORT": "x", "APP_PORT": "70000", "GATEWAY_PORT": "0"},
            "\n".join(
                f"{name} must be a port, a number from 1 to 65535" for name in ("POOL_PORT", "APP_PORT", "GATEWAY_PORT")
            ),
        ),
        ({"POOL_PORT": "8000"}, "POOL_PORT, APP_PORT and GATEWAY_PORT must differ"),
    ],
)
def test_bad_ports_are_named_together(environ, message):
    """Every mistake at once."""
    with pytest.raises(SettingsError) as refused:
        ports.choose(environ)
    assert str(refused.value) == message


@contextmanager
def taken(host: str, family: socket.AddressFamily):
    """A port that another program has."""
    with socket.create_server((host, 0), family=family) as listener:
        yield listener.getsockname()[1]


def free() -> int:
    """A port that nobody has."""
    with taken("127.0.0.1", socket.AF_INET) as port:
        return int(port)


@pytest.mark.network
def test_a_port_in_use_gets_a_clear_message():
    """Which one, and what to type instead; all of them at once."""
    with taken("127.0.0.1", socket.AF_INET) as one, taken("127.0.0.1", socket.AF_INET) as two:
        with pytest.raises(SettingsError) as refused:
            ports.check_free(Ports(pool=one, app=free(), gateway=two))
        other = [port + 1000 if port <= 64535 else port - 1000 for port in (one, two)]
        assert str(refused.value) == (
            f"127.0.0.1:{one} is in use by another program; POOL_PORT={other[0]} make demo changes it\n"
            f"127.0.0.1:{two} is in use by another program; GATEWAY_PORT={other[1]} make demo changes it"
        )


@pytest.mark.network
@pytest.mark.skipif(not socket.has_ipv6 or not Path("/proc/net/if_inet6").exists(), reason="no IPv6 on this machine")
def test_a_program_on_the_other_loopback_counts_too():
    """A browser asks ::1 first for `localhost`: what listens there would answer in the demo's place."""
    with taken("::1", socket.AF_INET6) as port, pytest.raises(SettingsError, match=rf"\[::1\]:{port} is in use"):
        ports.check_free(Ports(pool=port, app=free(), gateway=free()))


def test_secrets_are_made_once_and_for_this_folder(tmp_path):
    """C15: no demo has a key that another has; only its owner reads the file."""
    first = data.remember(tmp_path / "a")
    assert data.remember(tmp_path / "a") == first
    assert data.remember(tmp_path / "b") != first
    assert stat.S_IMODE((tmp_path / "a" / data.SECRETS).stat().st_mode) == 0o600
    assert first.cookie not in repr(first)


def test_a_damaged_data_folder_gets_a_sentence(tmp_path):
    """And the way out."""
    (tmp_path / data.SECRETS).write_text("{")
    with pytest.raises(SettingsError) as refused:
        data.remember(tmp_path)
    assert str(refused.value) == f"{tmp_path}/{data.SECRETS}: is damaged; `make demo-reset` starts afresh"
    for content in ("[]", '"a"', '{"cookie":1,"client":2,"pool":3}', '{"cookie":"x","client":"y","pool":"z"}'):
        (tmp_path / data.SECRETS).write_text(content)
        with pytest.raises(SettingsError, match="is damaged"):
            data.remember(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError) as refused:
        data.remember(tmp_path / "file")
    assert str(refused.value) == f"{tmp_path}/file: cannot be used: File exists"


def test_a_database_whose_secrets_are_gone_gets_a_sentence(tmp_path):
    """New secrets would not open its keys."""
    (tmp_path / data.DATABASE).write_text("")
    with pytest.raises(SettingsError, match="is gone, but pool"):
        data.remember(tmp_path)


def test_two_demos_at_once_agree_on_their_secrets(tmp_path):
    """Whoever is first wins: no half-written file is ever seen, none is left over."""
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: data.remember(tmp_path), range(8)))
    assert len(set(made)) == 1
    assert [path.name for path in tmp_path.iterdir()] == [data.SECRETS]


def test_what_cannot_be_forgotten_is_said(tmp_path):
    """A folder in a file's place, for example."""
    (tmp_path / data.SECRETS).mkdir()
    with pytest.raises(SettingsError) as refused:
        data.forget(tmp_path)
    assert str(refused.value) == f"{tmp_path}/{data.SECRETS}: cannot be removed: Is a directory"


def test_forgetting_removes_what_the_demo_wrote_and_nothing_else(tmp_path):
    """Somebody may keep other things there."""
    data.remember(tmp_path)
    (tmp_path / data.DATABASE).write_text("")
    (tmp_path / "mine.txt").write_text("")
    data.forget(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_the_settings_of_the_demo_load(tmp_path):
    """Pool and gateway agree about client, secret, issuer and addresses; both listen on loopback only."""
    secrets = data.remember(tmp_path)
    pool = trio.pool_settings(USUAL, secrets, tmp_path)
    gateway = trio.gateway_settings(USUAL, secrets)
    (client,) = pool.clients
    assert gateway.provider.client_id == client.client_id
    assert gateway.provider.client_secret == client.client_secret
    assert gateway.provider.issuer == f"{pool.base_url}/{pool.pool_id}"
    assert client.callback_urls == (gateway.public_url + gateway.sign_in.callback_path,)
    assert client.logout_urls == (gateway.public_url + gateway.sign_in.signed_out_path,)
    assert (pool.listen.host, gateway.listen.host) == ("127.0.0.1", "127.0.0.1")
    assert [rule.allow for rule in gateway.access] == ["signed-in"]


@pytest.mark.parametrize("name", ["a b", "what?x=y#z", "100%20", "ä"])
async def test_the_data_folder_may_have_any_name(name, tmp_path):
    """The database is inside it, and nowhere else."""
    folder = tmp_path / name
    async with build_pool(trio.pool_settings(USUAL, data.remember(folder), folder)):
        assert {path.name for path in folder.iterdir()} >= {data.DATABASE, data.SECRETS}
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_the_banner_says_what_a_newcomer_needs():
    """Addresses, account, password, mailbox, and how to end it."""
    assert (
        trio.banner(USUAL)
        == """
Ready. Open the first address in a browser:

    http://localhost:8000   the application, behind the gateway
    http://localhost:8001   the user pool
    http://localhost:8002   the application itself, as only the gateway should reach it

Sign in as   ada@example.com
password     Analytical-Engine-1843

Or sign up with any address: the pool's e-mails appear here and at
http://localhost:8001/_dev/mail

Ctrl-C ends everything.
"""
    )


def test_mail_cannot_write_on_the_terminal():
    """R14: an address or a text with escape sequences is shown, not obeyed."""
    note = trio.mail_note(Mail(to="a\x1b[2J@b", subject="Hi\nthere", body="code 123456\n\x1b[31mred", at=0))
    assert note == "E-mail to a\\x1b[2J@b: Hi\\nthere\n    code 123456\n    \\x1b[31mred"


def test_a_taken_port_ends_before_anything_is_written(tmp_path):
    """No half-made data folder, and nothing on the output."""
    out = io.StringIO()
    with taken("127.0.0.1", socket.AF_INET) as port, pytest.raises(SettingsError):
        trio.run({"GATEWAY_PORT": str(port), "POOL_PORT": str(free()), "APP_PORT": str(free())}, tmp_path / "d", out)
    assert not (tmp_path / "d").exists()
    assert out.getvalue() == ""


@contextmanager
def demo(folder: Path):
    """The demo as a process; its three ports, and all that it wrote until it was ready."""
    chosen = Ports(pool=free(), app=free(), gateway=free())
    environ = {
        **os.environ,
        "POOL_PORT": str(chosen.pool),
        "APP_PORT": str(chosen.app),
        "GATEWAY_PORT": str(chosen.gateway),
        "PYTHONUNBUFFERED": "1",
    }
    command = [sys.executable, "-W", "error", "-m", "gateway", "demo", "--data", str(folder)]
    with subprocess.Popen(
        command, cwd=ROOT, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout
        text = ""
        while "Ctrl-C" not in text:
            line = process.stdout.readline()
            assert line, f"the demo ended: {text}"
            text += line
        try:
            yield process, chosen, text
        finally:
            process.kill()


@pytest.mark.network
def test_the_demo_starts_leads_to_the_pool_and_ends_cleanly(tmp_path):
    """All three answer when the banner says so; the application asks for a sign-in; Ctrl-C leaves no traceback."""
    with demo(tmp_path) as (process, chosen, text):
        assert trio.banner(chosen) in text + "\n"
        page = {"sec-fetch-mode": "navigate", "sec-fetch-dest": "document", "accept": "text/html"}
        with httpx.Client(trust_env=False) as http:
            sent_away = http.get(
                f"http://127.0.0.1:{chosen.gateway}/", headers={**page, "host": f"localhost:{chosen.gateway}"}
            )
            assert sent_away.status_code == 302
            assert sent_away.headers["location"].startswith(f"http://localhost:{chosen.pool}/oauth2/authorize?")
            assert (
                http.get(
                    f"http://127.0.0.1:{chosen.pool}/_dev/mail", headers={"host": f"localhost:{chosen.pool}"}
                ).status_code
                == 200
            )
            assert "Welcome, stranger" in http.get(f"http://127.0.0.1:{chosen.app}/").text
        process.send_signal(signal.SIGINT)
        rest = process.communicate(timeout=10)[0]
        assert process.returncode == 0
        assert "Traceback" not in text + rest
        assert rest.endswith("The demo has ended; its users are kept for the next time.\n")

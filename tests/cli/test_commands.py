"""The commands whose output differs from time to time, and the process as a whole."""

import json
import os
import shlex
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from gateway import cli
from gateway.settings.jsonschema import gateway_schema, pool_schema
from gateway.settings.strength import weakness

ROOT = Path(__file__).parents[2]
POOL = """\
pool_id: eu-west-1_AbC123
listen: {{port: {port}}}
database: sqlite+aiosqlite:///{folder}/pool.db
clients: [{{client_id: web}}]
mail: {{kind: folder, folder: {folder}/mail}}
"""


def test_secret_prints_a_strong_secret_each_time(capsys):
    """C15: what it prints passes the check that refuses weak ones, and no two are alike."""
    made = set()
    for _ in range(20):
        assert cli.execute(["secret"]) == 0
        made.add(capsys.readouterr().out)
    assert len(made) == 20
    assert all(weakness(text.removesuffix("\n")) is None and text.endswith("\n") for text in made)


def test_schema_prints_both_schemas(capsys):
    """As they are published in config/."""
    assert cli.execute(["schema"]) == 0
    assert capsys.readouterr().out == gateway_schema()
    assert cli.execute(["schema", "--pool"]) == 0
    assert capsys.readouterr().out == pool_schema()


def test_main_leaves_the_process_with_the_code(capsys):
    """The entry point and `python -m gateway` agree."""
    with pytest.raises(SystemExit) as left:
        cli.main(["check", "-c", "/absent.yaml"])
    assert left.value.code == 1
    assert capsys.readouterr().err == "/absent.yaml: cannot be read: No such file or directory\n"


def test_an_interrupt_is_no_error(monkeypatch):
    """Ctrl-C before anything has started ends with the shell's code for it, without a traceback."""

    def interrupted(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "secret", interrupted)
    assert cli.execute(["secret"]) == 130


def process(*arguments: str, shell: str = "", **environ: str) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own, with its output redirected as a shell would."""
    line = f"{shlex.join([sys.executable, '-m', 'gateway', *arguments])} {shell}"
    return subprocess.run(
        line,
        shell=True,
        cwd=ROOT,
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


@pytest.mark.parametrize("buffered", ["", "1"])
def test_a_full_disk_is_said_in_a_sentence(buffered):
    """Whether Python notices at once or when it leaves."""
    left = process("schema", shell="> /dev/full", PYTHONUNBUFFERED=buffered)
    assert (left.returncode, left.stderr) == (2, "the output cannot be written: No space left on device\n")


def test_a_reader_that_has_enough_is_no_error():
    """`| head` closes the pipe."""
    left = process("schema", shell="| head -n 1")
    assert (left.returncode, left.stdout, left.stderr) == (0, "{\n", "")


def test_a_terminal_of_ascii_is_no_error(tmp_path):
    """A file name that it cannot show is escaped."""
    file = tmp_path / "caf\u00e9.yaml"
    file.write_text(POOL.format(port=1, folder=tmp_path))
    left = process("pool", "check", "-c", str(file), PYTHONIOENCODING="ascii")
    assert (left.returncode, left.stdout) == (0, f"{tmp_path}/caf\\xe9.yaml: no mistakes\n")


def test_closed_streams_are_no_error(tmp_path):
    """`>&- 2>&-`: what nobody wants to read is not written, and mistakes still have their code."""
    assert process("secret", shell=">&- 2>&-").returncode == 0
    (tmp_path / "pool.yaml").write_text(POOL.format(port=1, folder="/proc/nothing"))
    assert process("pool", "serve", "-c", str(tmp_path / "pool.yaml"), shell=">&- 2>&-").returncode == 2


def test_a_missing_extra_is_said_in_a_sentence(tmp_path):
    """The pool's libraries are an extra; whoever has not installed it is told its name."""
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['sqlalchemy'] = None\n")
    (tmp_path / "pool.yaml").write_text(POOL.format(port=1, folder=tmp_path))
    left = process("pool", "serve", "-c", str(tmp_path / "pool.yaml"), PYTHONPATH=str(tmp_path))
    assert left.returncode == 2
    assert left.stderr == ("sqlalchemy is not installed: the user pool needs the extra pool, cognito-gateway[pool]\n")


@pytest.mark.network
@pytest.mark.parametrize(
    ("host", "said"),
    [
        ("192.0.2.1", "192.0.2.1:0 is not an address of this machine; listen.host changes it"),
        (
            "nobody.invalid",
            "nobody.invalid:0 cannot be listened on (Name or service not known); listen.host changes it",
        ),
        ("2001:db8::1", "[2001:db8::1]:0 "),
    ],
)
def test_an_address_that_is_not_ours(host, said, tmp_path, capsys):
    """The setting that is named is the one to change."""
    text = POOL.format(port=0, folder=tmp_path).replace("port: 0", f"port: 0, host: '{host}'")
    (tmp_path / "pool.yaml").write_text(text)
    assert cli.execute(["pool", "serve", "-c", str(tmp_path / "pool.yaml")]) == 2
    assert capsys.readouterr().err.startswith(said)


@pytest.mark.network
def test_a_port_in_use_is_said_in_a_sentence(tmp_path, capsys):
    """No traceback for what another program does."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        (tmp_path / "pool.yaml").write_text(POOL.format(port=port, folder=tmp_path))
        assert cli.execute(["pool", "serve", "-c", str(tmp_path / "pool.yaml")]) == 2
    assert capsys.readouterr().err == f"127.0.0.1:{port} is in use by another program; listen.port changes it\n"


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@pytest.mark.network
def test_a_second_interrupt_waits_for_nobody(tmp_path):
    """A request that does not end holds the first Ctrl-C up, not the second one; nobody sees a traceback."""
    port = _free_port()
    (tmp_path / "pool.yaml").write_text(POOL.format(port=port, folder=tmp_path))
    command = [sys.executable, "-m", "gateway", "pool", "serve", "-c", str(tmp_path / "pool.yaml")]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as pool:
        assert pool.stderr
        assert pool.stdout
        assert any("listens on" in line for line in pool.stdout)
        with socket.create_connection(("127.0.0.1", port)) as slow:
            form = b"content-type: application/x-www-form-urlencoded"
            slow.sendall(b"POST /oauth2/token HTTP/1.1\r\nhost: a\r\n%b\r\ncontent-length: 9\r\n\r\nabc" % form)
            assert httpx.get(f"http://127.0.0.1:{port}/error", trust_env=False).status_code == 400
            pool.send_signal(signal.SIGINT)
            while _accepts(port):
                pass
            assert pool.poll() is None, "the request has its time"
            pool.send_signal(signal.SIGINT)
            assert pool.wait(timeout=5) == 130
        assert "Traceback" not in pool.stderr.read() + pool.stdout.read()


def _accepts(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port)):
            return True
    except OSError:
        return False


@pytest.mark.network
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_gateway_runs_until_a_signal(number, tmp_path):
    """As a process: it starts with its provider down, warns, answers, shows metrics apart (H5), and ends at once."""
    port, metrics = _free_port(), _free_port()
    (tmp_path / "gateway.yaml").write_text(
        f"""\
provider:
  preset: oidc
  issuer: http://localhost:1/nobody
  client_id: web
public_url: http://localhost:{port}
session: {{secrets: ["${{COOKIE_SECRET}}"]}}
upstreams: [{{url: "http://127.0.0.1:1"}}]
access: [{{path: /**, allow: signed-in}}, {{path: /admin, groups: [admins]}}]
listen: {{port: {port}, metrics: "127.0.0.1:{metrics}"}}
"""
    )
    environ = {**os.environ, "COOKIE_SECRET": "vQ3xN8kLr2mT5wYb7cJd9fHg1pSa4uZe"}
    command = [sys.executable, "-W", "error", "-m", "gateway", "run", "-c", str(tmp_path / "gateway.yaml")]
    with subprocess.Popen(
        command, cwd=ROOT, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as gateway:
        assert gateway.stderr
        assert gateway.stdout
        lines: list[str] = []
        while "listens on" not in "".join(lines[-1:]):
            lines.append(gateway.stdout.readline() or pytest.fail("it ended"))
        assert httpx.get(f"http://127.0.0.1:{port}/livez", trust_env=False).status_code == 200
        shown = httpx.get(f"http://127.0.0.1:{metrics}/metrics", trust_env=False).text
        assert "gateway_requests_total" in shown
        assert httpx.get(f"http://127.0.0.1:{port}/metrics", trust_env=False).status_code == 401
        gateway.send_signal(number)
        assert gateway.wait(timeout=5) == 0
        assert gateway.stderr.read() == ""
        lines += gateway.stdout.read().splitlines()
    events = [json.loads(line) for line in lines]
    (start,) = [event for event in events if "listens on" in event.get("message", "")]
    assert start["message"].endswith(f"listens on http://127.0.0.1:{port} for http://localhost:{port}")
    assert events[-1]["message"] == "cognito-gateway has stopped"
    (cause,) = {event["message"] for event in events if "cannot be fetched" in event.get("message", "")}
    assert "fetched: ConnectError (" in cause
    assert cause.endswith(" at http://localhost:1/nobody/.well-known/openid-configuration")
    assert sum('"event":"request"' in line for line in lines) == 2
    (warned,) = [line for line in lines if "can never match" in line]
    assert f"{tmp_path}/gateway.yaml:8: warning: access[1]: can never match" in warned, "X1: what check warns of"

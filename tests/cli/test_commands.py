"""The commands whose output differs from time to time, and the process as a whole."""

import os
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
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_gateway_runs_until_a_signal(number, tmp_path):
    """As a process: it starts with its provider down, answers, shows metrics apart (H5), and ends at once."""
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
        listening = gateway.stderr.readline()
        assert listening == f"The gateway listens on http://127.0.0.1:{port} for http://localhost:{port}\n"
        assert httpx.get(f"http://127.0.0.1:{port}/livez", trust_env=False).status_code == 200
        shown = httpx.get(f"http://127.0.0.1:{metrics}/metrics", trust_env=False).text
        assert "gateway_requests_total" in shown
        assert httpx.get(f"http://127.0.0.1:{port}/metrics", trust_env=False).status_code == 401
        gateway.send_signal(number)
        assert gateway.wait(timeout=5) == 0
        assert "Traceback" not in gateway.stderr.read()
        lines = gateway.stdout.read().splitlines()
    assert all(line.startswith("{") and line.endswith("}") for line in lines)
    assert sum('"event":"request"' in line for line in lines) == 2

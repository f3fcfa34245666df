"""The files and programs of a run: upstream, user pool, gateway and those it is compared with."""

import contextlib
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from bench.processes import LOAD_CORE, PROXY_CORE, Program, free_port, running

POOL_ID = "eu-west-1_BenchPool"
CLIENT_ID = "4bench56789abcdefghijklmnop"
CLIENT_SECRET = "c2VjcmV0IG9mIHRoZSBiZW5jaG1hcms"
ADA, PASSWORD = "ada@example.com", "Analytical-Engine-1843"
SECRET = "the-benchmark-seals-with-kJ8x2qV0mZ5tR7yB"
KIB, MIB = 1024, 1024 * 1024

NGINX = """
worker_processes 1; daemon off; pid {folder}/{name}.pid; error_log {folder}/{name}.err;
events {{ worker_connections 16384; }}
http {{
  access_log off; keepalive_requests 1000000000; keepalive_timeout 600s; client_max_body_size 0; sendfile on;
  client_body_temp_path {folder}/{name}-1; proxy_temp_path {folder}/{name}-2; fastcgi_temp_path {folder}/{name}-3;
  uwsgi_temp_path {folder}/{name}-4; scgi_temp_path {folder}/{name}-5;
  {body}
}}
"""
UPSTREAM = """
  server {{ listen 127.0.0.1:{port} backlog=4096; root {folder}/www;
    location /up {{ client_body_buffer_size 2m; proxy_pass http://127.0.0.1:{port}/swallowed; }}
    location /swallowed {{ return 200 "ok"; }} }}
"""
PROXY_PASS = """
  upstream up {{ server 127.0.0.1:{upstream}; keepalive 128; keepalive_requests 1000000000; }}
  server {{ listen 127.0.0.1:{port} backlog=4096;
    location / {{ proxy_pass http://up; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_set_header Host $http_host; proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto $scheme; }} }}
"""


@dataclass
class World:
    """Where everything is. `folder` holds configurations and logs, and goes away with the run."""

    folder: Path
    upstream: Program
    pool: Program
    gateway_port: int

    @contextlib.contextmanager
    def nginx(self) -> Iterator[Program]:
        """nginx as a reverse proxy with upstream keep-alive, one worker, no authentication: the limit."""
        port = free_port()
        body = PROXY_PASS.format(upstream=self.upstream.port, port=port)
        with nginx(self.folder, "nginx", body, port, PROXY_CORE) as program:
            yield program

    @contextlib.contextmanager
    def gateway(self) -> Iterator[Program]:
        """The whole gateway, as an operator starts it."""
        command = [sys.executable, "-m", "gateway", "run", "-c", str(self.folder / "gateway.yaml")]
        log = self.folder / "gateway.log"
        with running("gateway", command, self.gateway_port, core=PROXY_CORE, log=log) as program:
            yield program

    @contextlib.contextmanager
    def workers(self, count: int) -> Iterator[Program]:
        """So many processes of the gateway, on both cores."""
        settings = str(self.folder / "gateway.yaml")
        command = [sys.executable, "-m", "bench.serve", "gateway", str(self.gateway_port), settings, "", str(count)]
        log = self.folder / "workers.log"
        with running("gateway", command, self.gateway_port, core=None, log=log) as program:
            yield program

    @contextlib.contextmanager
    def served(self, kind: str, *, port: int | None = None) -> Iterator[Program]:
        """One of `bench.serve`: bare, gate, proxy."""
        port = port or free_port()
        command = [sys.executable, "-m", "bench.serve", kind, str(port), str(self.folder / "gateway.yaml")]
        with running(kind, [*command, self.upstream.url], port, core=PROXY_CORE, log=self.folder / f"{kind}.log") as it:
            yield it


@contextlib.contextmanager
def nginx(folder: Path, name: str, body: str, port: int, core: int) -> Iterator[Program]:
    """nginx with one worker."""
    file = folder / f"{name}.conf"
    file.write_text(NGINX.format(folder=folder, name=name, body=body))
    command = ["nginx", "-p", str(folder), "-c", str(file)]
    with running(name, command, port, core=core, log=folder / f"{name}.log") as program:
        yield program


@contextlib.contextmanager
def world(folder: Path) -> Iterator[World]:
    """Upstream and pool running, the gateway configured."""
    folder.chmod(0o755)  # nginx started by root drops its rights
    (folder / "www/assets").mkdir(parents=True)
    (folder / "www/assets/index-DfK3.js").write_bytes(b"x" * KIB)  # a name with capitals: a path that rules fold
    (folder / "www/1k").write_bytes(b"x" * KIB)
    (folder / "www/1m").write_bytes(b"x" * MIB)
    with (folder / "www/1g").open("wb") as file:
        file.truncate(1024 * MIB)
    ports = {name: free_port() for name in ("upstream", "pool", "gateway")}
    (folder / "pool.yaml").write_text(yaml.safe_dump(pool_settings(folder, ports)))
    (folder / "gateway.yaml").write_text(yaml.safe_dump(gateway_settings(ports)))
    upstream = UPSTREAM.format(folder=folder, port=ports["upstream"])
    pool = [sys.executable, "-m", "gateway", "pool", "serve", "-c", str(folder / "pool.yaml")]
    with (
        nginx(folder, "upstream", upstream, ports["upstream"], LOAD_CORE) as up,
        running("pool", pool, ports["pool"], core=LOAD_CORE, log=folder / "pool.log") as its_pool,
    ):
        yield World(folder, up, its_pool, ports["gateway"])


def pool_settings(folder: Path, ports: dict[str, int]) -> dict[str, object]:
    """One client for all who sign in here, one user with a name and groups of usual length."""
    callback = f"http://127.0.0.1:{ports['gateway']}/oauth2/callback"
    peers = [f"http://127.0.0.1:{port}/oauth2/callback" for port in PEER_PORTS]
    return {
        "pool_id": POOL_ID,
        "base_url": f"http://localhost:{ports['pool']}",
        "development": True,
        "listen": {"host": "127.0.0.1", "port": ports["pool"]},
        "database": f"sqlite+aiosqlite:///{folder / 'pool.sqlite'}",
        "secret": SECRET,
        "required_attributes": ["email", "name"],
        "mail": {"kind": "mailbox"},
        "clients": [{"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "callback_urls": [callback, *peers]}],
        "groups": [{"name": name} for name in ("engineers", "admins", "on-call-rotation-europe")],
        "users": [
            {
                "username": ADA,
                "password": PASSWORD,
                "attributes": {"email": ADA, "name": "Ada Lovelace"},
                "groups": ["engineers", "admins", "on-call-rotation-europe"],
            }
        ],
    }


PEER_PORTS = (43_181, 43_182)
"""Apache and oauth2-proxy: fixed, since the pool must know their callbacks before they start."""


def gateway_settings(ports: dict[str, int]) -> dict[str, object]:
    """Everything needs a sign-in, identity headers are injected, no log line a request (nor at the peers)."""
    pool = f"http://localhost:{ports['pool']}"
    return {
        "provider": {
            "preset": "cognito",
            "user_pool_id": POOL_ID,
            "domain": pool,
            "issuer": f"{pool}/{POOL_ID}",
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
            "scopes": ["openid", "email", "profile"],
        },
        "public_url": f"http://127.0.0.1:{ports['gateway']}",
        "session": {"secrets": [SECRET]},
        "upstreams": [{"url": f"http://127.0.0.1:{ports['upstream']}"}],
        "headers": {
            "x-forwarded-user": "${sub}",
            "x-forwarded-email": "${email}",
            "x-forwarded-name": "${name}",
            "x-forwarded-groups": "${groups}",
        },
        "listen": {"host": "127.0.0.1", "port": ports["gateway"]},
        "logging": {"requests": False},
    }


def described(folder: Path) -> str:
    """The gateway's settings, for the report."""
    return json.dumps(yaml.safe_load((folder / "gateway.yaml").read_text()), indent=2)

"""Run the pool, the sample application and the gateway together, on loopback, in one process: the demo.

The gateway reaches the pool by OpenID Connect over HTTP, exactly as it would reach Amazon's.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, TextIO

import httpx

from gateway.app import build
from gateway.app_pool import build_pool
from gateway.demo import data, ports
from gateway.demo.data import DemoSecrets
from gateway.demo.ports import Ports
from gateway.demo.sample import sample_app
from gateway.pool.mail import Mail
from gateway.server import Running
from gateway.serving import POOL_LIMITS, Listener, run_loop, serve_until_signal
from gateway.settings.pool import PoolSettings
from gateway.settings.report import printable
from gateway.settings.schema import GatewaySettings

POOL_ID: Final = "eu-west-1_LocalDemo"
CLIENT_ID: Final = "3n4b5urk1ft4fl3mg5e62d9ado"
ADA: Final = "ada@example.com"
ADA_PASSWORD: Final = "Analytical-Engine-1843"  # noqa: S105 - printed for whoever runs the demo, on loopback
MAILBOX: Final = "/_dev/mail"


def pool_settings(chosen: Ports, secrets: DemoSecrets, folder: Path) -> PoolSettings:
    """A pool with one client, one group and one user."""
    gateway = f"http://localhost:{chosen.gateway}"
    return PoolSettings.model_validate(
        {
            "pool_id": POOL_ID,
            "name": "Demo",
            "development": True,
            "listen": {"host": ports.HOST, "port": chosen.pool},
            "base_url": f"http://localhost:{chosen.pool}",
            "database": f"sqlite+aiosqlite:///{_in_url(folder / data.DATABASE)}",
            "secret": secrets.pool,
            "required_attributes": ["email", "name"],
            "mail": {"kind": "mailbox"},
            "clients": [
                {
                    "client_id": CLIENT_ID,
                    "client_name": "Sample application",
                    "client_secret": secrets.client,
                    "callback_urls": [f"{gateway}/oauth2/callback"],
                    "logout_urls": [f"{gateway}/"],
                    "allowed_scopes": ["openid", "email", "profile"],
                }
            ],
            "groups": [{"name": "engineers", "precedence": 1}],
            "users": [
                {
                    "username": ADA,
                    "password": ADA_PASSWORD,
                    "attributes": {"email": ADA, "name": "Ada Lovelace"},
                    "groups": ["engineers"],
                }
            ],
        }
    )


def _in_url(file: Path) -> str:
    """The path as SQLAlchemy reads it: it takes what follows a question mark for options."""
    return str(file.absolute()).replace("%", "%25").replace("?", "%3F")


def gateway_settings(chosen: Ports, secrets: DemoSecrets) -> GatewaySettings:
    """A gateway in front of the sample application; everything needs a sign-in."""
    pool = f"http://localhost:{chosen.pool}"
    return GatewaySettings.model_validate(
        {
            "provider": {
                "preset": "cognito",
                "user_pool_id": POOL_ID,
                "domain": pool,
                "issuer": f"{pool}/{POOL_ID}",
                "client_id": CLIENT_ID,
                "client_secret": secrets.client,
                "scopes": ["openid", "email", "profile"],
            },
            "public_url": f"http://localhost:{chosen.gateway}",
            "session": {"secrets": [secrets.cookie]},
            "upstreams": [{"url": f"http://{ports.HOST}:{chosen.app}"}],
            "headers": {
                "x-forwarded-user": "${sub}",
                "x-forwarded-email": "${email}",
                "x-forwarded-name": "${name}",
                "x-forwarded-groups": "${groups}",
            },
            "listen": {"host": ports.HOST, "port": chosen.gateway},
            "logging": {"requests": False},
        }
    )


def listeners(chosen: Ports, folder: Path, show: Callable[[Mail], None], log: TextIO) -> list[Listener]:
    """Pool, sample application and gateway, in the order in which they start. Raises SettingsError."""
    secrets = data.remember(folder)
    pool = build_pool(pool_settings(chosen, secrets, folder), show=show)
    gateway = build(gateway_settings(chosen, secrets), log=log)
    return [
        Listener(pool, ports.HOST, chosen.pool, "POOL_PORT", POOL_LIMITS),
        Listener(sample_app, ports.HOST, chosen.app, "APP_PORT"),
        Listener(gateway, ports.HOST, chosen.gateway, "GATEWAY_PORT"),
    ]


def run(environ: Mapping[str, str], folder: Path, out: TextIO) -> None:
    """Run the demo until Ctrl-C. Raises SettingsError and CannotListen with messages for people."""
    chosen = ports.choose(environ)
    ports.check_free(chosen)

    def show(mail: Mail) -> None:
        print(mail_note(mail), file=out, flush=True)

    parts = listeners(chosen, folder, show, out)
    run_loop(_serve(parts, chosen, out))
    print("\nThe demo has ended; its users are kept for the next time.", file=out, flush=True)


async def _serve(parts: Sequence[Listener], chosen: Ports, out: TextIO) -> None:
    tasks = set()

    def ready(_: Sequence[Running]) -> None:
        tasks.add(asyncio.ensure_future(_announce(chosen, out)))

    await serve_until_signal(parts, ready, grace=2)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _announce(chosen: Ports, out: TextIO) -> None:
    """Print the banner once each of the three has answered."""
    addresses = (
        f"http://{ports.HOST}:{chosen.pool}/{POOL_ID}/.well-known/jwks.json",
        f"http://{ports.HOST}:{chosen.app}/",
        f"http://{ports.HOST}:{chosen.gateway}/livez",
    )
    async with httpx.AsyncClient(trust_env=False, timeout=10) as http:
        answers = await asyncio.gather(*(http.get(address) for address in addresses), return_exceptions=True)
    for address, answer in zip(addresses, answers, strict=True):
        if isinstance(answer, BaseException) or answer.status_code != 200:
            print(f"{address} does not answer as it should.", file=out, flush=True)
    print(banner(chosen), file=out, flush=True)


def banner(chosen: Ports) -> str:
    """What somebody needs to know who has just started the demo."""
    return f"""
Ready. Open the first address in a browser:

    http://localhost:{chosen.gateway}   the application, behind the gateway
    http://localhost:{chosen.pool}   the user pool
    http://localhost:{chosen.app}   the application itself, as only the gateway should reach it

Sign in as   {ADA}
password     {ADA_PASSWORD}

Or sign up with any address: the pool's e-mails appear here and at
http://localhost:{chosen.pool}{MAILBOX}

Ctrl-C ends everything.
"""


def mail_note(mail: Mail) -> str:
    """An e-mail for the terminal; nothing in it can move the cursor."""
    body = "\n".join(f"    {printable(line)}" for line in mail.body.splitlines())
    return f"E-mail to {printable(mail.to)}: {printable(mail.subject)}\n{body}"

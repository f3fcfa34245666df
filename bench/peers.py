"""Other authenticating proxies, signed in at the same pool: Apache with mod_auth_openidc, oauth2-proxy."""

import contextlib
import shutil
from collections.abc import Iterator

from bench.processes import PROXY_CORE, Program, running
from bench.signin import sign_in
from bench.world import CLIENT_ID, CLIENT_SECRET, PEER_PORTS, POOL_ID, SECRET, World

APACHE_PORT, OAUTH2_PROXY_PORT = PEER_PORTS
_MODULES = "/usr/lib/apache2/modules"
_OAUTH2_PROXY = "github.com/oauth2-proxy/oauth2-proxy/v7@latest"

_APACHE = """
ServerName 127.0.0.1
Listen 127.0.0.1:{port}
PidFile {folder}/apache.pid
ErrorLog {folder}/apache.err
LoadModule mpm_event_module {modules}/mod_mpm_event.so
LoadModule authn_core_module {modules}/mod_authn_core.so
LoadModule authz_core_module {modules}/mod_authz_core.so
LoadModule authz_user_module {modules}/mod_authz_user.so
LoadModule proxy_module {modules}/mod_proxy.so
LoadModule proxy_http_module {modules}/mod_proxy_http.so
LoadModule auth_openidc_module {modules}/mod_auth_openidc.so
StartServers 1
ServerLimit 1
ThreadsPerChild 64
MaxRequestWorkers 64
KeepAlive On
MaxKeepAliveRequests 0
KeepAliveTimeout 600
LimitRequestFieldSize 32768
OIDCProviderMetadataURL {issuer}/.well-known/openid-configuration
OIDCClientID {client}
OIDCClientSecret {client_secret}
OIDCRedirectURI http://127.0.0.1:{port}/oauth2/callback
OIDCCryptoPassphrase {secret}
OIDCScope "openid email profile"
OIDCSessionType client-cookie:persistent
OIDCSSLValidateServer Off
<Location />
  AuthType openid-connect
  Require valid-user
  ProxyPass {upstream}/ keepalive=On
</Location>
"""


@contextlib.contextmanager
def apache(world: World) -> Iterator[tuple[Program, str]]:
    """Apache with mod_auth_openidc, one process, and the cookie of a signed-in browser."""
    file = world.folder / "apache.conf"
    file.write_text(
        _APACHE.format(
            port=APACHE_PORT,
            folder=world.folder,
            modules=_MODULES,
            issuer=_issuer(world),
            client=CLIENT_ID,
            client_secret=CLIENT_SECRET,
            secret=SECRET,
            upstream=world.upstream.url,
        )
    )
    command = ["apache2", "-f", str(file), "-D", "FOREGROUND"]
    log = world.folder / "apache.log"
    with running("mod_auth_openidc", command, APACHE_PORT, core=PROXY_CORE, log=log) as program:
        yield program, sign_in(program.url + "/1k")


@contextlib.contextmanager
def oauth2_proxy(world: World, upstream: str = "") -> Iterator[tuple[Program, str]]:
    """oauth2-proxy with one processor and no request log. Raises RuntimeError when it cannot be had."""
    command = [
        _installed(),
        f"--http-address=127.0.0.1:{OAUTH2_PROXY_PORT}",
        "--provider=oidc",
        f"--oidc-issuer-url={_issuer(world)}",
        f"--client-id={CLIENT_ID}",
        f"--client-secret={CLIENT_SECRET}",
        f"--redirect-url=http://127.0.0.1:{OAUTH2_PROXY_PORT}/oauth2/callback",
        f"--cookie-secret={SECRET[:32]}",
        "--cookie-secure=false",
        "--email-domain=*",
        "--scope=openid email profile",
        "--skip-provider-button",
        "--pass-user-headers",
        "--code-challenge-method=S256",
        "--insecure-oidc-allow-unverified-email",
        "--request-logging=false",
        "--auth-logging=false",
        f"--upstream={upstream or world.upstream.url}/",
    ]
    log = world.folder / "oauth2-proxy.log"
    env = {"GOMAXPROCS": "1"}
    with running("oauth2-proxy", command, OAUTH2_PROXY_PORT, core=PROXY_CORE, env=env, log=log) as program:
        yield program, sign_in(program.url + "/1k")


def _issuer(world: World) -> str:
    return f"http://localhost:{world.pool.port}/{POOL_ID}"


def _installed() -> str:
    """From the path alone: what is measured was put there by somebody who chose its version."""
    found = shutil.which("oauth2-proxy")
    if not found:
        raise RuntimeError(f"oauth2-proxy is not on the PATH; `go install {_OAUTH2_PROXY}` puts it into ~/go/bin")
    return found

"""Loading: one report with every mistake, with file, line, key path and nearest key; secrets in none of it."""

# ruff: noqa: E501, ISC004 - the reports are whole, a message a line

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from gateway.core.secret import Secret
from gateway.errors import SettingsError
from gateway.settings.load import load, load_pool, loads, loads_pool
from gateway.settings.pool import PoolSettings
from gateway.settings.report import SECRET_KEYS
from gateway.settings.schema import GatewaySettings
from gateway.settings.suggest import _models, sections

GOOD_SECRET = "vQ3xN8kLr2mT5wYb7cJd9fHg1pSa4uZe"
ENVIRON = {"COOKIE_SECRET": GOOD_SECRET, "CLIENT_SECRET": "k2j4h5g6f7d8s9a0"}
SMALLEST = b"""\
provider:
  preset: cognito
  user_pool_id: eu-west-1_AbC123
  domain: my-app.auth.eu-west-1.amazoncognito.com
  client_id: 1example23456789
public_url: https://app.example.com
session:
  secrets: ["${COOKIE_SECRET}"]
"""


def report(content: bytes | str, environ: dict[str, str] = ENVIRON) -> list[str]:
    """The lines of the report, without the file's name."""
    content = content.encode() if isinstance(content, str) else content
    with pytest.raises(SettingsError) as refused:
        loads(content, "g.yaml", environ, Path("/nonexistent"))
    lines = str(refused.value).splitlines()
    assert all(line.startswith("g.yaml:") for line in lines[:-1])
    return [line.removeprefix("g.yaml:") for line in lines]


def test_the_settings_of_the_architecture_load():
    """The example that operators see first gives exactly these values."""
    settings = loads(
        SMALLEST
        + b"""\
  lifetime: 12h
  idle_timeout: 1h
upstreams:
  - path: /
    url: http://127.0.0.1:3000
access:
  - path: /healthz
    allow: anyone
  - path: /admin/**
    groups: [admins]
  - path: /**
    allow: signed-in
headers:
  x-forwarded-user: ${sub}
  X-Forwarded-Email: ${email}
listen: {port: "${PORT:-9000}"}
""",
        "g.yaml",
        ENVIRON,
        Path(),
    )
    assert settings.session.secrets == (Secret(GOOD_SECRET),)
    assert (settings.session.lifetime, settings.session.idle_timeout) == (43200, 3600)
    assert [(rule.path, rule.allow, rule.groups) for rule in settings.access] == [
        ("/healthz", "anyone", frozenset()),
        ("/admin/**", "signed-in", frozenset({"admins"})),
        ("/**", "signed-in", frozenset()),
    ]
    assert settings.headers == {"x-forwarded-user": "${sub}", "x-forwarded-email": "${email}"}
    assert settings.listen.port == 9000


def test_defaults_are_safe():
    """A12, A16, O11: nobody is trusted, everything needs a sign-in, and only this machine is listened on."""
    settings = loads(SMALLEST, "g.yaml", ENVIRON, Path())
    assert settings.trusted_proxies == ()
    assert [(rule.path, rule.allow) for rule in settings.access] == [("/**", "signed-in")]
    assert (settings.listen.host, settings.listen.metrics) == ("127.0.0.1", None)
    assert settings.bearer.clients == frozenset()  # our own client alone
    assert settings.session.outage_grace == 0


def test_every_mistake_is_in_one_report():
    """File, line, key path, message and nearest key, in the order of the file; values as written, never as filled in."""
    assert report("""\
provider:
  preset: cognito
  region: eu-west-1
  user_pool_id: eu-west-2_AbC123
  domian: my-app.auth.eu-west-1.amazoncognito.com
  client_id: 1example
  client_secret: ${NO_SUCH_VARIABLE}
public_url: http://app.example.com
session:
  secrets: ["changeme"]
  lifetime: 12 parsecs
  idle_timout: 1h
upstream:
  - path: /
access:
  - path: admin
    allow: everyone
    lifetime: 3
  - path: /x
  - path: /y
    allow: anyone
    groups: [a]
headers:
  host: ${sub}
trusted_proxies: [0.0.0.0/0, 10.0.0.5/8]
listen: {port: 99999}
listen: {port: 3}
""") == [
        "4: provider.user_pool_id: names another region than region does (found: eu-west-2_AbC123)",
        "5: provider.domian: unknown key; did you mean domain?",
        "7: provider.client_secret: environment variable NO_SUCH_VARIABLE is not set",
        "8: public_url: must begin with https:// (plain http is for localhost only) (found: http://app.example.com)",
        "10: session.secrets[0]: is shorter than 32 characters; make a new one with `cognito-gateway secret`",
        "11: session.lifetime: is not a duration; write a number and its unit, for example 30s, 15m, 12h or 7d"
        " (found: 12 parsecs)",
        "12: session.idle_timout: unknown key; did you mean idle_timeout?",
        "13: upstream: unknown key; did you mean upstreams?",
        "16: access[0].path: is not a path for a rule: a path pattern starts with a slash (found: admin)",
        "17: access[0].allow: must be anyone, signed-in or nobody (found: everyone)",
        "18: access[0].lifetime: unknown key here; it belongs in session",
        "19: access[1]: must say who: allow (anyone, signed-in, nobody) or groups",
        "22: access[2].groups: contradicts allow: anyone",
        "24: headers.host: belongs to the message itself and cannot carry a claim (found: ${sub})",
        "25: trusted_proxies[0]: trusts every address there is; list the networks of your own proxies (found: 0.0.0.0/0)",
        "25: trusted_proxies[1]: is not a network; write for example 10.0.0.0/8, 192.0.2.7 or fd00::/8"
        " (found: 10.0.0.5/8)",
        "26: listen.port: must be at most 65535 (found: 99999)",
        "27: listen: is given twice; the first is on line 26",
        "18 mistakes",
    ]


@pytest.mark.parametrize(
    ("more", "line"),
    [
        ("  cookie_domain: evil.com", "9: session.cookie_domain: must be the host of public_url or a parent of it"),
        ("  cookie_domain: le.com", "9: session.cookie_domain: must be the host of public_url or a parent of it"),
        ("  cookie_domain: com", "9: session.cookie_domain: is a top-level domain: browsers refuse cookies for it"),
        ("sign_in: {callback_path: /}", "9: sign_in.callback_path: would take the front page of your service; leave it out, or choose"
         " a longer path (found: /)"),
        ("sign_in: {callback_path: /oauth2/login}", "9: sign_in.callback_path: is another address of the gateway itself (found:"
         " /oauth2/login)"),
        ("sign_in: {callback_path: /livez}", "9: sign_in.callback_path: is another address of the gateway itself (found: /livez)"),
        ("sign_in: {callback_path: /in, signed_out_path: /in}", "9: sign_in.signed_out_path: is callback_path: a sign-out would end in"
         " a failed sign-in (found: /in)"),
        ("sign_in: {signed_out_path: /oauth2/callback}", "9: sign_in.signed_out_path: is callback_path: a sign-out would end in a"
         " failed sign-in (found: /oauth2/callback)"),
        ("sign_in: {signed_out_path: /oauth2/logout}", "9: sign_in.signed_out_path: is an address of the gateway itself, not a page to"
         " land on (found: /oauth2/logout)"),
        ("access: [{path: /, methods: [HEAD], allow: anyone}]", "9: access[0].methods: HEAD is judged as GET: write GET"),
        ("headers: {x-a: plain}", "9: headers.x-a: it names no claim, as ${sub} does"),
        ("headers: {x-a: '${sub', x-b: '${sub} '}", "9: headers.x-a: is not a header template; write claims as ${email}, and no other $ or"
         " control character (found: ${sub)"),
        ("  idle_timeout: 24h", "9: session.idle_timeout: must be at least 1m and not longer than lifetime (found: 24h)"),
        ("  lifetime: 1s", "9: session.lifetime: must be at least 1m (found: 1s)"),
        ("upstreams: [{path: /}]", "9: upstreams[0]: needs either url or servers"),
        ("upstreams:\n- url: http://a\n- url: http://b", "9: upstreams: has two entries for the same path and host"),
        ("upstreams: 5", "9: upstreams: must be a list: [a, b], or one entry per line, each after a dash (found: 5)"),
        ("limits:", "9: limits: must be a block of keys (it is empty)"),
        ("limits: {header_count: many}", "9: limits.header_count: must be a whole number (found: many)"),
        ("bearer: {enabled: perhaps}", "9: bearer.enabled: must be true or false (found: perhaps)"),
        ("access: []", "9: access: must not be empty"),
        ("access: [{path: /, groups: ['']}]", "9: access[0].groups[0]: must not be empty or contain control characters (it is empty)"),
        ("access: [{path: /, groups: []}]", "9: access[0].groups: is empty: nobody could ever match"),
        ("access: [{path: '/a?b', allow: anyone}]", "9: access[0].path: is not a path for a rule: a path pattern has no query, fragment,"
         " backslash, empty or dot segment (found: /a?b)"),
        ("headers: {x-a: '${sub}', x_a: '${email}'}", "9: headers: has two names that differ only in case or punctuation: applications cannot"
         " tell them apart"),
        ("headers: {x-a: 'a$b'}", "9: headers.x-a: is not a header template; write claims as ${email}, and no other $ or control"
         " character (found: a$b)"),
        ("headers: {'x a': a}", "9: headers.x a: is not a header name (found: a)"),
        ("listen: {port: 80, metrics: '127.0.0.1:80'}", "9: listen.metrics: must not share the gateway's port (found: 127.0.0.1:80)"),
        ("  same_site: lax", "9: session.same_site: must be Lax or Strict (found: lax)"),
    ],
)  # fmt: skip
def test_single_mistakes(more, line):
    """Each message, whole. Q13 and #3365 are among them: a foreign cookie domain, an empty group."""
    assert report(SMALLEST.decode() + more + "\n") == [line, "1 mistake"]


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("preset: cognito", "preset: cognit", "2: provider.preset: must be one of cognito, oidc (found: cognit)"),
        ("preset: cognito", "region: eu-west-1", "1: provider.preset: needs its preset"),
        ("eu-west-1_AbC123", "AbC123", "3: provider.user_pool_id: is not a pool id; write for example eu-west-1_AbC123xyz"
         " (found: AbC123)"),
        ("my-app.auth.eu-west-1.amazoncognito.com", "my-app", "4: provider.domain: must be the whole host, for example"
         " my-app.auth.eu-west-1.amazoncognito.com (found: my-app)"),
        ("my-app.auth.eu-west-1.amazoncognito.com", "http://login.example.com", "4: provider.domain: must begin with https://"
         " (plain http is for localhost only) (found: http://login.example.com)"),
        ("my-app.auth.eu-west-1.amazoncognito.com", "cognito-idp.eu-west-1.amazonaws.com", "4: provider.domain: is where the pool's"
         " keys are; write for example my-app.auth.eu-west-1.amazoncognito.com (found: cognito-idp.eu-west-1.amazonaws.com)"),
        ("client_id: 1example23456789", "client_id: a\n  issuer: https://a/x/.well-known/openid-configuration", "6: provider.issuer: must"
         " end before /.well-known/: the issuer is the address that stands in front of it (found:"
         " https://a/x/.well-known/openid-configuration)"),
        ("client_id: 1example23456789", "client_id: a\n  issuer: https://a/x?b=c", "6: provider.issuer: must not contain a query (?)"
         " (found: https://a/x?b=c)"),
        ("client_id: 1example23456789", "client_id: a\n  discovery_url: https://a/x", "6: provider.discovery_url: must end with"
         " /.well-known/openid-configuration (found: https://a/x)"),
        ("client_id: 1example23456789", "client_id: a\n  client_secret: '...'", "6: provider.client_secret: is the placeholder of an"
         " example, not a secret"),
        ("client_id: 1example23456789", "client_id: a\n  client_secret: <your client secret>", "6: provider.client_secret: is the"
         " placeholder of an example, not a secret"),
        ("client_id: 1example23456789", "client_id: a\n  scopes: [email]", "6: provider.scopes: must contain openid: without it"
         " there is no ID token"),
        ("client_id: 1example23456789", "client_id: a\n  authorize_params: {state: x}", "6: provider.authorize_params: must not"
         " set state: the gateway sets it itself"),
        ("client_id: 1example23456789", "client_id: a\n  client_secret: ''", "6: provider.client_secret: is empty"),
    ],
)  # fmt: skip
def test_mistakes_about_the_provider(old, new, line):
    """Each message, whole. D10: extra authorize parameters cannot replace ours."""
    assert report(SMALLEST.decode().replace(old, new)) == [line, "1 mistake"]


def test_each_header_has_its_own_mistake():
    """What only the templates themselves refuse is in the same report, for every header, as the file spells it."""
    more = "headers:\n  X-A: '${sub} '\n  x-b: 'é${sub}'\n  x-c: c\nlisten: {port: x}\n"
    assert report(SMALLEST.decode() + more) == [
        "10: headers.X-A: its text must be printable ASCII",
        "11: headers.x-b: its text must be printable ASCII",
        "12: headers.x-c: it names no claim, as ${sub} does",
        "13: listen.port: must be a whole number (found: x)",
        "4 mistakes",
    ]


@pytest.mark.parametrize("public", ["https://app.example.com", "http://localhost:9000"])
@pytest.mark.parametrize(
    ("listen", "url"),
    [
        ("{}", "http://127.0.0.1:8000"),
        ("{}", "http://localhost:8000"),
        ("{}", "http://me.localhost:8000"),
        ("{}", "http://0.0.0.0:8000"),
        ("{}", "http://[::ffff:127.0.0.1]:8000"),
        ("{host: localhost}", "http://[::1]:8000"),
        ("{host: '::1'}", "http://[::]:8000"),
        ("{host: '::'}", "http://127.0.0.1:8000"),
        ("{host: 0.0.0.0, port: 80}", "http://127.9.9.9"),
        ("{host: 10.0.0.5, port: 443}", "https://10.0.0.5"),
        ("{host: gateway.internal}", "http://gateway.internal:8000"),
    ],
)
def test_an_upstream_that_is_where_the_gateway_listens(public, listen, url):
    """X2: one request would become thousands; the address is refused in every spelling that can be seen."""
    text = SMALLEST.decode().replace("https://app.example.com", public)
    assert report(f"{text}listen: {listen}\nupstreams: [{{url: '{url}'}}]\n") == [
        "10: upstreams[0].url: is the gateway's own address (listen): each request would come back to it without end",
        "1 mistake",
    ]


@pytest.mark.parametrize(
    ("public", "url"),
    [
        ("https://app.example.com", "https://app.example.com"),
        ("https://app.example.com", "https://APP.example.com:443"),
        ("http://localhost:9000", "http://127.0.0.1:9000"),
        ("http://localhost:9000", "http://[::1]:9000"),
        ("http://127.0.0.1:9000", "http://0.0.0.0:9000"),
        ("http://app.localhost:9000", "http://localhost:9000"),
    ],
)
def test_an_upstream_that_is_what_browsers_see(public, url):
    """X2: by way of the server in front, too, and in a list of several."""
    text = SMALLEST.decode().replace("https://app.example.com", public)
    other = f"{url.partition(':')[0]}://10.0.0.9"
    assert report(f"{text}upstreams:\n- servers:\n  - {other}\n  - '{url}'\n") == [
        "12: upstreams[0].servers[1]: is the gateway's own address (public_url): each request would come back to it without"
        " end",
        "1 mistake",
    ]


@pytest.mark.parametrize(
    ("listen", "url"),
    [
        ("{}", "http://127.0.0.1:3000"),
        ("{}", "http://127.0.0.2:8000"),
        ("{}", "http://[::1]:8000"),
        ("{}", "http://app.internal:8000"),
        ("{}", "http://app.example.com"),
        ("{}", "unix:/run/app.sock"),
        ("{port: 0}", "http://127.0.0.1:8000"),
        ("{host: 10.0.0.5}", "http://127.0.0.1:8000"),
        ("{host: 0.0.0.0}", "http://10.0.0.9:8000"),
    ],
)
def test_an_upstream_beside_the_gateway(listen, url):
    """Another port, address or socket is another service."""
    text = f"{SMALLEST.decode()}listen: {listen}\nupstreams: [{{url: '{url}'}}]\n"
    assert loads(text.encode(), "g", ENVIRON, Path()).upstreams[0].url == url.lower()


def test_a_file_that_is_not_there(tmp_path):
    """A clear sentence."""
    with pytest.raises(SettingsError) as refused:
        load(tmp_path / "absent.yaml", {})
    assert str(refused.value) == f"{tmp_path}/absent.yaml: cannot be read: No such file or directory"
    with pytest.raises(SettingsError):
        load_pool(tmp_path, {})


def test_a_file_that_is_no_block_of_keys():
    """A list or a word is not a settings file."""
    assert report("- a\n") == ["1: must be a block of keys", "1 mistake"]
    assert report("hello\n") == ["1: must be a block of keys", "1 mistake"]


def test_keys_and_values_cannot_move_the_cursor():
    """H4: what is printed of the file shows control characters and does not obey them."""
    assert report(SMALLEST + b'"\\e[2Jx\\nfake: line": 1\nlisten: {port: "\\e[1m"}\n') == [
        "9: \\x1b[2Jx\\nfake: line: unknown key",
        "10: listen.port: must be a whole number (found: \\x1b[1m)",
        "2 mistakes",
    ]


def test_secrets_do_not_print():
    """H4: neither the settings' repr nor their JSON form shows a secret."""
    settings = loads(
        SMALLEST.replace(b"client_id: 1", b"client_secret: ${CLIENT_SECRET}\n  client_id: 1"), "g", ENVIRON, Path()
    )
    for shown in (repr(settings), str(settings), settings.model_dump_json(), f"{settings.provider.client_secret}"):
        assert GOOD_SECRET not in shown
        assert ENVIRON["CLIENT_SECRET"] not in shown


def _secret_fields(model: type[BaseModel]) -> set[str]:
    """Names of fields whose type holds a Secret, in a model and all models below."""
    return {
        name
        for _, names in sections(model)
        for name in names
        for each in _models_with(model, name)
        if "Secret" in str(each)
    }


def _models_with(model: type[BaseModel], name: str) -> list[Any]:
    found: list[Any] = []

    def walk(current: type[BaseModel]) -> None:
        for key, info in current.model_fields.items():
            if key == name:
                found.append(info.annotation)
            for inner in _inner(info.annotation):
                walk(inner)

    walk(model)
    return [annotation for annotation in found if not _inner(annotation)]


def _inner(annotation: Any) -> list[type[BaseModel]]:
    return _models(annotation)


def test_every_secret_key_is_known_to_the_report():
    """H4: a field of type Secret that the report did not know would have its value shown beside a mistake."""
    assert _secret_fields(GatewaySettings) | _secret_fields(PoolSettings) == SECRET_KEYS


@pytest.mark.parametrize("key", ["client_secret", "client_secrt", "session_secret"])
def test_a_secret_in_the_file_is_not_in_the_report(key):
    """H4: written in the file itself, badly formed, or under a misspelt key, it does not reach the terminal."""
    lines = report(SMALLEST.decode().replace("client_id:", f'{key}: "Sup3rGeheim\\n"\n  client_id:'))
    assert lines
    assert "Geheim" not in "\n".join(lines)


@pytest.mark.parametrize("where", ["secrets: [{}]", "secrets: {}", "secrets: [[{}]]", "secrets: {{a: {}}}"])
def test_a_badly_placed_secret_is_not_in_the_report(where):
    """H4: a secret instead of a list, or in one too many."""
    lines = report(SMALLEST.decode().replace('secrets: ["${COOKIE_SECRET}"]', where.format("Sup3rGeheim")))
    assert "Geheim" not in "\n".join(lines)


@pytest.mark.property
@given(st.text([chr(code) for code in range(0x21, 0x7F)], min_size=8, max_size=60))
def test_no_value_of_a_variable_reaches_the_report(value):
    """H4: whatever a variable holds, and wherever it is put, the report shows the reference and not the value."""
    value = f"q7Z{value}"
    keys = ("public_url: ${V}", "listen: {port: '${V}'}", "limits: {header_bytes: '${V}'}", "access: [{path: '${V}'}]",
            "trusted_proxies: ['${V}']", "sign_in: {callback_path: '${V}'}", "bearer: {enabled: '${V}'}")  # fmt: skip
    for key in keys:
        lines = report(
            SMALLEST.decode().replace("public_url: https://app.example.com\n", "") + key + "\n", {**ENVIRON, "V": value}
        )
        assert value not in "\n".join(lines)


@pytest.mark.property
@given(st.binary(max_size=400))
def test_any_bytes_load_or_give_a_report(content):
    """Whatever the file holds, the outcome is settings or SettingsError with text that can be printed."""
    _load_or_report(content)


_YAML = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.text(max_size=20),
        st.sampled_from(["12h", "${COOKIE_SECRET}", "${", "/x/**"]),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=12), inner, max_size=4)),
    max_leaves=20,
)
_KEYS = sorted({key for _, keys in [*sections(GatewaySettings), *sections(PoolSettings)] for key in keys})


@pytest.mark.property
@given(st.recursive(_YAML, lambda inner: st.dictionaries(st.sampled_from(_KEYS), inner, max_size=6), max_leaves=30))
def test_any_structure_loads_or_gives_a_report(value):
    """The same for well-formed YAML that uses the real keys with values of every type."""
    _load_or_report(yaml.safe_dump(value, allow_unicode=True).encode("utf-8", "surrogatepass"))


@pytest.mark.property
@given(st.lists(st.tuples(st.integers(0, len(SMALLEST)), st.integers(0, 255)), max_size=6))
def test_any_damaged_file_loads_or_gives_a_report(changes):
    """The same for a good file with some of its bytes changed."""
    content = bytearray(SMALLEST)
    for place, byte in changes:
        content[place : place + 1] = bytes([byte])
    _load_or_report(bytes(content))


def _load_or_report(content: bytes) -> None:
    for loader in (loads, loads_pool):
        try:
            loader(content, "g.yaml", ENVIRON, Path("/nonexistent"))
        except SettingsError as refused:
            text = str(refused)
            assert text.encode()
            assert all(line.isprintable() for line in text.splitlines())

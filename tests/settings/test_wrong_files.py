"""Fifty ways to get the file wrong, as new users do: each is one sentence with the line, the key and what to do."""

# ruff: noqa: E501, ISC004 - the reports are whole, a message a line

from pathlib import Path

import pytest

from gateway.errors import SettingsError
from gateway.settings.load import loads, loads_pool, reads

ENVIRON = {"COOKIE_SECRET": "vQ3xN8kLr2mT5wYb7cJd9fHg1pSa4uZe"}
GOOD = """\
provider:
  preset: cognito
  user_pool_id: eu-west-1_AbC123
  domain: my-app.auth.eu-west-1.amazoncognito.com
  client_id: 1example23456789
public_url: https://app.example.com
session:
  secrets: ["${COOKIE_SECRET}"]
upstreams: [{url: "http://127.0.0.1:3000"}]
access:
  - path: /**
    allow: signed-in
"""
POOL = "pool_id: eu-west-1_AbC123\nclients: [{client_id: web}]\nmail: {kind: folder, folder: m}\n"
STAR = "is not YAML: a value that begins with * must be in quotes; a rule's path begins with /, as in /**"
QUOTE_IT = "is not YAML: a value that begins with this character must be in quotes"
QUOTE_REFERENCE = 'is not YAML: ${...} inside [ ] or { } must be in quotes, for example ["${NAME}"]'
LIST = "must be a list: [a, b], or one entry per line, each after a dash"
UNCLOSED = "is not YAML: a [ or { that is not closed, or a comma that is missing"
UNIT = "is not a duration; write a number and its unit, for example 30s, 15m, 12h or 7d"


def report(content: str | bytes) -> list[str]:
    """The lines of the report without the file's name and the count."""
    content = content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass")
    with pytest.raises(SettingsError) as refused:
        loads(content, "g.yaml", ENVIRON, Path("/nonexistent"))
    *lines, _ = str(refused.value).splitlines()
    return [line.removeprefix("g.yaml:") for line in lines]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        # Quotes and references
        ('["${COOKIE_SECRET}"]', "[${COOKIE_SECRET}]", f"8: {QUOTE_REFERENCE}"),
        ('["${COOKIE_SECRET}"]', "{a: ${COOKIE_SECRET}}", f"8: {QUOTE_REFERENCE}"),
        ('"${COOKIE_SECRET}"', '"${COOKIE_SECRET}', f"8: {UNCLOSED}"),
        ('"]', '"', f"8: {UNCLOSED}"),
        ('"${COOKIE_SECRET}"', "\u201c${COOKIE_SECRET}\u201d", "8: is not YAML: has typographic quotes; write plain ones: \" or '"),
        ("${COOKIE_SECRET}", "${COOKIE_SECRET", "8: session.secrets[0]: has ${ without its }; write $${ for a literal ${"),
        ("${COOKIE_SECRET}", "${file:nope}", "8: session.secrets[0]: file nope cannot be read: No such file or directory"),
        ("https://app.example.com", "${PUBLIC_URL}", "6: public_url: environment variable PUBLIC_URL is not set"),
        ("https://app.example.com", "$PUBLIC_URL", "6: public_url: must begin with http:// or https://; a variable is written ${NAME}, with braces"),
        (
            '"${COOKIE_SECRET}"',
            "$COOKIE_SECRET",
            "8: session.secrets[0]: is shorter than 32 characters; make a new one with `cognito-gateway secret`; a variable is written ${NAME}, with braces",
        ),
        ("https://app.example.com", "%PUBLIC%", f"6: {QUOTE_IT}"),
        ("https://app.example.com", "`https://a`", f"6: {QUOTE_IT}"),
        ("https://app.example.com", "@app", f"6: {QUOTE_IT}"),
        (
            '"http://127.0.0.1:3000"',
            '"C:\\path"',
            "9: is not YAML: a backslash in double quotes must be doubled; in single quotes it stands for itself",
        ),
        ("path: /**", "path: **", f"11: {STAR}"),
        ("path: /**", "path: *", f"11: {STAR}"),
        ("path: /**", "path: **/admin", f"11: {STAR}"),
        ("  - path: /**\n    allow: signed-in", "  - {path: **, allow: anyone}", f"11: {STAR}"),
        ("cognito\n", "!ENV cognito\n", "2: provider.preset: YAML tags (!...) are not used here; quote a value that begins with !"),
        # Spaces, tabs, dashes, colons
        ("  preset", "\tpreset", "2: is not YAML: use spaces: YAML does not allow tabs here"),
        ("preset: cognito", "preset:\tcognito", "2: is not YAML: use spaces: YAML does not allow tabs here"),
        ("public_url: https", "public_url:https", "6: is not YAML: needs a space after the colon: key: value"),
        ("  preset: cognito", "  preset:cognito", "2: is not YAML: needs a space after the colon: key: value"),
        ("  - path", "  -path", "11: is not YAML: needs a space after the dash: - value"),
        ("public_url: ", "public_url = ", "6: is not YAML: write key: value, not key = value"),
        ("  preset", "\u00a0\u00a0preset", "2: is not YAML: has a space or colon that is not the plain one of the keyboard"),
        ("public_url:", "public_url\uff1a", "6: is not YAML: has a space or colon that is not the plain one of the keyboard"),
        ("  domain", "    domain", "4: is not YAML: a colon where none can be: check the indentation, or quote the value"),
        ("  domain", " domain", "4: is not YAML: the indentation does not fit the lines above"),
        ("provider:\n  preset", "provider:\n  - preset", "3: is not YAML: the indentation does not fit the lines above"),
        # Lists, blocks and words in each other's place
        ("  - path: /**\n    allow", "  path: /**\n  allow", f"10: access: {LIST}"),
        ("  - path: /**\n    allow: signed-in", "  /**: signed-in", f"10: access: {LIST}"),
        ('[{url: "http://127.0.0.1:3000"}]', '{url: "http://127.0.0.1:3000"}', f"9: upstreams: {LIST}"),
        ('[{url: "http://127.0.0.1:3000"}]', "http://127.0.0.1:3000", f"9: upstreams: {LIST} (found: http://127.0.0.1:3000)"),
        ('{url: "http://127.0.0.1:3000"}', '"http://a"', "9: upstreams[0]: must be a block of keys (found: http://a)"),
        ('["${COOKIE_SECRET}"]', "${COOKIE_SECRET}", f"8: session.secrets: {LIST}"),
        ("signed-in", "signed-in\n    methods: GET", f"13: access[0].methods: {LIST} (found: GET)"),
        ("signed-in", "signed-in\n    methods: [get]", "13: access[0].methods[0]: must be in capitals, for example GET (found: get)"),
        ("allow: signed-in", "groups: admins", f"12: access[0].groups: {LIST} (found: admins)"),
        ("allow: signed-in", "allow: true", "12: access[0].allow: must be anyone, signed-in or nobody (found: true)"),
        ("client_id: 1", "scopes: openid email\n  client_id: 1", f"5: provider.scopes: {LIST} (found: openid email)"),
        ("client_id: 1", "scopes: [openid email]\n  client_id: 1", "5: provider.scopes[0]: must be one scope, without spaces or quotes (found: openid email)"),
        ("access:", "listen: 0.0.0.0:8000\naccess:", "10: listen: must be a block of keys (found: 0.0.0.0:8000)"),
        ("access:", "listen: {port: eighty}\naccess:", "10: listen.port: must be a whole number (found: eighty)"),
        ("access:", "headers: {x-a: }\naccess:", "10: headers.x-a: must be a string (it is empty)"),
        ("session:\n", "session:\n  lifetime: 3600\n", f"8: session.lifetime: {UNIT} (found: 3600)"),
        # Addresses
        ("http://127.0.0.1:3000", "127.0.0.1:3000", "9: upstreams[0].url: must begin with http:// or https:// (found: 127.0.0.1:3000)"),
        ("https://app.example.com", "app.example.com", "6: public_url: must begin with http:// or https:// (found: app.example.com)"),
        (
            "https://app.example.com",
            "https://app.example.com/app",
            "6: public_url: must be an address without a path, for example https://app.example.com (found: https://app.example.com/app)",
        ),
        # Keys
        ("public_url", "public-url", "6: public-url: unknown key; did you mean public_url?"),
        ("public_url", "PUBLIC_URL", "6: PUBLIC_URL: unknown key; did you mean public_url?"),
        ("user_pool_id", "userPoolId", "3: provider.userPoolId: unknown key; did you mean user_pool_id?"),
        ("session:\n", "session:\n  <<: {lifetime: 1h}\n", "8: session.<<: YAML's merge key (<<) is not used here; write the keys out"),
        (
            "access:\n",
            "? [a, b]\n: c\naccess:\n",
            "10: has a list or block where a key should be; put text that begins with { or [ in quotes",
        ),
    ],
)  # fmt: skip
def test_a_slip_in_a_good_file(old, new, said):
    """One slip, one line: never thirty that follow from it, and never only `is not YAML`."""
    assert GOOD.count(old)
    assert report(GOOD.replace(old, new)) == [said]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "1: is empty: there is no setting in it"),
        ("# hello\n", "1: is empty: there is no setting in it"),
        ("null\n", "1: must be a block of keys"),
        ("hello\n", "1: must be a block of keys"),
        ("- a\n", "1: must be a block of keys"),
        (GOOD.encode("utf-16"), "1: is not UTF-8 text: save it as UTF-8"),
        (f"{GOOD}# caf\u00e9\n".encode("latin-1"), "13: is not UTF-8 text: save it as UTF-8"),
        (f"{GOOD}\0", "13: contains a control character"),
        (f"{GOOD}---\n{GOOD}", "13: is not YAML: holds more than one document (---)"),
        ("a: &x [*x]\n", "1: holds too many values, or one inside itself (&anchors and *aliases?)"),
        (f"a: [{'1,' * 20_001}]", "1: holds too many values, or one inside itself (&anchors and *aliases?)"),
        (f"a: {'[' * 700}", "1: is nested too deeply"),
        (f"a: {'x' * 2**20}", "1: is larger than 1 MiB: not a settings file"),
        ("services: {gateway: {image: x}}\n", "1: is a Compose file; the settings are a file of their own"),
        ("apiVersion: v1\nkind: ConfigMap\n", "1: is a Kubernetes manifest; the settings are a file of their own"),
        (
            "gateway:\n" + "".join(f"  {line}\n" for line in GOOD.splitlines()),
            "1: has its settings one level too deep: they belong at the top, not below gateway",
        ),
        (POOL, "1: is the file of a user pool: `cognito-gateway pool check` and `pool serve` read it"),
    ],
)  # fmt: skip
def test_a_file_that_is_something_else(content, said):
    """Recognised as what it is, in one line."""
    assert report(content) == [said]


def test_a_gateways_file_for_the_pool():
    """The other way round, too."""
    with pytest.raises(SettingsError) as refused:
        loads_pool(GOOD.encode(), "p.yaml", ENVIRON, Path())
    said = "p.yaml:1: is the file of a gateway: `cognito-gateway check` and `run` read it\n1 mistake"
    assert str(refused.value) == said


@pytest.mark.parametrize(
    "content",
    [
        "\ufeff" + GOOD,
        GOOD.replace("\n", "\r\n"),
        GOOD.replace("\n", "\r"),
        GOOD.replace("https://app.example.com", "https://app.example.com/"),
        GOOD + "listen: {port: '8001'}\nbearer: {enabled: yes}\n",
        '{"provider": {"preset": "oidc", "issuer": "https://a.example", "client_id": "b"}, "public_url": "https://c.example",'
        ' "session": {"secrets": ["${COOKIE_SECRET}"]}, "upstreams": [{"url": "http://d.example"}]}',
    ],
    ids=[
        "a mark at the start",
        "lines of Windows",
        "lines of an old Mac",
        "a slash at the end",
        "quoted numbers",
        "JSON",
    ],
)
def test_what_only_looks_odd_is_taken(content):
    """Byte order marks, foreign line ends and JSON are nobody's mistake, and nothing is warned of."""
    assert reads(content.encode(), "g.yaml", ENVIRON, Path("/nonexistent")).notes() == []

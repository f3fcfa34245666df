"""Warnings: what loads and can hardly be meant, each with file, line and key."""

# ruff: noqa: E501, ISC004 - the reports are whole, a message a line

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.globs import compile_glob
from gateway.settings.claims import likely_claim
from gateway.settings.load import reads, reads_pool
from gateway.settings.rule_order import covers

ENVIRON = {"COOKIE_SECRET": "vQ3xN8kLr2mT5wYb7cJd9fHg1pSa4uZe"}
HEAD = """\
provider:
  preset: cognito
  user_pool_id: eu-west-1_AbC123
  domain: my-app.auth.eu-west-1.amazoncognito.com
  client_id: 1example23456789
public_url: https://app.example.com
session: {secrets: ["${COOKIE_SECRET}"]}
"""
UPSTREAM = 'upstreams: [{url: "http://127.0.0.1:3000"}]\n'


def warnings(text: str) -> list[str]:
    """The lines of the report, without the file's name and the count."""
    loaded = reads(text.encode(), "g.yaml", ENVIRON, Path("/nonexistent"))
    found = loaded.warnings()
    *lines, count = loaded.report(found).split("\n")
    assert count == ("1 warning" if len(found) == 1 else f"{len(found)} warnings" if found else "")
    return [line.removeprefix("g.yaml:") for line in lines]


def test_case_is_no_warning_where_it_is_exact():
    """U4: somebody who says that services tell cases apart may have rules that differ only in case."""
    rules = "access: [{path: /Ab, allow: anyone}, {path: /ab, groups: [x]}, {path: /**, allow: signed-in}]\n"
    assert len(warnings(HEAD + UPSTREAM + rules)) == 1
    assert warnings(HEAD + UPSTREAM + rules + "paths: {case: exact}\n") == []


def test_a_good_file_has_none():
    """The shortest whole file is not doubted."""
    assert warnings(HEAD + UPSTREAM) == []


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        (
            ["{path: /**, allow: signed-in}", "{path: /admin/**, groups: [admins]}"],
            "11: warning: access[1]: can never match: access[0] (/**) comes first and covers /admin/**; put the narrower"
            " rule first",
        ),
        (
            ["{path: /app/**, allow: anyone}", "{path: /app/admin, groups: [admins]}", "{path: /**}"],
            "11: warning: access[1]: can never match: access[0] (/app/**) comes first and covers /app/admin, and lets"
            " anyone in; put the narrower rule first",
        ),
        (
            ["{path: /**, methods: [GET], allow: anyone}", "{path: /a, methods: [GET], groups: [x]}", "{path: /**}"],
            "11: warning: access[1]: can never match: access[0] (/**) comes first and covers /a, and lets anyone in; put"
            " the narrower rule first",
        ),
        (
            [
                "{path: /x/*, methods: [GET]}",
                "{path: /x/**, methods: [POST]}",
                "{path: /x/y, methods: [GET, POST], groups: [x]}",
                "{path: /**}",
            ],
            "12: warning: access[2]: can never match: access[0] (/x/*) comes first and covers /x/y; put the narrower rule"
            " first",
        ),
        (
            ["{path: /**, methods: [GET, POST], allow: anyone}", "{path: /admin/**, groups: [admins]}", "{path: /**}"],
            "11: warning: access[1]: does not protect GET, POST: access[0] (/**) comes first and lets anyone in",
        ),
        (
            ["{path: /Admin/**, groups: [a]}", "{path: /admin/**, groups: [b]}", "{path: /**}"],
            "11: warning: access[1].path: differs from access[0] (/Admin/**) only in letter case; many applications"
            " ignore it",
        ),
        (
            ["{path: /livez, allow: nobody}", "{path: /**}"],
            "10: warning: access[0].path: has no effect: the gateway answers this address itself",
        ),
        (
            ["{path: /oauth2/callback, allow: anyone}", "{path: /**}"],
            "10: warning: access[0].path: has no effect: the gateway answers this address itself",
        ),
        (
            ["{path: /app/**}"],
            "9: warning: access: has no rule for /**, so every other path is refused, even to signed-in users; end the"
            " list with a rule for /** (allow: signed-in or nobody)",
        ),
    ],
)
def test_rules_that_do_not_do_what_they_seem_to(rules, said):
    """X1: rules that never match, rules that do not protect, rules beside the point: one line each."""
    rules = [rule if "allow" in rule or "groups" in rule else f"{rule[:-1]}, allow: signed-in}}" for rule in rules]
    assert warnings(HEAD + UPSTREAM + "access:\n" + "".join(f"  - {rule}\n" for rule in rules)) == [said]


@pytest.mark.parametrize(
    "rules",
    [
        [
            "{path: /**, methods: [OPTIONS], allow: anyone}",
            "{path: /api/**, groups: [a]}",
            "{path: /**, allow: nobody}",
        ],
        ["{path: /**, methods: [GET], allow: anyone}", "{path: /**, allow: signed-in}"],
        ["{path: /admin, groups: [a]}", "{path: /admin/**, groups: [b]}", "{path: /**, allow: signed-in}"],
        ["{path: /*, allow: anyone}", "{path: /a/b, allow: signed-in}", "{path: /**, allow: signed-in}"],
    ],
)
def test_rules_in_a_sensible_order_are_not_doubted(rules):
    """CORS preflights, public reading, narrow before wide."""
    assert warnings(HEAD + UPSTREAM + "access:\n" + "".join(f"  - {rule}\n" for rule in rules)) == []


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("", "1: warning: upstreams: is empty: `run` has nothing to forward to (right for the middleware only)"),
        (
            UPSTREAM + "headers: {X-Email: '${emial}'}",
            "9: warning: headers.X-Email: names the claim emial, which is not known; did you mean email?",
        ),
        (
            UPSTREAM + "headers:\n  x-name: ${name}",
            "10: warning: headers.x-name: is never sent: the claim name needs profile in provider.scopes",
        ),
        (UPSTREAM + "headers: {x-team: '${custom:team}', x-user: '${cognito:username}'}", None),
        (
            "upstreams:\n- url: https://a.internal\n  tls: {verify: false}",
            "10: warning: upstreams[0].tls.verify: accepts any certificate; name the authority in ca_file instead",
        ),
    ],
)
def test_what_else_can_hardly_be_meant(more, said):
    """Each whole, at its line."""
    assert warnings(HEAD + more + "\n") == ([said] if said else [])


@pytest.mark.parametrize(
    "written", ["$CLIENT_SECRET", "$(CLIENT_SECRET)", "'%CLIENT_SECRET%'", "'{{ client_secret }}'"]
)
def test_a_variable_without_its_braces(written):
    """X3: the text itself would be the client secret; it is not shown."""
    text = HEAD.replace("  client_id", f"  client_secret: {written}\n  client_id") + UPSTREAM
    assert warnings(text) == [
        "5: warning: provider.client_secret: looks like a reference to a variable, but is taken as it stands; write ${NAME}"
    ]


@pytest.mark.parametrize(
    "domain", ["my-app.auth.eu-west-2.amazoncognito.com", "https://a.auth.us-east-1.amazoncognito.com"]
)
def test_a_domain_in_another_region(domain):
    """A pool and its domain are always in one region."""
    (said,) = warnings(HEAD.replace("my-app.auth.eu-west-1.amazoncognito.com", domain) + UPSTREAM)
    region = re.search(r"auth\.([^.]+)", domain)
    assert region
    assert said == f"4: warning: provider.domain: is in {region[1]}, but user_pool_id is in eu-west-1"


@pytest.mark.parametrize(
    ("more", "key"),
    [
        ("issuer: http://login.example/pool", "issuer"),
        ("discovery_url: http://login.example/.well-known/openid-configuration", "discovery_url"),
        ("endpoints: {jwks_uri: 'http://login.example/keys'}", "endpoints.jwks_uri"),
        ("endpoints: {jwks_uri: 'http://localhost/keys'}", None),
    ],
)
def test_a_provider_in_the_clear(more, key):
    """Keys that come over plain http are anybody's; this machine alone is near enough."""
    said = warnings(HEAD.replace("  client_id", f"  {more}\n  client_id") + UPSTREAM)
    words = f"5: warning: provider.{key}: is not https: whoever is on the way can sign in as anybody"
    assert said == ([words] if key else [])


def test_a_domain_of_ones_own_is_not_doubted():
    """A custom domain names no region."""
    assert warnings(HEAD.replace("my-app.auth.eu-west-1.amazoncognito.com", "login.example.com") + UPSTREAM) == []


@pytest.mark.parametrize(
    ("claim", "cognito", "meant"),
    [
        ("emial", True, "email"),
        ("Email", True, "email"),
        ("given-name", True, "given_name"),
        ("cognito:user", False, None),
        ("group", True, "groups"),
        ("mail", False, None),
        ("role", False, None),
        ("department", False, None),
        ("custom:emial", True, None),
        ("favourite_colour", True, None),
    ],
)
def test_claims_that_somebody_probably_meant(claim, cognito, meant):
    """Close to a known one; other providers' own claims are left alone."""
    assert likely_claim(claim, cognito=cognito) == meant


def test_a_client_without_callback_addresses():
    """The pool's file has warnings too."""
    loaded = reads_pool(
        b"pool_id: eu-west-1_AbC123\nclients:\n  - client_id: web\nmail: {kind: folder, folder: mail}\n",
        "p.yaml", {}, Path(),
    )  # fmt: skip
    assert loaded.report(loaded.warnings()).splitlines() == [
        "p.yaml:3: warning: clients[0]: has no callback_urls, so nobody can sign in with it",
        "1 warning",
    ]


_SEGMENT = st.sampled_from(["a", "b", "*", "**", "a*", "*b", "a*b", ""])
_PATTERN = st.lists(_SEGMENT, min_size=1, max_size=4).map(lambda parts: "/" + "/".join(parts))
_PATH = st.lists(st.sampled_from(["a", "b", "ab", "axb", "", "c"]), min_size=1, max_size=5).map(
    lambda parts: "/" + "/".join(parts)
)


def _valid(pattern: str) -> bool:
    try:
        compile_glob(pattern)
    except ValueError:
        return False
    return True


@pytest.mark.property
@given(_PATTERN.filter(_valid), _PATTERN.filter(_valid), st.lists(_PATH, max_size=20))
def test_a_covered_pattern_matches_nothing_more(wide, narrow, paths):
    """Whenever `covers` says yes, each path of the narrower pattern is one of the wider one."""
    if covers(wide, narrow):
        for path in paths:
            assert not compile_glob(narrow).fullmatch(path) or compile_glob(wide).fullmatch(path), path


@pytest.mark.parametrize(
    ("wide", "narrow", "covered"),
    [
        ("/**", "/", True),
        ("/**", "/a/**/b", True),
        ("/a/**", "/a", True),
        ("/a/**", "/a/*/c*", True),
        ("/*", "/a", True),
        ("/*", "/**", False),
        ("/*/**", "/**", True),
        ("/a/*", "/a/**", False),
        ("/**/b", "/a/**", False),
        ("/**/b", "/a/**/b", True),
        ("/a*", "/*", False),
        ("/a/**/**/**/**", "/a/**/**/**/**", False),
    ],
)
def test_which_patterns_cover_which(wide, narrow, covered):
    """Examples; a pattern of more than three `**` is not judged."""
    assert covers(wide, narrow) is covered

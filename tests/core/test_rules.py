"""Access rules: first match decides, the strictest reading wins, nothing matched is denied."""

import itertools
import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core import rules as rules_module
from gateway.core.rules import NO_RULE, AccessRules, Allow, Requirement, Rule, strictest
from gateway.errors import BadPath

ADMINS = frozenset({"admins"})
RULES = AccessRules(
    [
        Rule(path="/healthz", allow=Allow.ANYONE, name="health"),
        Rule(path="/public/**", allow=Allow.ANYONE),
        Rule(path="/hook", methods=frozenset({"POST"}), allow=Allow.ANYONE),
        Rule(path="/read/**", methods=frozenset({"GET"}), allow=Allow.ANYONE),
        Rule(path="/foo/*/bar", allow=Allow.ANYONE),
        Rule(path="/admin/**", groups=ADMINS),
        Rule(path="/staff/**", groups=frozenset({"staff", "admins"})),
        Rule(path="/internal/**", allow=Allow.NOBODY),
        Rule(path="/app/**"),
        Rule(path="/docs/**"),
    ]
)


@pytest.mark.parametrize(
    ("method", "path", "rule", "allow"),
    [
        ("GET", b"/healthz", "health", Allow.ANYONE),
        ("GET", b"/public", "/public/**", Allow.ANYONE),
        ("GET", b"/admin", "/admin/**", Allow.SIGNED_IN),
        ("GET", b"/admin/", "/admin/**", Allow.SIGNED_IN),
        ("GET", b"/app/x", "/app/**", Allow.SIGNED_IN),
        ("GET", b"/internal/x", "/internal/**", Allow.NOBODY),
        ("GET", b"/elsewhere", "(no rule)", Allow.NOBODY),
        ("GET", b"/PUBLIC", "(no rule)", Allow.NOBODY),
        ("POST", b"/hook", "/hook", Allow.ANYONE),
        ("GET", b"/hook", "(no rule)", Allow.NOBODY),
        ("GET", b"/read/x", "/read/**", Allow.ANYONE),
        ("HEAD", b"/read/x", "/read/**", Allow.ANYONE),
        ("POST", b"/read/x", "(no rule)", Allow.NOBODY),
        ("PATCH", b"/read/x", "(no rule)", Allow.NOBODY),
        ("get", b"/read/x", "/read/**", Allow.ANYONE),
    ],
)
def test_the_first_match_decides(method: str, path: bytes, rule: str, allow: Allow) -> None:
    """Skip-routes table, Q3: method and path choose the rule; a rule for GET opens nothing to POST."""
    requirement = RULES.judge(method, path)
    assert (requirement.rule, requirement.allow) == (rule, allow)


def test_an_earlier_rule_wins() -> None:
    """The operator's order counts, not how exact a pattern is."""
    rules = AccessRules([Rule(path="/**", allow=Allow.ANYONE, name="first"), Rule(path="/a", name="second")])
    assert rules.judge("GET", b"/a").rule == "first"


def test_without_rules_everything_is_denied() -> None:
    """E10: an empty policy is closed, not open."""
    assert AccessRules([]).judge("GET", b"/") is NO_RULE


@pytest.mark.parametrize(
    "path",
    [
        b"/public/../admin", b"/public/%2e%2e/admin", b"/public/..%2fadmin", b"/public//../admin", b"/public/..;/admin",
        b"/public/%252e%252e/admin", b"/public/..%252fadmin", b"/public/..%5cadmin", b"/public\\..\\admin",
        b"/public/x/../../admin/y", b"//admin", b"/%61dmin", b"/./admin", b"/public/..%c0%afadmin",
        b"/public/..;a=b/admin",
    ],
)  # fmt: skip
def test_a_public_rule_is_no_way_round_a_protected_one(path: bytes) -> None:
    """E1, E2, E4, E5, Q1: whichever reading the application has, it is not reached without what it needs."""
    assert not RULES.judge("GET", path).admits(frozenset())


LENIENT = AccessRules(
    [
        Rule(path="/healthz", allow=Allow.ANYONE),
        Rule(path="/Public/**", allow=Allow.ANYONE),
        Rule(path="/Caf\u00e9/menu/", groups=ADMINS, name="menu"),
        Rule(path="/secret", allow=Allow.NOBODY),
        Rule(path="/open/closed/*", allow=Allow.NOBODY),
        Rule(path="/open/**", allow=Allow.ANYONE),
        Rule(path="/**", allow=Allow.SIGNED_IN),
    ]
)


@pytest.mark.parametrize(
    ("path", "allow"),
    [
        (b"/healthz", Allow.ANYONE),
        (b"/Public/x", Allow.ANYONE),
        (b"/Public/X/", Allow.ANYONE),
        (b"/open/x", Allow.ANYONE),
        (b"/healthz/", Allow.SIGNED_IN),
        (b"/HEALTHZ", Allow.SIGNED_IN),
        (b"/public/x", Allow.SIGNED_IN),
        (b"/PUBLIC/x", Allow.SIGNED_IN),
        (b"/secret", Allow.NOBODY),
        (b"/secret/", Allow.NOBODY),
        (b"/secret//", Allow.NOBODY),
        (b"/secret/.", Allow.NOBODY),
        (b"/secret/%2e", Allow.NOBODY),
        (b"/SECRET", Allow.NOBODY),
        (b"/%53ecret/", Allow.NOBODY),
        (b"/\xc5\xbfecret", Allow.NOBODY),
        (b"/%C5%BFecret", Allow.NOBODY),
        (b"/open/Closed/x", Allow.NOBODY),
        (b"/OPEN/closed/x", Allow.NOBODY),
        (b"/secret/x", Allow.SIGNED_IN),
    ],
)
def test_a_lenient_router_opens_nothing(path: bytes, allow: Allow) -> None:
    """U4: where case or a slash at the end may not matter, the stricter of both judgements holds: a public page stays
    public as it is written, and no other spelling is opened by its rule or escapes a protected one's."""
    assert LENIENT.judge("GET", path).allow is allow


@pytest.mark.parametrize("path", ["/Caf\u00e9/menu/", "/caf\u00e9/menu", "/CAF\u00c9/MENU/"])
def test_letters_beyond_ascii_are_folded_as_they_are_and_encoded(path: str) -> None:
    """U4: the decoded reading is folded, on rule and path alike."""
    for raw in (path.encode(), "".join(f"%{byte:02x}" if byte > 127 else chr(byte) for byte in path.encode()).encode()):
        assert LENIENT.judge("GET", raw).rule == "menu"


SPELLINGS = st.sampled_from(
    [str, str.upper, str.swapcase, lambda text: text + "/", lambda text: text + "/.", str.title]
)


@pytest.mark.property
@given(
    st.lists(st.text("abZ\u00e9\u017f", min_size=1, max_size=3), min_size=1, max_size=3),
    st.lists(SPELLINGS, max_size=3),
)
def test_no_spelling_leaves_a_closed_path(segments: list[str], spellings: list[Callable[[str], str]]) -> None:
    """U4: in whatever case and with whatever end it is written, a path stays closed; a public one opens itself."""
    path = "/" + "/".join(segments)
    spelled = path
    for spelling in spellings:
        spelled = spelling(spelled)
    closed = AccessRules([Rule(path=path, allow=Allow.NOBODY), Rule(path="/**", allow=Allow.ANYONE)])
    public = AccessRules([Rule(path=path, allow=Allow.ANYONE), Rule(path="/**", allow=Allow.NOBODY)])
    assert closed.judge("GET", spelled.encode()).allow is Allow.NOBODY
    assert (public.judge("GET", spelled.encode()).allow is Allow.ANYONE) == (spelled == path)


def test_case_can_be_exact() -> None:
    """U4: where every application tells cases apart, letters are not folded; slashes at the end still are removed."""
    rules = AccessRules(
        [Rule(path="/secret", allow=Allow.NOBODY), Rule(path="/**", allow=Allow.ANYONE)], fold_case=False
    )
    assert rules.judge("GET", b"/Secret").allow is Allow.ANYONE
    assert rules.judge("GET", b"/secret/").allow is Allow.NOBODY


@pytest.mark.parametrize(
    ("path", "allow"),
    [
        (b"/app//host/private", Allow.NOBODY),
        (b"/app/\\host/private", Allow.NOBODY),
        (b"/app/%2Fuser@host/private/x", Allow.NOBODY),
        (b"/app//host/PRIVATE", Allow.NOBODY),
        (b"/app//host/other", Allow.SIGNED_IN),
        (b"/app/private", Allow.NOBODY),
        (b"/app/x", Allow.SIGNED_IN),
        (b"/apple//host/private", Allow.SIGNED_IN),
    ],
)
def test_what_is_sent_is_judged_too(path: bytes, allow: Allow) -> None:
    """U5, E5: where a prefix is cut off, the readings of what is left are judged, as paths below the prefix."""
    rules = AccessRules(
        [Rule(path="/app/private/**", allow=Allow.NOBODY), Rule(path="/**")], cut_prefixes=["/app", "/other"]
    )
    assert rules.judge("GET", path).allow is allow


def test_a_cut_path_that_climbs_is_refused() -> None:
    """U5, E5: what is left of the path may not climb above what it is sent to."""
    with pytest.raises(BadPath):
        AccessRules([Rule(path="/**")], cut_prefixes=["/app"]).judge("GET", b"/app/%c0%ae%c0%ae/x")


@pytest.mark.parametrize(
    "path", [b"//host/admin", b"/\\host/admin/x", b"//user@host/admin", b"//host/x/..;/admin", b"//host%61dmin"]
)
def test_a_host_in_the_path_opens_nothing(path: bytes) -> None:
    """U3: what an upstream reads behind the host is judged: a rule for everybody else is no way round."""
    rules = AccessRules([Rule(path="/admin/**", allow=Allow.NOBODY), Rule(path="/**", allow=Allow.ANYONE)])
    assert rules.judge("GET", path).allow is Allow.NOBODY


DOTS = ["..", "%2e%2e", ".%2e", "%252e%252e", "..;", "..;a=b", "%2e%2e%3b"]
SLASHES = ["/", "%2f", "%5c", "\\", "%252f", "%255c", "//", "/./", "%c0%af"]


def test_generated_paths_never_open_the_protected_folder() -> None:
    """E1, E2, Q1: no mix of separators, dots and encodings under /public reaches /admin as anyone."""
    for one, dots, two, letter in itertools.product(SLASHES, DOTS, SLASHES, ("a", "%61", "%2561")):
        path = f"/public{one}{dots}{two}{letter}dmin".encode()
        assert RULES.judge("GET", path).allow is not Allow.ANYONE, path


@pytest.mark.parametrize(
    "path", [b"/foo/secret%23/bar", b"/foo/secret#/bar", b"/foo/secret%2523/bar", b"/foo/secret%3f/bar"]
)
def test_what_an_application_cuts_off_opens_nothing(path: bytes) -> None:
    """O12, E3: a `#` or `?` in the path, however encoded, does not lend a secret page a public ending."""
    assert RULES.judge("GET", b"/foo/x/bar").allow is Allow.ANYONE
    assert RULES.judge("GET", path) is NO_RULE


def test_a_query_in_the_path_opens_nothing() -> None:
    """O8, E8: what stands behind a question mark is never matched."""
    assert RULES.judge("GET", b"/private?path=/healthz") is NO_RULE
    assert RULES.judge("GET", b"/healthz/../private?/healthz") is NO_RULE


def test_encoded_slashes_reach_applications_that_need_them() -> None:
    """Architecture, Paths: `%2F` and `;` are fine where all readings fall under rules that let the user in."""
    assert RULES.judge("GET", b"/app/group%2Fproject;v=1").admits(frozenset())
    assert RULES.judge("GET", b"/public/a%2Fb").allow is Allow.ANYONE


def test_a_response_that_one_reading_forbids_to_keep_is_not_kept() -> None:
    """U10: of several readings the strictest counts for caches too."""
    rules = AccessRules([Rule(path="/never/**", allow=Allow.ANYONE, uncached=True), Rule(path="/**")])
    assert rules.judge("GET", b"/x/..%2fnever") == Requirement(rule="/**", allow=Allow.SIGNED_IN, uncached=True)
    assert rules.judge("GET", b"/never/x").uncached
    assert not rules.judge("GET", b"/x").uncached


def test_all_groups_of_all_readings_are_needed() -> None:
    """Where two readings fall under rules with different groups, a user needs one of each."""
    both = RULES.judge("GET", b"/staff/..%2fadmin")
    assert both.groups == (frozenset({"staff", "admins"}), ADMINS)
    assert both.admits(ADMINS)
    assert not both.admits(frozenset({"staff"}))


def test_a_reading_with_groups_is_stricter_than_one_without() -> None:
    """The rule that is logged is the one that decided."""
    requirement = RULES.judge("GET", b"/app/../admin")
    assert requirement.rule in {"/admin/**", "(no rule)"}
    assert strictest([RULES.judge("GET", b"/app"), RULES.judge("GET", b"/admin")]).rule == "/admin/**"


@pytest.mark.parametrize(
    ("groups", "admitted"),
    [
        ({"admins"}, True),
        ({"users", "admins"}, True),
        ({"users"}, False),
        (set(), False),
        ({""}, False),
        ({"Admins"}, False),
    ],
)
def test_groups_are_compared_exactly(groups: set[str], *, admitted: bool) -> None:
    """O7, #3365: only a group that the user has and the rule names lets in."""
    assert RULES.judge("GET", b"/admin").admits(frozenset(groups)) is admitted


def test_nobody_admits_nobody() -> None:
    """No group opens a rule for nobody."""
    assert not NO_RULE.admits(frozenset({"admins", "(no rule)"}))


def test_bad_paths_are_refused_each_time() -> None:
    """E6: a malformed path is an error, never a default answer, also the second time."""
    for _ in range(2):
        with pytest.raises(BadPath):
            RULES.judge("GET", b"/a%00")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"path": "/a", "groups": frozenset({"a", ""})}, "rule /a: a group has a name"),
        ({"path": "/a", "groups": ADMINS, "allow": Allow.ANYONE}, "rule /a: groups and `anyone` contradict"),
        ({"path": "/a", "groups": ADMINS, "allow": Allow.NOBODY}, "rule /a: groups and `nobody` contradict"),
        ({"path": "/a", "methods": frozenset()}, "rule /a: an empty list of methods matches nothing"),
        ({"path": "/a", "methods": frozenset({"HEAD"})}, "rule /a: HEAD is judged as GET: name GET"),
        ({"path": "/a", "methods": frozenset({"get"}), "name": "x"}, "rule x: methods are written in capitals"),
        ({"path": "a", "name": "x"}, "rule x: a path pattern starts with a slash"),
    ],
)
def test_contradicting_rules_are_refused(wrong: dict[str, object], message: str) -> None:
    """#3365 and others: a rule that says two things, or nothing, is named, with its reason."""
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        AccessRules([Rule(**wrong)])  # type: ignore[arg-type]


def test_the_memo_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Strangers fill no memory: neither with many paths nor with long ones; answers stay the same."""
    monkeypatch.setattr(rules_module, "_MEMO_ENTRIES", 8)
    rules = AccessRules([Rule(path="/**")])
    for number in range(50):
        assert rules.judge("GET", f"/{number}".encode()).rule == "/**"
        assert len(rules._memo) <= 8
    rules.judge("GET", b"/" + b"a" * 600)
    assert (("GET", b"/" + b"a" * 600)) not in rules._memo
    assert rules.judge("GET", b"/49") is rules.judge("GET", b"/49")


REQUIREMENTS = st.builds(
    Requirement,
    rule=st.sampled_from("abc"),
    allow=st.just(Allow.SIGNED_IN),
    groups=st.lists(st.frozensets(st.sampled_from("xyz"), min_size=1), max_size=2).map(tuple),
) | st.builds(Requirement, rule=st.sampled_from("de"), allow=st.sampled_from(Allow), groups=st.just(()))


@pytest.mark.property
@given(st.lists(REQUIREMENTS, min_size=1, max_size=5), st.frozensets(st.sampled_from("xyz")))
def test_the_strictest_admits_whom_all_admit(requirements: list[Requirement], groups: frozenset[str]) -> None:
    """One requirement made of many holds exactly where each of them holds, for anybody and for anyone."""
    made = strictest(requirements)
    assert made.admits(groups) == all(each.admits(groups) for each in requirements)
    assert (made.allow is Allow.ANYONE) == all(each.allow is Allow.ANYONE for each in requirements)


@pytest.mark.parametrize(
    ("rules", "allow"),
    [
        ([Rule(path="/", allow=Allow.ANYONE), Rule(path="/**")], Allow.ANYONE),
        ([Rule(path="/**")], Allow.SIGNED_IN),
        ([Rule(path="/", methods=frozenset({"GET"}), allow=Allow.ANYONE), Rule(path="/**")], Allow.SIGNED_IN),
        ([Rule(path="/x/**", allow=Allow.ANYONE)], Allow.NOBODY),
    ],
)
def test_options_for_the_server_itself_need_what_its_root_needs(rules, allow):
    """`OPTIONS *` names no resource: who may see `/` with that method may ask."""
    assert AccessRules(rules).judge("OPTIONS", b"*").allow is allow


@pytest.mark.parametrize("method", ["GET", "POST", "options"])
def test_the_asterisk_is_no_path_for_other_methods(method):
    """F3: only `OPTIONS *` exists (RFC 9112 §3.2.4)."""
    with pytest.raises(BadPath):
        AccessRules([Rule(path="/**", allow=Allow.ANYONE)]).judge(method, b"*")


@pytest.mark.parametrize("path", [b"/my%20docs/x", b"/m%79%20docs/x", b"/M%59%20docs", b"/my%2520docs/x"])
@pytest.mark.parametrize("pattern", ["/my%20docs/**", "/my docs/**", "/%6dy%20docs/**"])
def test_a_rule_that_is_written_encoded_holds_for_every_spelling(pattern, path):
    """E1: an address that was copied from a browser protects what it names, whichever letters a request encodes."""
    rules = AccessRules([Rule(path=pattern, allow=Allow.NOBODY), Rule(path="/**", allow=Allow.ANYONE)])

    assert rules.judge("GET", path).allow is Allow.NOBODY


@pytest.mark.parametrize("pattern", ["/caf%c3%a9/**", "/caf\u00e9/**"])
def test_a_public_rule_that_is_written_encoded_opens_what_it_names_alone(pattern):
    """E1: a path is open in the same spellings; an encoded slash or asterisk in a rule stays one."""
    rules = AccessRules([Rule(path=pattern, allow=Allow.ANYONE), Rule(path="/a%2fb%2A", allow=Allow.ANYONE)])

    assert rules.judge("GET", b"/caf%C3%A9/x").allow is Allow.ANYONE
    assert rules.judge("GET", b"/a/b*") is rules.judge("GET", b"/a/bc") is NO_RULE

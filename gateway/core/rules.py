"""Compile the operator's access rules, and say what a request needs.

The first rule that matches decides; what no rule matches is denied. Only method and path are looked at: query,
headers and user agent never open anything (O8, O10, A14). Where a path has several readings, each is judged and the
strictest answer wins, so a public rule is never a way round a protected one. Each reading is judged as it is, by the
rules as they are written, and again with both in their canonical form (U4).
"""

import re
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from functools import partial

from gateway.core.globs import compile_glob
from gateway.core.paths import canonical, is_plain, readings, readings_behind

_MEMO_ENTRIES = 4096
_MEMO_PATH_BYTES = 512
"""Together they bound the memo to about 3 MiB, whatever paths strangers ask for."""


class Allow(Enum):
    """Whom a rule lets in."""

    ANYONE = "anyone"
    SIGNED_IN = "signed-in"
    NOBODY = "nobody"


_NOBODY = Allow.NOBODY  # in Python 3.11 a member costs as much as a call


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One line of `access:`. Raises ValueError for a rule that says two things.

    `path` is a glob (see `globs`); `methods` None means every one, and GET includes HEAD; `groups` are alternatives;
    `uncached`: nobody may keep the response.
    """

    path: str
    methods: frozenset[str] | None = None
    allow: Allow = Allow.SIGNED_IN
    groups: frozenset[str] = frozenset()
    uncached: bool = False
    name: str = ""

    def __post_init__(self) -> None:
        problem = next((text for wrong, text in self._problems() if wrong), None)
        if problem is not None:
            raise ValueError(f"rule {self.label}: {problem}")

    def _problems(self) -> tuple[tuple[bool, str], ...]:
        return (
            # An empty name would match the empty group of a sloppy directory (#3365).
            ("" in self.groups, "a group has a name"),
            (bool(self.groups) and self.allow is not Allow.SIGNED_IN, f"groups and `{self.allow.value}` contradict"),
            (self.methods is not None and not self.methods, "an empty list of methods matches nothing"),
            (self.methods == frozenset({"HEAD"}), "HEAD is judged as GET: name GET"),
            (any(method != method.upper() for method in self.methods or ()), "methods are written in capitals"),
        )

    @property
    def label(self) -> str:
        """The rule's name in logs: the operator's, or its path."""
        return self.name or self.path


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """What a request needs.

    `groups`: at least one of EACH set, since the readings of a path may fall under several rules.
    """

    rule: str
    allow: Allow
    groups: tuple[frozenset[str], ...] = ()
    uncached: bool = False

    def admits(self, groups: frozenset[str]) -> bool:
        """Whether somebody signed in, with these groups, fulfils the requirement."""
        if self.allow is _NOBODY:
            return False
        return not self.groups or not any(one_of.isdisjoint(groups) for one_of in self.groups)

    @property
    def strictness(self) -> int:
        """Orders requirements: the larger, the fewer get in."""
        return _STRICTNESS[self.allow, bool(self.groups)]


_STRICTNESS = {
    (Allow.ANYONE, False): 0,
    (Allow.SIGNED_IN, False): 1,
    (Allow.SIGNED_IN, True): 2,
    (Allow.NOBODY, False): 3,
}

NO_RULE = Requirement(rule="(no rule)", allow=Allow.NOBODY)
"""Nothing matched: denied, also when the list of rules is empty."""


_SERVER_ITSELF = ("OPTIONS", b"*")
"""RFC 9110 §9.3.7: asks what the server can do, no resource. Who may see its root may ask."""


class AccessRules:
    """Rules ready to judge, in the operator's order; remembers, within bounds, what it said.

    Raises ValueError that names the rule which cannot be used.
    """

    def __init__(self, rules: Iterable[Rule], *, fold_case: bool = True, cut_prefixes: Iterable[str] = ()) -> None:
        """`fold_case`: applications may take letters of both cases for the same. `cut_prefixes`, without a slash at
        the end: what is removed from paths below it before they are sent on."""
        self._canonical = partial(canonical, fold=fold_case)
        self._cut_prefixes = tuple(cut_prefixes)
        given = list(rules)
        self._as_written = [_Compiled(rule) for rule in given]
        same = all(self._canonical(rule.path) == rule.path for rule in given)
        self._leniently = self._as_written if same else [_Compiled(rule, self._canonical) for rule in given]
        self._memo: dict[tuple[str, bytes], Requirement] = {}

    def judge(self, method: str, raw_path: bytes) -> Requirement:
        """What this request needs. `raw_path` is the path as received, without the query. Raises BadPath."""
        key = (method, raw_path)
        known = self._memo.get(key)
        return self._first_time(key) if known is None else known

    def _first_time(self, key: tuple[str, bytes]) -> Requirement:
        method, raw_path = key
        if key == _SERVER_ITSELF:
            raw_path = b"/"
        # A HEAD answer tells as much about a resource as its GET (RFC 9110 §9.3.2).
        asked = "GET" if method.upper() == "HEAD" else method.upper()
        requirement = strictest(list(self._found(asked, raw_path)))
        if len(raw_path) + len(method) <= _MEMO_PATH_BYTES:
            if len(self._memo) >= _MEMO_ENTRIES:
                self._memo.clear()
            self._memo[key] = requirement
        return requirement

    def _found(self, method: str, raw_path: bytes) -> Iterator[Requirement]:
        """What each reading needs, by itself and in its canonical form."""
        texts = self._readings(raw_path)
        for text in texts:
            yield _first_match(self._as_written, method, text)
        for text in dict.fromkeys(map(self._canonical, texts)):
            if text not in texts or self._leniently is not self._as_written:
                yield _first_match(self._leniently, method, text)

    def _readings(self, raw_path: bytes) -> Collection[str]:
        if is_plain(raw_path):  # and so is what is left of it below a prefix
            return (raw_path.decode("ascii"),)
        behind = (text for prefix in self._cut_prefixes for text in readings_behind(raw_path, prefix))
        return dict.fromkeys((*readings(raw_path), *behind))


def _first_match(rules: Iterable["_Compiled"], method: str, path: str) -> Requirement:
    for rule in rules:
        if rule.matches(method, path):
            return rule.requirement
    return NO_RULE


class _Compiled:
    """A rule with its expression, and the requirement that it stands for."""

    __slots__ = ("_methods", "_pattern", "requirement")

    def __init__(self, rule: Rule, form: Callable[[str], str] = str) -> None:
        self._methods = rule.methods
        self._pattern = _compiled(rule, form)
        groups = (rule.groups,) if rule.groups else ()
        self.requirement = Requirement(rule=rule.label, allow=rule.allow, groups=groups, uncached=rule.uncached)

    def matches(self, method: str, path: str) -> bool:
        return (self._methods is None or method in self._methods) and self._pattern.fullmatch(path) is not None


def _compiled(rule: Rule, form: Callable[[str], str]) -> re.Pattern[str]:
    try:
        return compile_glob(rule.path, form)
    except ValueError as error:
        raise ValueError(f"rule {rule.label}: {error}") from error


def strictest(requirements: list[Requirement]) -> Requirement:
    """One requirement that holds only where all of them hold (there is at least one)."""
    first = requirements[0]
    if all(requirement is first for requirement in requirements):  # as nearly always
        return first
    hardest = max(requirements, key=lambda requirement: requirement.strictness)
    groups = tuple(dict.fromkeys(one_of for requirement in requirements for one_of in requirement.groups))
    if hardest.allow is not Allow.SIGNED_IN:
        groups = ()
    uncached = any(requirement.uncached for requirement in requirements)
    if (groups, uncached) == (hardest.groups, hardest.uncached):
        return hardest
    return Requirement(rule=hardest.rule, allow=hardest.allow, groups=groups, uncached=uncached)

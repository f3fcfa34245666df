"""Compile the operator's access rules, and say what a request needs."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum


class Allow(Enum):
    ANYONE = "anyone"
    SIGNED_IN = "signed-in"
    NOBODY = "nobody"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    path: str
    methods: frozenset[str] | None = None
    allow: Allow = Allow.SIGNED_IN
    groups: frozenset[str] = frozenset()
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """What a request needs. `groups`: of EACH set at least one (readings of a path may fall under several rules)."""

    rule: str
    allow: Allow
    groups: tuple[frozenset[str], ...] = ()

    def admits(self, groups: frozenset[str]) -> bool:
        raise NotImplementedError


class AccessRules:
    def __init__(self, rules: Iterable[Rule]) -> None:
        raise NotImplementedError

    def judge(self, method: str, raw_path: bytes) -> Requirement:
        raise NotImplementedError


def compile_rules(rules: Iterable[Rule]) -> AccessRules:
    """ValueError names the rule that cannot be used."""
    return AccessRules(rules)

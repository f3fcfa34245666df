"""Compare access rules: which paths does one cover that another covers too."""

import re
from collections.abc import Iterator
from itertools import product

from gateway.core.globs import compile_glob
from gateway.settings.schema import AccessRule

_ANY = "\ue000"
"""A character that no pattern contains: only a wildcard matches it, and would match any text in its place."""
_MOST_WILDCARDS = 3
"""`**` in one pattern. Every one multiplies the examples; nobody writes more."""


def covers(wide: str, narrow: str) -> bool:
    """Whether every path that the pattern `narrow` matches is matched by `wide` too. False when in doubt."""
    if narrow.split("/").count("**") > _MOST_WILDCARDS:
        return False
    expression = compile_glob(wide)
    return all(expression.fullmatch(path) for path in _examples(narrow, wide.count("/") + 1))


def _examples(pattern: str, many: int) -> Iterator[str]:
    """Paths that stand for all that the pattern matches: each `**` as no, one, and more segments than `wide` names."""
    first, *rest = re.split(r"/\*\*(?=/|\Z)", pattern.replace("**", "\0").replace("*", _ANY).replace("\0", "**"))
    for counts in product((0, 1, many), repeat=len(rest)):
        yield (first + "".join(f"/{_ANY}" * count + text for count, text in zip(counts, rest, strict=True))) or "/"
    if rest and not rest[-1]:  # `/admin/**` covers `/admin/` too
        yield first + "".join(rest) + "/"


def overlap(earlier: AccessRule, later: AccessRule) -> frozenset[str] | None:
    """The methods of `later` that `earlier` takes; None for every method there is."""
    if earlier.methods is None:
        return later.methods
    return earlier.methods if later.methods is None else earlier.methods & later.methods


def shadowing(earlier: list[AccessRule], later: AccessRule) -> AccessRule | None:
    """The rule for which `later` never decides anything; None when it does, for some path or method."""
    wide = [rule for rule in earlier if covers(rule.path, later.path)]
    everything = next((rule for rule in wide if rule.methods is None), None)
    if everything is not None or later.methods is None:
        return everything
    taken = frozenset[str]().union(*(rule.methods for rule in wide if rule.methods is not None))
    return next(rule for rule in wide if overlap(rule, later)) if later.methods <= taken else None

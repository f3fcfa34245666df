"""Give attributes their full names: the pool's own ones are called `custom:team`, as in Cognito's API and tokens."""

from collections.abc import Iterable
from typing import Final

from gateway.pool.records import STANDARD_ATTRIBUTES, VERIFIED_FLAGS

CUSTOM: Final = "custom:"
_STANDARD: Final = frozenset({"sub", *STANDARD_ATTRIBUTES, *VERIFIED_FLAGS})


class AttributeNames:
    """The attributes of one pool. `custom` are the full names of its own; in settings the prefix may be left out."""

    def __init__(self, custom: Iterable[str]) -> None:
        self.custom = tuple(_prefixed(name) for name in custom)

    def full(self, setting: str, name: str) -> str:
        """The full name of an attribute. Raises ValueError, which names the setting, for one that does not exist."""
        if name in _STANDARD:
            return name
        if _prefixed(name) not in self.custom:
            raise ValueError(f"{setting}: {name!r} is neither a standard attribute nor one of custom_attributes")
        return _prefixed(name)

    def every(self, setting: str, names: frozenset[str] | None) -> frozenset[str] | None:
        """The full names of a set; `None`, the default set, stays."""
        return None if names is None else frozenset(self.full(setting, name) for name in names)


def _prefixed(name: str) -> str:
    return f"{CUSTOM}{name.removeprefix(CUSTOM)}"

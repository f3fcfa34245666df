"""Seal small values with a ring of keys, each use under a label of its own."""

from collections.abc import Sequence

from gateway.core.secret import Secret


class KeyRing:
    """Keys derived from configured secrets, newest first: the first seals, all open."""

    def __init__(self, secrets: Sequence[Secret]) -> None:
        raise NotImplementedError

    def box(self, purpose: str, *context: str) -> "Box":
        """A box whose values open only for the same purpose and the same context."""
        raise NotImplementedError

    def key_ids(self) -> tuple[str, ...]:
        """The ring's key ids, newest first."""
        raise NotImplementedError

    def derive(self, key_id: str, label: str, *parts: bytes) -> bytes:
        """32 bytes, the same for the same arguments. Raises BadSeal for a key id that is not in the ring."""
        raise NotImplementedError


class Box:
    """Seals and opens values of one purpose and context."""

    newest_key_id: str

    def seal(self, plain: bytes) -> str:
        """The sealed value as base64url without padding."""
        raise NotImplementedError

    def open(self, sealed: str) -> bytes:
        """What was sealed. Raises BadSeal, always with the same message."""
        raise NotImplementedError

    def open_keyed(self, sealed: str) -> tuple[str, bytes]:
        """The key id it was sealed under, and what was sealed. Raises BadSeal."""
        raise NotImplementedError

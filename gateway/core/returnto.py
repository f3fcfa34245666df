"""Say where a browser may be sent after sign-in or sign-out."""

from collections.abc import Iterable


class ReturnTargets:
    def __init__(self, public_url: str, allowed: Iterable[str] = ()) -> None:
        """`allowed`: origins ("https://x.example:8443") or hosts ("x.example", ".x.example", "x.example:*")."""

    def safe(self, target: str | None) -> str:
        """A path of our own, or an absolute address of an allowed origin; anything else becomes "/"."""
        raise NotImplementedError

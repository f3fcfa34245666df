"""Judge whether the e-mail address among a user's claims may stand for that user.

A provider lets people write their own `email`: Cognito does wherever an app client may write the attribute. Only
`email_verified` says that the mailbox is theirs (OpenID Connect Core §5.1).
"""

from collections.abc import Mapping
from typing import Any, Literal

EmailPolicy = Literal["verified", "not-denied", "any"]
"""Which addresses are passed on: those called verified, those not called unverified, or every one."""


def is_verified(claims: Mapping[str, Any]) -> bool:
    """Whether the provider calls the address verified. Cognito's userInfo and mapped SAML attributes write a text."""
    said = claims.get("email_verified")
    return said is True or (isinstance(said, str) and said.lower() == "true")


def vouched(claims: Mapping[str, Any], policy: EmailPolicy) -> Mapping[str, Any]:
    """The same claims, or all but an `email` that the policy does not pass on."""
    unsaid = claims.get("email_verified") is None
    if "email" not in claims or policy == "any" or is_verified(claims) or (policy == "not-denied" and unsaid):
        return claims
    return {name: value for name, value in claims.items() if name != "email"}


def completed(claims: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    """An ID token's claims with what userInfo says beside them. What the token says stands.

    An address and the word on it come from one place: another address's `email_verified` says nothing of this one.
    """
    silent = "email" in claims and "email_verified" not in claims and more.get("email") == claims["email"]
    source = more if silent or "email" not in claims else claims
    return {**more, **claims, "email_verified": source.get("email_verified")}

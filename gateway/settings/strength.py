"""Say what is weak about a secret: too short, guessable, or published by somebody as a default (C15)."""

import re

MINIMUM_LENGTH = 32
"""Characters: as hexadecimal digits, the 128 bits that NIST SP 800-57 asks for; `cognito-gateway secret` gives 256."""
MINIMUM_DISTINCT = 9
"""Different characters. 32 random hexadecimal digits have fewer once in 370,000 tries; repeated words do."""

PUBLISHED = frozenset(
    {
        "MLFs4TT99kOOq8h3UAVRtYoCTDYXiRcZ",  # default of the plug-in traefik-oidc-auth
        "OQINaROshtE9TcZkNAm-5Zs2Pv3xaWytBmc5W7sPX7w=",  # sample files of oauth2-proxy
        "0123456789abcdef0123456789abcdef",
        "0123456789ABCDEF0123456789ABCDEF",
        "abcdefghijklmnopqrstuvwxyz012345",
        "abcdefghijklmnopqrstuvwxyz123456",
        "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345",
        "12345678901234567890123456789012",
    }
)
"""Keys that anybody can read in a public repository or guess without trying."""

PUBLISHED_PASSWORDS = frozenset({"Analytical-Engine-1843"})
"""Passwords of users in this project's own documentation."""

_STAND_INS = re.compile(
    r"\.{2,}|\u2026|<.*>|x{3,}|\*{3,}|todo|example|placeholder|change[-_ ]?(?:me|this)|replace[-_ ]?(?:me|this)"
    r"|(?:my|your|the)?[-_ ]?(?:client|app)[-_ ]?secret",
    re.IGNORECASE,
)
"""What documentation writes where a secret belongs, this project's too."""

_PLACEHOLDERS = (
    "change-me", "change_me", "changeme", "change this", "changethis", "example", "insecure", "password", "placeholder",
    "replace", "secret", "your-key", "yourkey",
)  # fmt: skip


def weakness(secret: str) -> str | None:
    """What is wrong with a secret, in words that do not contain it; None when it will do."""
    if len(secret) < MINIMUM_LENGTH:
        return f"is shorter than {MINIMUM_LENGTH} characters"
    if secret in PUBLISHED:
        return "is published as a default or example, so anybody knows it"
    if any(word in secret.lower() for word in _PLACEHOLDERS):
        return "looks like a placeholder"
    if len(set(secret)) < MINIMUM_DISTINCT:
        return f"has fewer than {MINIMUM_DISTINCT} different characters"
    return None


def stands_in(secret: str) -> bool:
    """Whether it only holds a secret's place: somebody copied an example and did not fill it in."""
    return _STAND_INS.fullmatch(secret) is not None

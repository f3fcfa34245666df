"""Compare a PKCE verifier with its challenge (RFC 7636)."""

import base64
import hashlib
import hmac
import re
from typing import Final

STANDARD_LENGTH: Final = 43
"""Characters that RFC 7636 §4.1 asks for at least."""
_VERIFIER: Final = re.compile(r"[A-Za-z0-9._~-]{32,128}")
"""As Cognito, shorter ones are taken too: flask-cognito-lib sends 36 and up. 32 random characters are 190 bits."""


def pkce_matches(challenge: str | None, verifier: str | None) -> bool:
    """Whether the verifier is the challenge's; both absent also matches, one of them alone never (R2)."""
    if challenge is None or verifier is None:
        return challenge is None and verifier is None
    if not _VERIFIER.fullmatch(verifier):
        return False
    digest = hashlib.sha256(verifier.encode("ascii")).digest()
    computed = base64.urlsafe_b64encode(digest).rstrip(b"=")
    return hmac.compare_digest(computed, challenge.encode())

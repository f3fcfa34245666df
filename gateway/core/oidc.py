"""Build what a browser carries to the provider, and read what it carries back."""

RESERVED_PARAMETERS = frozenset(
    {"client_id", "redirect_uri", "response_type", "response_mode", "scope", "state", "nonce", "code_challenge",
     "code_challenge_method", "request", "request_uri", "claims", "id_token_hint"}
)

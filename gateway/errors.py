"""Every exception of the gateway, as one tree.

    GatewayError
    ├── SettingsError            the operator's file is wrong: carries the whole report
    ├── BadData                  something from outside cannot be used
    │   ├── BadSeal              a sealed value does not open, whatever the cause
    │   ├── BadCookie            a cookie or its parts cannot be read
    │   ├── BadPath              a request path has no safe reading
    │   ├── RequestTooLarge      a request's body is over its bound
    │   ├── SlowClient           others needed what a client held and did not use
    │   └── BadToken             a token does not verify, whatever the cause
    │       ├── BadSignature     its signature is not of the key that it names
    │       ├── TokenNotYet      it is of a time to come, by our clock
    │       └── TokenExpired     it verifies, but its time is over
    ├── ProviderError            the identity provider
    │   ├── ProviderUnavailable  did not answer usefully: transient, nobody is signed out
    │   └── ProviderRefused      answered no: final
    ├── LoopDetected             a request that this gateway sent came back to it
    ├── StoreUnavailable         the session store did not answer: transient
    ├── StorageUnavailable       the pool's database is busy or failed: transient
    └── UpstreamError            the service behind the gateway
        ├── NoUpstream           nothing is configured for this host and path
        ├── UpstreamUnreachable  no connection
        ├── UpstreamBusy         every connection in use, and the queue's time is over
        ├── UpstreamTimeout      connected, but no answer in time
        └── BadUpstreamAnswer    answered what is not HTTP, too large, or contradictory

Each class carries what the layer above needs in order to answer: an HTTP status and a sentence that is safe to show.
Details go into the exception's own message, which is for the log and never for the client.
"""


class GatewayError(Exception):
    """Never raised itself. `status` and `public` are what a client may see."""

    status: int = 500
    public: str = "Something went wrong."


class SettingsError(GatewayError):
    """The settings cannot be used; `str()` is the whole report, one mistake a paragraph."""


class BadData(GatewayError):
    """Something that came from outside cannot be used."""

    status = 400
    public = "The request could not be understood."


class BadSeal(BadData):
    """A sealed value does not open: wrong key, purpose or bytes all look the same."""


class BadCookie(BadData):
    """A cookie, or one of its parts, cannot be read."""


class BadPath(BadData):
    """A request path that no application can read safely (NUL, control characters, climbing above the root)."""


class RequestTooLarge(BadData):
    """The body of a request is over its bound."""

    status = 413
    public = "The request is too large."


class SlowClient(BadData):
    """A client took or sent so little that its connection to the upstream went to others, who were waiting."""

    status = 408
    public = "The request took too long."


class BadToken(BadData):
    """A token does not verify: signature, issuer, audience and form all look the same."""

    status = 401
    public = "The token is not valid."


class BadSignature(BadToken):
    """A token whose signature is not of the key that it names, as far as the keys are known."""


class TokenNotYet(BadToken):
    """A token that was issued, or is good, at a time to come: one of two clocks is wrong."""


class TokenExpired(BadToken):
    """A token that would verify, but whose time is over."""


class ProviderError(GatewayError):
    """Never raised itself: the identity provider did not do what was asked."""

    status = 503
    public = "The sign-in service is not available right now."


class ProviderUnavailable(ProviderError):
    """No useful answer (network, timeout, 5xx, throttling, garbage). Transient: nobody is signed out for it."""


class ProviderRefused(ProviderError):
    """The provider's final no. `error` is its OAuth 2.0 error code (RFC 6749 §5.2), for decisions only."""

    status = 400
    public = "The sign-in service refused the request."

    def __init__(self, error: str, description: str = "") -> None:
        super().__init__(f"{error}: {description}" if description else error)
        self.error = error
        self.description = description


class LoopDetected(GatewayError):
    """A request that this gateway forwarded came back to it, more often than any service would send it."""

    status = 508
    public = "The request goes round in a circle."


class StoreUnavailable(GatewayError):
    """The session store did not answer. Transient: nobody is signed out for it."""

    status = 503
    public = "Sessions cannot be read right now."


class StorageUnavailable(GatewayError):
    """The pool's database is busy or failed. Transient: what was asked has not been done."""

    status = 503
    public = "The service is busy. Please try again in a moment."


class UpstreamError(GatewayError):
    """Never raised itself: the service behind the gateway did not do what was asked."""

    status = 502
    public = "The service behind this gateway did not answer properly."


class NoUpstream(UpstreamError):
    """No upstream is configured for this host and path."""

    status = 404
    public = "There is nothing here."


class UpstreamUnreachable(UpstreamError):
    """No connection could be made."""

    public = "The service behind this gateway cannot be reached."


class UpstreamBusy(UpstreamError):
    """All connections are in use, and none came free in time. `retry_after` is in seconds."""

    status = 503
    public = "The service behind this gateway is busy."

    def __init__(self, message: str, retry_after: int = 1) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class UpstreamTimeout(UpstreamError):
    """Connected, but the answer did not begin in time."""

    status = 504
    public = "The service behind this gateway took too long."


class BadUpstreamAnswer(UpstreamError):
    """The answer is not HTTP, is too large, or contradicts itself."""

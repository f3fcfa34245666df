"""The pages that the gateway itself shows: words and one layout, every value escaped."""

import base64
import hashlib
from html import escape
from typing import Final

from gateway.core.oidc import Problem

_STYLE: Final = """
:root{color-scheme:light dark;--bg:#f4f5f7;--card:#fff;--text:#1b1f24;--soft:#57606a;--line:#d8dee4;--accent:#2f5bd7;--on:#fff}
@media(prefers-color-scheme:dark){:root{--bg:#0f1216;--card:#181c22;--text:#e8ebef;--soft:#a2abb6;--line:#2c333c;
--accent:#8fb0ff;--on:#0c1220}}
*{box-sizing:border-box}
body{margin:0;min-height:100vh;display:flex;align-items:center;justify-content:center;padding:24px 16px;
background:var(--bg);color:var(--text);font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",sans-serif}
main{width:100%;max-width:30rem;background:var(--card);border:1px solid var(--line);border-radius:14px;
padding:clamp(24px,5vw,40px);box-shadow:0 1px 2px rgba(0,0,0,.05),0 12px 32px rgba(0,0,0,.06)}
h1{margin:0 0 .5rem;font-size:1.45rem;line-height:1.25;letter-spacing:-.01em}
p{margin:.5rem 0;color:var(--soft);overflow-wrap:anywhere}
.actions{display:flex;flex-wrap:wrap;gap:12px;margin-top:1.5rem}
.button{display:inline-block;padding:.6rem 1.15rem;border:1px solid var(--accent);border-radius:9px;background:var(--accent);
color:var(--on);font:inherit;font-weight:600;text-decoration:none;cursor:pointer}
.button.quiet{background:transparent;color:var(--accent)}
.button:focus-visible{outline:3px solid var(--accent);outline-offset:2px}
.fine{margin-top:1.5rem;padding-top:1rem;border-top:1px solid var(--line);font-size:.85rem}
.fine+.fine{margin-top:.5rem;padding-top:0;border:0}
form{margin:0}
""".strip()

_STYLE_HASH: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()

_SCRIPT: Final = 'location.replace(document.querySelector("a").href+encodeURIComponent(location.hash))'
_SCRIPT_HASH: Final = base64.b64encode(hashlib.sha256(_SCRIPT.encode()).digest()).decode()

CONTENT_SECURITY_POLICY: Final = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; frame-ancestors 'none'"
)
"""Our pages run no script, load nothing, and are framed by nobody. No `form-action`: signing out is a POST to the gateway
that the browser is then redirected away from, and Chromium applies `form-action` to the redirect's target too."""
SCRIPT_POLICY: Final = f"{CONTENT_SECURITY_POLICY}; script-src 'sha256-{_SCRIPT_HASH}'"
"""For the one page that runs a script, and no other script than that: see `with_fragment`."""


REQUEST_ID_MARK: Final = "<!--request id-->"
"""Where a page has the id of its request, once that is known."""


def request_id(value: str) -> str:
    """The line of a page by which its request is found in the log."""
    return f'<p class="fine">Request id: {escape(value)}</p>'


def page(title: str, *paragraphs: str, actions: str = "", fine: str = "", to: str = "") -> str:
    """The layout. `title`, `paragraphs` and `fine` are plain text; `actions` is HTML made by `link` or `form`; `to` is an
    address to which the browser goes on by itself."""
    text = "".join(f"<p>{escape(paragraph)}</p>" for paragraph in paragraphs)
    row = f'<div class="actions">{actions}</div>' if actions else ""
    note = f'<p class="fine">{escape(fine)}</p>' if fine else ""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1"><meta name="robots" content="noindex">'
        f"{_refresh(to) if to else ''}<title>{escape(title)}</title><style>{_STYLE}</style></head>"
        f"<body><main><h1>{escape(title)}</h1>{text}{row}{note}{REQUEST_ID_MARK}</main></body></html>"
    )


_QUOTE: Final = "'"


def _refresh(address: str) -> str:
    # HTML §4.2.5.3, "shared declarative refresh steps": in quotes, the address may hold anything but such a quote.
    content = f"0;url='{address.replace(_QUOTE, '%27')}'"
    return f'<meta http-equiv="refresh" content="{escape(content)}">'


def go_on(target: str) -> str:
    """In place of a redirect: for an address that is too long for a header, or where the browser has to start anew."""
    return page("You are being signed in", "This takes a moment.", actions=link(target, "Continue"), to=target)


def with_fragment(login: str) -> str:
    """Goes on to `login`, whose last parameter is the return address, with this page's own fragment at its end: only a
    script can read that, and the form of a sign-in page would lose it."""
    fallback = f"<noscript>{_refresh(login)}</noscript><script>{_SCRIPT}</script>"
    return page("Please sign in", "You are being taken to the sign-in page.", actions=link(login, "Sign in") + fallback)


def link(address: str, text: str, *, quiet: bool = False, top: bool = False) -> str:
    """A link that looks like a button; `top` opens it outside the frame that shows the page."""
    kind = "button quiet" if quiet else "button"
    target = ' target="_top" rel="noopener"' if top else ""
    return f'<a class="{kind}" href="{escape(address)}"{target}>{escape(text)}</a>'


def form(action: str, text: str, fields: dict[str, str]) -> str:
    """A button that POSTs `fields` to `action`."""
    hidden = "".join(
        f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">' for name, value in fields.items()
    )
    return (
        f'<form method="post" action="{escape(action)}">{hidden}<button class="button">{escape(text)}</button></form>'
    )


def sign_in_needed(login: str) -> str:
    """For a POST by a visitor without a session: a redirect would lose what was sent."""
    return page(
        "Please sign in first",
        "What you sent was not delivered, because you are not signed in or your session is over.",
        "Sign in, then go back and send it again.",
        actions=link(login, "Sign in"),
    )


def sign_in_outside_frame(login: str) -> str:
    """For a frame: sign-in pages refuse to be framed, so the link opens at the top."""
    return page(
        "Please sign in", "This part of the page needs you to be signed in.", actions=link(login, "Sign in", top=True)
    )


def sign_in_at_top(login: str) -> str:
    """For a script that puts the response into its page: the link is one that no script follows in its place (Turbo and
    htmx leave links with a target alone)."""
    return page(
        "Please sign in", "You are not signed in, or your session is over.", actions=link(login, "Sign in", top=True)
    )


def forbidden(home: str, logout: str | None) -> str:
    """The rules say no. `logout` None: nobody is signed in."""
    sentence = "You are signed in, but your account has no access to it." if logout else "It is not open to anyone."
    return page(
        "You cannot open this page",
        sentence,
        actions=link(home, "Go to the start page") + (link(logout, "Sign out", quiet=True) if logout else ""),
        fine="If you think that you should have access, ask whoever runs this service.",
    )


def cookie_not_kept(login: str) -> str:
    """The redirect-loop breaker's page, where the browser came back without a cookie of ours."""
    return page(
        "Sign-in does not complete",
        "You were sent to the sign-in page several times in a row, and each time your browser came back without its cookie.",
        "Check that cookies are allowed for this address, and that it is the one that you normally use. "
        "A private window or another browser helps to find out.",
        actions=link(login, "Try again"),
    )


def too_many_attempts(login: str, *, late: bool) -> str:
    """The redirect-loop breaker's page, where the cookies are not the cause."""
    cause = (
        "Each time you came back too late: a sign-in has to be finished within 15 minutes."
        if late
        else "Each time you came back with something that the sign-in service had used up already, or did not accept."
    )
    return page(
        "Sign-in does not complete",
        "You were sent to the sign-in page several times in a row.",
        cause,
        actions=link(login, "Start again"),
    )


def address_too_long(login: str) -> str:
    """Before a sign-in: the address cannot be kept until it is over."""
    return page(
        "Please sign in first",
        "You are not signed in, and the address that you asked for is too long to be kept during the sign-in.",
        "Sign in, then open it again.",
        actions=link(login, "Sign in"),
    )


def address_lost(home: str) -> str:
    """After a sign-in: the address is not there any more."""
    return page(
        "You are signed in",
        "The address that you asked for was too long to be kept. Please open it again.",
        actions=link(home, "Go to the start page"),
    )


def bad_callback(login: str) -> str:
    """The answer of the sign-in service cannot be used."""
    return page(
        "This sign-in link cannot be used",
        "It is incomplete, or it was made for another visit. Nobody was signed in.",
        actions=link(login, "Sign in"),
    )


_PROBLEMS: Final[dict[Problem, tuple[int, str, str]]] = {
    Problem.DENIED: (403, "Sign-in was cancelled", "The sign-in service says that access was not granted."),
    Problem.SIGN_IN_NEEDED: (401, "Please sign in", "The sign-in service needs you to sign in."),
    Problem.MISCONFIGURED: (400, "Sign-in is not set up correctly", "Only whoever runs this service can change that."),
    Problem.UNAVAILABLE: (503, "Sign-in is not available right now", "Trying again in a moment often helps."),
    Problem.OTHER: (400, "Sign-in did not work", "The sign-in service could not process the request."),
}


def provider_error(problem: Problem, login: str, said: str = "") -> tuple[int, str]:
    """Status and page for what the provider said. `said` is its own text: shown escaped, and marked as a quotation
    (H2)."""
    status, title, sentence = _PROBLEMS[problem]
    fine = f"It said: “{said}”" if said else ""
    lasts = problem is Problem.MISCONFIGURED
    actions = link(login, "Sign in again", quiet=True) if lasts else link(login, "Try again")
    return status, page(title, sentence, actions=actions, fine=fine)


def not_understood(reason: str, login: str) -> str:
    """The provider responded to the code with something that cannot be used: the next time it will do the same."""
    return page("Sign-in did not work", reason, _TELL, actions=link(login, "Sign in again", quiet=True))


def unavailable(title: str, sentence: str, retry: str | None, *, passes: bool) -> str:
    """Something behind the gateway does not respond; `passes`: by its nature that does not last."""
    advice = "Please try again in a moment." if passes else _TELL
    return page(title, sentence, advice, actions=link(retry, "Try again") if retry else "")


_TELL: Final = "If it happens again, please tell whoever runs this service."


def confirm_sign_out(action: str, fields: dict[str, str], home: str) -> str:
    """Asks before signing out, since a GET must not change anything."""
    return page("Sign out?", "You will be signed out here and at the sign-in service.",
                actions=form(action, "Sign out", fields) + link(home, "Stay signed in", quiet=True))  # fmt: skip


def signed_out(login: str) -> str:
    """After signing out."""
    return page("You are signed out", "It is safe to close this window.", actions=link(login, "Sign in again"))


def signed_out_here(provider: str) -> str:
    """After a script's request to sign out: the provider's own session is still there."""
    return page(
        "You are signed out here",
        "The sign-in service may still know you.",
        actions=link(provider, "Sign out there too", top=True),
    )


def sign_out_refused(confirm: str) -> str:
    """A sign-out that another site seems to have sent."""
    return page(
        "Please confirm that you want to sign out",
        "The request came from somewhere else, so nothing was done.",
        actions=link(confirm, "Continue"),
    )

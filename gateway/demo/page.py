"""The greeting page of the sample application: who is signed in, what the gateway says about them, and a way out.

It has no script at all: what tells the application who the user is are header lines, which no page can read.
"""

import base64
import hashlib
from html import escape
from urllib.parse import unquote

from gateway.core.asgi import HeaderList

_STYLE = """
:root{color-scheme:light dark;--ink:#1b2430;--soft:#5b6878;--paper:#fff;--ground:#eef2f7;--line:#dbe2ea;
--accent:#0b6bcb}
@media(prefers-color-scheme:dark){:root{--ink:#e8edf3;--soft:#a3b0bf;--paper:#1a222c;--ground:#10161d;--line:#2e3a47;
--accent:#6cb2ff}}
*{box-sizing:border-box}
body{margin:0;min-height:100vh;display:grid;place-items:center;padding:2rem 1rem;background:var(--ground);
color:var(--ink);font:1rem/1.55 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
main{width:min(42rem,100%);background:var(--paper);border:1px solid var(--line);border-radius:16px;
padding:clamp(1.25rem,5vw,2.5rem);box-shadow:0 12px 40px rgb(15 30 55/.08)}
.who{display:flex;gap:1rem;align-items:center}
.badge{flex:none;width:3.5rem;height:3.5rem;border-radius:50%;display:grid;place-items:center;font-size:1.4rem;
font-weight:600;background:var(--accent);color:var(--paper)}
h1{margin:0;font-size:clamp(1.4rem,4vw,1.9rem);line-height:1.2;overflow-wrap:anywhere}
.mail{margin:.2rem 0 0;color:var(--soft);overflow-wrap:anywhere}
h2{margin:2rem 0 .4rem;font-size:1rem}
p{margin:.4rem 0}
dl{margin:.8rem 0 0;border-top:1px solid var(--line)}
dl div{display:grid;grid-template-columns:minmax(9rem,14rem) 1fr;gap:.25rem 1rem;padding:.6rem 0;
border-bottom:1px solid var(--line)}
dt{color:var(--soft);font:.9rem/1.6 ui-monospace,Menlo,Consolas,monospace}
dd{margin:0;overflow-wrap:anywhere}
@media(max-width:32rem){dl div{grid-template-columns:1fr}}
form{margin-top:2rem}
button{font:inherit;font-weight:600;padding:.7rem 1.4rem;border-radius:10px;border:1px solid var(--accent);
background:var(--accent);color:var(--paper);cursor:pointer}
button:hover{filter:brightness(1.08)}
button:focus-visible{outline:3px solid var(--accent);outline-offset:3px}
"""

_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()

HEADERS: HeaderList = [
    (b"content-type", b"text/html; charset=utf-8"),
    (b"cache-control", b"private, no-store"),
    (b"x-content-type-options", b"nosniff"),
    # No form-action: browsers apply it to redirects too, and sign-out leads on to the provider. No `no-referrer`: it
    # would turn the form's Origin into "null", by which the gateway knows that the button is ours.
    (b"referrer-policy", b"same-origin"),
    (
        b"content-security-policy",
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; frame-ancestors 'none'".encode(),
    ),
]

_IDENTITY = ("x-forwarded-", "x-auth-request-", "x-amzn-oidc-")
_PATH_FACTS = frozenset({"x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-forwarded-port"})


def identity(headers: HeaderList) -> dict[str, str]:
    """The identity that the gateway added, names in lower case, percent-encoded values decoded."""
    lines = ((name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in headers)
    return {name: unquote(value) for name, value in lines if name.startswith(_IDENTITY) and name not in _PATH_FACTS}


def render(headers: HeaderList) -> bytes:
    """The page for a request with these headers."""
    known = identity(headers)
    mail = known.get("x-forwarded-email", "")
    name = known.get("x-forwarded-name") or mail or known.get("x-forwarded-user") or ""
    rows = "".join(
        f"<div><dt>{escape(key)}</dt><dd>{escape(_short(key, value))}</dd></div>"
        for key, value in sorted(known.items())
    )
    return _TEMPLATE.format(
        style=_STYLE,
        badge=escape(name[:1].upper() or "?"),
        greeting=f"Welcome, {escape(name)}" if name else "Welcome, stranger",
        mail=escape(mail) if mail else "No gateway in front of this page has said who you are.",
        rows=f"<dl>{rows}</dl>" if rows else "<p>None.</p>",
        sign_out=_SIGN_OUT if known else "",
    ).encode()


def _short(name: str, value: str) -> str:
    """Tokens, when an operator forwards them, are none of the page's business."""
    return f"({len(value)} characters, not shown)" if name.endswith(("token", "oidc-data")) else value


_SIGN_OUT = '<form method="post" action="/oauth2/logout"><button type="submit">Sign out</button></form>'

_TEMPLATE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Sample application</title>
<style>{style}</style>
</head>
<body>
<main>
<div class="who">
<div class="badge" aria-hidden="true">{badge}</div>
<div><h1>{greeting}</h1><p class="mail">{mail}</p></div>
</div>
<h2>What this application was told</h2>
<p>It knows nothing of passwords or tokens. The gateway adds these lines to each request:</p>
{rows}
{sign_out}
</main>
</body>
</html>
"""

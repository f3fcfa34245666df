"""Turn the templates and assets of the hosted pages into responses."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from gateway.pool.mismatch import Fact

_FOLDER: Final = Path(__file__).parent / "pages"
_TYPES: Final = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
_YEAR: Final = 365 * 86400
STATIC: Final = "/static"

_STRICT: Final = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'"
)
STAYING_CSP: Final = f"{_STRICT}; form-action 'self'"
LEAVING_CSP: Final = _STRICT
"""For pages whose form may end at the application: browsers apply `form-action` to the redirects after a post too, and
the application's own onward redirects cannot be known here (w3c/webappsec-csp#8)."""


class Assets:
    """The static files, read once; their addresses carry a digest, so that browsers may keep them for ever."""

    def __init__(self) -> None:
        files = sorted((_FOLDER / "static").iterdir())
        self._files = {file.name: (file.read_bytes(), _TYPES[file.suffix]) for file in files if file.suffix in _TYPES}

    def address(self, name: str) -> str:
        """Where a page finds the file."""
        return f"{STATIC}/{name}?v={hashlib.sha256(self._files[name][0]).hexdigest()[:12]}"

    async def serve(self, request: Request) -> Response:
        """Answer `GET /static/{name}`; only names that exist, so nothing outside the folder can be named."""
        body, kind = self._files.get(request.path_params["name"], (b"", ""))
        if not kind:
            return Response("Not found\n", 404, media_type="text/plain")
        return Response(body, media_type=kind, headers={"cache-control": f"public, max-age={_YEAR}, immutable"})


class Pages:
    """The templates, with HTML escaping always on (R14, H1)."""

    def __init__(self, pool_name: str) -> None:
        self.assets = Assets()
        self._environment = Environment(
            loader=FileSystemLoader(_FOLDER),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            auto_reload=False,
        )
        self._environment.globals.update(asset=self.assets.address, pool_name=pool_name)

    def render(self, name: str, *, status: int = 200, csp: str = STAYING_CSP, **values: Any) -> HTMLResponse:
        """One page; every value is escaped by the template."""
        text = self._environment.get_template(name).render(values)
        return HTMLResponse(text, status, headers={"content-security-policy": csp})

    def message(
        self, heading: str, text: str, *, status: int = 200, reason: str = "", advice: str = "",
        facts: Sequence[Fact] = (),
    ) -> HTMLResponse:  # fmt: skip
        """A page that only says something: what happened, why, what to do, and `facts` for developers."""
        return self.render(
            "message.html", status=status, heading=heading, text=text, reason=reason, advice=advice, facts=facts
        )

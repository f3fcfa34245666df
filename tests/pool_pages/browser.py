"""A small browser without JavaScript: follows the pool's redirects, keeps cookies, fills in forms."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import parse_qsl, urljoin, urlsplit

import httpx

BASE = "http://localhost:8001"
CALLBACK = "http://localhost:8000/oauth2/callback"
SIGNED_OUT = "http://localhost:8000/"
CLIENT_ID = "1example23456789"
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
PASSWORD = "Analytical-Engine-1"

ASK = {
    "response_type": "code",
    "client_id": CLIENT_ID,
    "redirect_uri": CALLBACK,
    "scope": "openid email",
    "state": "st4te",
    "nonce": "n0nce",
    "code_challenge": CHALLENGE,
    "code_challenge_method": "S256",
}


@dataclass
class Form:
    """One form of a page and what it would send."""

    name: str
    action: str
    fields: dict[str, str] = field(default_factory=dict)
    inputs: dict[str, dict[str, str]] = field(default_factory=dict)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: dict[str, Form] = {}
        self.ids: list[str] = []
        self.classes: set[str] = set()
        self.labels: set[str] = set()
        self.links: dict[str, str] = {}
        self.words: list[str] = []
        self._form: Form | None = None
        self._href = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.ids += [given["id"]] if "id" in given else []
        self.classes |= set(given.get("class", "").split())
        self._href = given.get("href", "") if tag == "a" else self._href
        if tag == "label":
            self.labels.add(given.get("for", ""))
        if tag == "form":
            self._form = Form(given.get("name", ""), given["action"])
            self.forms[self._form.name] = self._form
        if tag in {"input", "button"} and self._form and given.get("name"):
            self._form.inputs[given["name"]] = given | {"tag": tag}
            self._form.fields[given["name"]] = given.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._form = None
        if tag == "a":
            self._href = ""

    def handle_data(self, data: str) -> None:
        self.words.append(data)
        if self._href:
            self.links[data.strip()] = self._href


class Page:
    """An answer, read."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self.status = response.status_code
        self.url = str(response.url)
        self.path = urlsplit(self.url).path
        self.location: str = response.headers.get("location", "")
        self.html = response.text
        reader = _Reader()
        reader.feed(self.html)
        self.forms, self.ids, self.labels, self.links = reader.forms, reader.ids, reader.labels, reader.links
        self.classes = reader.classes
        self.text = " ".join("".join(reader.words).split())

    @property
    def answer(self) -> dict[str, str]:
        """The parameters of the address that the browser is sent to."""
        return dict(parse_qsl(urlsplit(self.location).query))


class Browser:
    """Cookies of one person; leaves the pool only in `location`."""

    def __init__(self, app: object, headers: dict[str, str] | None = None) -> None:
        self.app = app
        transport = httpx.ASGITransport(app=app)  # type: ignore[arg-type]
        self.client = httpx.AsyncClient(transport=transport, base_url=BASE, headers=headers)

    @property
    def cookies(self) -> dict[str, str]:
        """Name and value of each cookie."""
        return {cookie.name: cookie.value or "" for cookie in self.client.cookies.jar}

    async def get(self, path: str, params: dict[str, str] | None = None, **options: object) -> Page:
        """Open an address, and follow while it stays in the pool."""
        return await self.follow(await self.client.get(path, params=params, **options))  # type: ignore[arg-type]

    async def once(self, path: str, params: dict[str, str] | None = None, **options: object) -> Page:
        """Open an address without following."""
        return Page(await self.client.get(path, params=params, **options))  # type: ignore[arg-type]

    async def follow(self, response: httpx.Response) -> Page:
        """Follow redirects within the pool."""
        for _ in range(6):
            target = urljoin(str(response.url), response.headers.get("location", ""))
            if response.status_code != 302 or not target.startswith(f"{BASE}/"):
                break
            response = await self.client.get(target)
        return Page(response)

    async def submit(self, page: Page, form: str, *, button: str = "", **fields: str) -> Page:
        """Send a form with its hidden fields, and `fields` in place of its own."""
        return await self.follow(await self.post(page, form, button=button, **fields))

    async def post(self, page: Page, form: str, *, button: str = "", **fields: str) -> httpx.Response:
        """Send a form; its answer as it is."""
        found = page.forms[form]
        buttons = {name for name, given in found.inputs.items() if given["tag"] == "button" and name != button}
        data = {name: value for name, value in (found.fields | fields).items() if name not in buttons}
        return await self.client.post(urljoin(page.url, found.action), data=data)

    # Whole journeys -------------------------------------------------------------------------------------------------

    async def login_page(self, **changes: str) -> Page:
        """The sign-in page that an application's visitor sees."""
        return await self.get("/oauth2/authorize", ASK | changes)

    async def sign_in(self, username: str, password: str, **changes: str) -> Page:
        """From the application to the answer of the sign-in form."""
        page = await self.login_page(**changes)
        return await self.submit(page, "cognitoSignInForm", username=username, password=password)

    async def sign_up(self, username: str, password: str = PASSWORD, name: str = "Grace Hopper") -> Page:
        """From the application over the sign-up form to what follows."""
        page = await self.get("/signup", ASK)
        return await self.submit(
            page, "signupform", **{"username": username, "password": password, "requiredAttributes[name]": name}
        )

"""Sign in at the pool the way a browser does, and keep the cookies that the proxy set."""

import re
from html import unescape

import httpx

from bench.world import ADA, PASSWORD

_ACTION = re.compile(r'<form[^>]*name="cognitoSignInForm"[^>]*action="([^"]*)"')
_HIDDEN = re.compile(r'<input type="hidden" name="([^"]*)" value="([^"]*)"')


def sign_in(url: str) -> str:
    """The Cookie header of a browser that has signed in at `url` (on 127.0.0.1; the pool is on localhost)."""
    with httpx.Client(follow_redirects=True, trust_env=False, timeout=20) as browser:
        page = browser.get(
            url, headers={"accept": "text/html", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}
        )
        form = _ACTION.search(page.text)
        if form is None:
            raise RuntimeError(f"{url} did not lead to the sign-in page: {page.status_code} {page.text[:300]}")
        fields = {name: unescape(value) for name, value in _HIDDEN.findall(page.text)}
        target = str(page.url.join(unescape(form[1])))
        done = browser.post(target, data={**fields, "username": ADA, "password": PASSWORD})
        if done.status_code != 200:
            raise RuntimeError(f"signing in at {url} ended with {done.status_code}: {done.text[:300]}")
        cookies = [cookie for cookie in browser.cookies.jar if cookie.domain == "127.0.0.1"]
        return "; ".join(f"{cookie.name}={cookie.value}" for cookie in cookies)

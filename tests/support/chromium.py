"""A real Chromium, driven by Playwright, from the system's package."""

import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from playwright.async_api import Browser, async_playwright

ARGS = (
    # Root in a container has no sandbox to use; the pages under test are our own.
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    # Nothing but the test may go out.
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def executable() -> str:
    """Where the browser is. Raises FileNotFoundError with what to install."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if path := shutil.which(name):
            return path
    raise FileNotFoundError("no Chromium on this system: run `make test`, or install the package chromium")


@asynccontextmanager
async def chromium(more: Sequence[str] = (), *, pages_kept: bool = False) -> AsyncIterator[Browser]:
    """A browser without windows; each context in it is a person of their own. `pages_kept`: the back button finds pages
    as they were left, as in every browser that people use."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=executable(),
            args=[*ARGS, *more],
            ignore_default_args=["--disable-back-forward-cache"] if pages_kept else None,
        )
        try:
            yield browser
        finally:
            await browser.close()

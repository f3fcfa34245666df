"""`cognito-gateway demo` as a newcomer meets it: a process, its banner, its mailbox, Ctrl-C, a second run."""

import asyncio
import os
import re
import signal
import sys
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from tests.support.chromium import chromium
from tests.support.stack import free_port

pytestmark = [pytest.mark.browser, pytest.mark.network]

ROOT = Path(__file__).parents[2]


@asynccontextmanager
async def demo(folder: Path, ports: dict[str, str]):
    """The demo, ready; its banner. It must end cleanly at Ctrl-C."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gateway", "demo", "--data", str(folder),
        cwd=ROOT, env={**os.environ, **ports}, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    assert process.stdout is not None
    banner = ""
    try:
        while "Ctrl-C ends" not in banner:
            line = await process.stdout.readline()
            assert line, f"the demo ended before it was ready:\n{banner}"
            banner += line.decode()
        yield banner
        process.send_signal(signal.SIGINT)
        rest = (await process.stdout.read()).decode()
        assert await process.wait() == 0, rest
        assert "Traceback" not in rest
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def code_in_mailbox(page: Page, mailbox: str) -> str:
    """The newest code, read where the banner says."""
    tab = await page.context.new_page()
    await tab.goto(mailbox)
    text = await tab.locator("body").inner_text()
    await tab.close()
    return str(re.findall(r"\b\d{6}\b", text)[0])


async def sign_in(page: Page, user: str, password: str) -> None:
    await page.fill("#signInFormUsername", user)
    await page.fill("#signInFormPassword", password)
    await page.click("[name=signInSubmitButton]")


async def test_a_newcomer_s_first_minutes(tmp_path):
    """Banner → sign up → code from the mailbox → greeting → sign out → forgot the password → signed in; and the second
    run still knows the user of the first."""
    ports = {name: str(free_port()) for name in ("POOL_PORT", "APP_PORT", "GATEWAY_PORT")}
    gateway = f"http://localhost:{ports['GATEWAY_PORT']}/"
    async with chromium() as browser:
        context = await browser.new_context()
        page = await context.new_page()
        async with demo(tmp_path, ports) as banner:
            mailbox = re.findall(r"http://localhost:\d+/_dev/mail", banner)[0]
            user, password = re.findall(r"Sign in as\s+(\S+)\s+password\s+(\S+)", banner)[0]
            await page.goto(gateway)
            await sign_in(page, user, password)
            await expect(page.locator("h1")).to_have_text("Welcome, Ada Lovelace")
            await page.click("text=Sign out")

            await page.click("text=Sign up")
            await page.fill("[name=username]", "grace@example.com")
            await page.fill("[name='requiredAttributes[name]']", "Grace Hopper")
            await page.fill("[name=password]", "Nanosecond-1906")
            await page.click("[name=signUpButton]")
            await page.wait_for_url("**/confirm?*")
            await page.fill("#verification_code", await code_in_mailbox(page, mailbox))
            await page.click("text=Confirm account")
            await expect(page.locator("h1")).to_have_text("Welcome, Grace Hopper")

            await page.click("text=Sign out")
            await page.click("text=Forgot your password?")
            await page.fill("[name=username]", "grace@example.com")
            await page.click("[name=reset_my_password]")
            await page.wait_for_url("**/confirmforgotPassword?*")
            await page.fill("#forgot_password_code", await code_in_mailbox(page, mailbox))
            await page.fill("#new_password", "Compiler-A0-1952")
            await page.fill("#confirm_password", "Compiler-A0-1952")
            await page.click("[name=reset_password]")
            await sign_in(page, "grace@example.com", "Compiler-A0-1952")
            await expect(page.locator("h1")).to_have_text("Welcome, Grace Hopper")

        async with demo(tmp_path, ports):
            other = await browser.new_page()
            await other.goto(gateway)
            await sign_in(other, "grace@example.com", "Compiler-A0-1952")
            await expect(other.locator("h1")).to_have_text("Welcome, Grace Hopper")

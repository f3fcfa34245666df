"""Applications that nobody here wrote, behind the gateway, in Chromium: pages, uploads and WebSockets of their own."""

import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import Page, WebSocket, expect

from tests.support.chromium import chromium
from tests.support.stack import ADA, PASSWORD, free_port, local_stack
from tests.world.apps import node_app, python_app, running_app

pytestmark = [pytest.mark.world, pytest.mark.browser, pytest.mark.network]


@asynccontextmanager
async def visited(command: Sequence[str | Path], port: int, folder: Path, path: str = "/") -> AsyncIterator[Page]:
    """The application's page at `path`, after a sign-in; errors of its scripts are collected in `page.errors`."""
    home = folder / "app"
    home.mkdir(exist_ok=True)
    async with (
        running_app(command, port, home),
        local_stack(folder, upstreams=[{"url": f"http://127.0.0.1:{port}"}]) as stack,
        chromium(stack.chromium_args) as browser,
    ):
        page = await browser.new_page()
        await page.goto(stack.gateway_url + path)
        await page.fill("#signInFormUsername", ADA)
        await page.fill("#signInFormPassword", PASSWORD)
        await page.click("[name=signInSubmitButton]")
        yield page


async def test_jupyterlab_runs_a_notebook_cell(tmp_path):
    """JupyterLab opens a notebook, starts a kernel over its WebSocket, and shows what a cell computes."""
    programs, port = python_app("jupyterlab==4.6.6"), free_port()
    command: list[str | Path] = [
        *(programs / "jupyter-lab", f"--port={port}", "--no-browser", "--allow-root"),
        *("--IdentityProvider.token=", "--ServerApp.allow_remote_access=True", "--ServerApp.root_dir=."),
    ]
    async with visited(command, port, tmp_path, "/lab") as page:
        await page.locator(".jp-LauncherCard[title*='Python 3']").first.click(timeout=60_000)
        await expect(page.locator("body")).to_contain_text("Python 3 (ipykernel) | Idle", timeout=60_000)
        cell = page.locator(".jp-Notebook .cm-content").first
        await cell.fill("print(6 * 7)")
        await cell.press("Shift+Enter")
        await expect(page.locator(".jp-OutputArea-output").first).to_contain_text("42", timeout=60_000)


async def test_streamlit_answers_over_its_websocket(tmp_path):
    """Streamlit's script runs again with what a user enters, and takes an uploaded file."""
    programs, port = python_app("streamlit==1.67.0"), free_port()
    script = tmp_path / "page.py"
    script.write_text(
        "import streamlit as st\n"
        "st.write('Hello, ' + st.text_input('Name'))\n"
        "file = st.file_uploader('File')\n"
        "st.write(f'{len(file.getvalue())} bytes' if file else 'no file')\n"
    )
    command = [
        *(programs / "streamlit", "run", script, f"--server.port={port}", "--server.address=127.0.0.1"),
        *("--server.headless=true", "--browser.gatherUsageStats=false"),
    ]
    async with visited(command, port, tmp_path) as page:
        await page.get_by_label("Name").fill("Ada", timeout=60_000)
        await page.keyboard.press("Enter")
        await expect(page.locator("body")).to_contain_text("Hello, Ada", timeout=30_000)
        upload = {"name": "notes.bin", "mimeType": "application/octet-stream", "buffer": b"x" * 300_000}
        await page.locator("input[type=file]").set_input_files(upload)  # type: ignore[arg-type]  # a FilePayload
        await expect(page.locator("body")).to_contain_text("300000 bytes", timeout=30_000)


async def test_marimo_runs_a_cell(tmp_path):
    """marimo's notebook connects over its WebSocket, and a cell's result appears."""
    programs, port = python_app("marimo==0.25.2"), free_port()
    notebook = tmp_path / "notebook.py"
    cell = "    import marimo as mo\n    mo.md(f'Result: {6 * 7}')\n    return\n"
    notebook.write_text(f"import marimo\napp = marimo.App()\n@app.cell\ndef _():\n{cell}")
    command = [programs / "marimo", "run", notebook, "--headless", "--no-token", "--host=127.0.0.1", f"--port={port}"]
    async with visited(command, port, tmp_path) as page:
        await expect(page.locator("body")).to_contain_text("Result: 42", timeout=60_000)


async def test_node_red_deploys_a_flow(tmp_path):
    """Node-RED's editor loads, stays connected over its WebSocket, and deploys."""
    assert shutil.which("npm"), "this test needs npm"
    programs, port = node_app("node-red@4.1.8"), free_port()
    command = [programs / "node-red", "--port", str(port), "--userDir", tmp_path / "red", "-D", "uiHost=127.0.0.1"]
    sockets: list[WebSocket] = []
    async with visited(command, port, tmp_path) as page:
        page.on("websocket", lambda socket: sockets.append(socket))  # noqa: PLW0108 - Playwright marks what it calls
        await page.reload()
        await expect(page.locator("#red-ui-header-button-deploy")).to_be_visible(timeout=60_000)
        flow = [{"id": "tab1", "type": "tab", "label": "Deployed through the gateway"}]
        deploy = """flow => fetch('/flows', {
            method: 'POST', headers: {'content-type': 'application/json'}, body: JSON.stringify(flow),
        }).then(response => response.status)"""
        assert await page.evaluate(deploy, flow) == 204
        await page.reload()
        await expect(page.locator("#red-ui-workspace-tabs")).to_contain_text("Deployed through the gateway")
        assert any("/comms" in socket.url for socket in sockets)

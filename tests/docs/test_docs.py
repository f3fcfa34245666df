"""What is written is true: blocks load, compile and run, links lead somewhere, names are those of the code."""

import ast
import io
import json
import re
import shlex
import tomllib
from types import ModuleType

import httpx
import pytest
import yaml

from gateway import __version__
from gateway.app import Gateway
from gateway.cli import _parser, execute
from gateway.core.gate import Decision
from gateway.settings.load import loads, reads, reads_pool
from gateway.telemetry.logs import RequestLine, RequestLog
from gateway.telemetry.metrics import Metrics
from tests.support.documentation import ENVIRON, PAGES, ROOT, anchors, blocks, inline_code, name, prose
from tests.support.world import NAVIGATION, Noting

MINIMAL = yaml.safe_load((ROOT / "config" / "minimal.yaml").read_text())
COMMANDS = re.compile(r"(?:^|[\s;(])(?:[\w./$-]*/)?cognito-gateway((?: +(?!#)[^\s;)#>|]+)*)", re.MULTILINE)


def test_there_are_pages():
    """The tests below look at something."""
    assert {"README.md", "SECURITY.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/settings.md"} <= set(map(name, PAGES))


@pytest.mark.parametrize("block", blocks("yaml"), ids=lambda block: block.where)
def test_every_yaml_block_loads(block, tmp_path):
    """A whole file loads as it stands and is not warned of, a part of one in the place that it has in a whole file."""
    text = block.text
    document = yaml.safe_load(text)
    whole = "provider" in document or "pool_id" in document
    if not whole:
        text = yaml.safe_dump({**MINIMAL, **document})
    load = reads_pool if "pool_id" in document else reads
    loaded = load(text.encode(), block.where, ENVIRON, tmp_path)
    assert not whole or loaded.notes() == []


@pytest.fixture
def ten_lines(monkeypatch):
    """The settings of the README, as they stand there, with the variables that it tells people to set."""
    (first,) = blocks("yaml", "README.md")
    assert len(first.text.splitlines()) == 10
    for variable, value in ENVIRON.items():
        monkeypatch.setenv(variable, value)
    return first.text


def test_the_ten_lines_of_the_readme_start(ten_lines, tmp_path, monkeypatch, capsys):
    """`cognito-gateway check --strict` says that the gateway would start with them, and warns of nothing."""
    (tmp_path / "gateway.yaml").write_text(ten_lines)
    monkeypatch.chdir(tmp_path)
    assert execute(["check", "--strict", "-c", "gateway.yaml"]) == 0
    assert capsys.readouterr() == ("gateway.yaml: no mistakes\n", "")


LIVE = "public_url: https://app.example.com"


@pytest.mark.parametrize("public", ["http://localhost:8000", "https://app.example.com"])
async def test_one_line_is_changed_to_go_live(public, ten_lines, tmp_path):
    """At both addresses browsers are sent to Cognito, with the callback that the page registers."""
    text = ten_lines if public.startswith("http:") else re.sub(r"^public_url: .+$", LIVE, ten_lines, flags=re.MULTILINE)
    page = (ROOT / "README.md").read_text()
    assert LIVE in page
    assert f"`{public}/oauth2/callback`" in page
    assert f"`{public}/`" in page
    gateway = Gateway(Noting(), loads(text.encode(), "gateway.yaml", ENVIRON, tmp_path), log=io.StringIO())
    assert gateway.settings.secure == public.startswith("https:")

    async with httpx.AsyncClient(transport=httpx.ASGITransport(gateway), base_url=public) as browser:
        response = await browser.get("/", headers=NAVIGATION)

    target = httpx.URL(response.headers["location"])
    assert target.host == "my-app.auth.eu-west-1.amazoncognito.com"
    assert target.params["redirect_uri"] == f"{public}/oauth2/callback"


@pytest.mark.parametrize("block", blocks("python"), ids=lambda block: block.where)
def test_every_python_block_compiles(block):
    """Whoever copies it gets no SyntaxError."""
    assert ast.parse(block.text, block.where)


async def test_the_middleware_of_the_page_sends_visitors_to_the_pool(tmp_path, monkeypatch):
    """`service.py` with the local pool's `gateway.yaml` protects its application."""
    (code,) = blocks("python", "docs/getting-started.md")
    settings = next(
        block for block in blocks("yaml", "docs/getting-started.md") if "LocalPool1\n  domain" in block.text
    )
    (tmp_path / "gateway.yaml").write_text(settings.text)
    monkeypatch.chdir(tmp_path)
    for variable, value in ENVIRON.items():
        monkeypatch.setenv(variable, value)
    service = ModuleType("service")
    exec(compile(code.text, "service.py", "exec"), service.__dict__)

    transport = httpx.ASGITransport(service.__dict__["app"])
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost:8000") as browser:
        answer = await browser.get("/", headers=NAVIGATION)

    assert answer.status_code == 302
    assert answer.headers["location"].startswith("http://localhost:8001/oauth2/authorize?")


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_between_pages_lead_somewhere(page):
    """A link names a file that is there, and a heading that is there."""
    for link in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        target, _, anchor = link.partition("#")
        if "://" in target:
            continue
        file = (page.parent / target).resolve() if target else page
        assert file.exists(), f"{name(page)}: {link}"
        assert file.is_relative_to(ROOT), f"{name(page)}: {link}"
        assert not anchor or anchor in anchors(file), f"{name(page)}: {link}"


def test_every_command_is_one():
    """Each `cognito-gateway ...` on the pages is taken by the command line, and each of its commands is described."""
    shell = [(block.where, block.text) for block in blocks("console")]
    text = [(name(page), code) for page in PAGES for code in inline_code(page)]
    seen = set()
    for where, source in shell + text:
        for arguments in COMMANDS.findall(source):
            given = shlex.split(arguments)
            if not given or given[0].endswith("/"):
                continue
            seen.add(" ".join(given[:2] if given[0] == "pool" else given[:1]))
            try:
                _parser().parse_args(given)
            except SystemExit as left:
                assert not left.code, f"{where}: cognito-gateway{arguments}"  # noqa: PT017 - argparse's own way out
    assert seen >= {"run", "check", "secret", "schema", "pool serve", "pool check", "demo", "--version"}


def test_every_make_target_exists():
    """`make ...` on the pages is a target of the Makefile."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    sources = [block.text for block in blocks("console")] + [code for page in PAGES for code in inline_code(page)]
    named = {target for source in sources for target in re.findall(r"^make ([a-z-]+)", source, re.MULTILINE)}
    assert {"demo", "test"} <= named <= targets


def test_the_log_line_on_the_page_is_one_of_ours():
    """It has the fields that are written, in their order, and nothing else."""
    (shown,) = blocks("json", "docs/operations.md")
    written = io.StringIO()
    RequestLog(written, lambda: 0.0, pretty=False).write(RequestLine("a", "GET", "/**", "allow", 200, 0.1))
    assert list(json.loads(shown.text)) == list(json.loads(written.getvalue()))


def test_every_metric_is_described():
    """The table of metrics is the registry."""
    registered = {
        f"{metric.name}_total" if metric.type == "counter" else metric.name for metric in Metrics().registry.collect()
    }
    rows = re.findall(r"^\| `(gateway_\w+)` \|", (ROOT / "docs" / "operations.md").read_text(), re.MULTILINE)
    assert set(rows) == registered


def test_every_decision_is_described():
    """What `decision` may say in a log line; a refresh is always decided again before anything is written."""
    row = re.search(r"^\| `decision` \|(.+)$", (ROOT / "docs" / "operations.md").read_text(), re.MULTILINE)
    assert row
    assert set(re.findall(r"`([a-z-]+)`", row[1])) == {each.value for each in Decision} - {"refresh"} | {"own"}


def test_the_layers_on_the_page_are_those_that_are_checked():
    """In the same order, from the top down."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    checked = [part.strip().removeprefix("gateway.") for row in contracts[0]["layers"] for part in row.split("|")]
    rows = re.findall(r"^\| (`.+?`) \| [a-zYH]", (ROOT / "docs" / "architecture.md").read_text(), re.MULTILINE)
    shown = [part for row in rows for part in re.findall(r"`(\w+)`", row)]
    assert shown[: len(checked)] == checked


def test_the_changelog_knows_the_version():
    """The version that the package has is a heading."""
    headings = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert any(__version__ in heading for heading in headings)

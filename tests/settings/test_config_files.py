"""What operators copy: every file in config/ loads, names every setting, and the JSON Schemas are current."""

import json
import re
from pathlib import Path

import pytest

from gateway.app_pool import pool_options
from gateway.core.secret import Secret
from gateway.proxy.options import UpstreamTimeouts
from gateway.settings.jsonschema import gateway_schema, pool_schema
from gateway.settings.load import loads, loads_pool
from gateway.settings.pool import PoolSettings
from gateway.settings.schema import GatewaySettings, OidcProvider, Timeouts
from gateway.settings.suggest import sections

CONFIG = Path(__file__).parents[2] / "config"
ENVIRON = {
    "COOKIE_SECRET": "vQ3xN8kLr2mT5wYb7cJd9fHg1pSa4uZe",
    "POOL_SECRET": "wR4yM9jKs3nU6xZc8dKe0gIh2qTb5vAf",
    "CLIENT_SECRET": "k2j4h5g6f7d8s9a0",
    "JOB_SECRET": "j9h8g7f6d5s4a3p2",
    "ADA_PASSWORD": "Analytical-Engine-1843",
}
POOLS = {"pool.yaml"}


def content(name: str, folder: Path) -> bytes:
    """A file of config/, with secret files looked for in a folder of the test."""
    (folder / "client_secret").write_text("from-a-file\n")
    return (CONFIG / name).read_bytes().replace(b"/run/secrets/", b"")


@pytest.mark.parametrize("name", sorted(path.name for path in CONFIG.glob("*.yaml")))
def test_every_file_in_config_loads(name, tmp_path):
    """What is copied works as it stands, with its variables set."""
    load = loads_pool if name in POOLS else loads
    assert load(content(name, tmp_path), name, ENVIRON, tmp_path) is not None


def test_the_minimal_file_has_ten_lines():
    """As the README promises."""
    assert len((CONFIG / "minimal.yaml").read_text().splitlines()) == 10


def test_the_reference_takes_its_secret_from_a_file(tmp_path):
    """The form that containers use."""
    settings = loads(content("gateway.yaml", tmp_path), "gateway.yaml", ENVIRON, tmp_path)
    assert settings.provider.client_secret == Secret("from-a-file")


@pytest.mark.parametrize(("name", "model"), [("gateway.yaml", GatewaySettings), ("pool.yaml", PoolSettings)])
def test_every_setting_is_in_the_reference(name, model):
    """A setting that is not written down, at least in a comment, does not exist for operators."""
    text = (CONFIG / name).read_text()
    missing = [
        f"{section}.{key}"
        for section, keys in sections(model)
        for key in keys
        if not re.search(rf"[\s{{#]{key}:", text)
    ]
    assert missing == []


def test_the_reference_writes_out_the_defaults(tmp_path):
    """Where the reference says default, the schema agrees."""
    settings = loads(content("gateway.yaml", tmp_path), "gateway.yaml", ENVIRON, tmp_path)
    plain = loads(content("minimal.yaml", tmp_path), "minimal.yaml", ENVIRON, tmp_path)
    assert settings.limits == plain.limits
    assert settings.logging == plain.logging
    assert settings.sign_in == plain.sign_in
    assert settings.headers == plain.headers
    assert settings.bearer == plain.bearer
    assert settings.upstreams[0].timeouts == plain.upstreams[0].timeouts
    assert settings.upstreams[0].tls == plain.upstreams[0].tls
    assert settings.session.model_copy(update={"idle_timeout": None}) == plain.session
    assert settings.provider.model_copy(update={"region": None, "client_secret": None}) == plain.provider.model_copy(
        update={"client_secret": None}
    )


def test_the_timeouts_are_those_of_the_proxy():
    """One truth about defaults: the proxy says why its times are what they are, and the file's are the same."""
    times = Timeouts()
    assert {name: getattr(UpstreamTimeouts(), name) for name in Timeouts.model_fields} == times.model_dump()
    assert times.keep_alive < 5, "Node and uvicorn close an unused connection after 5 s"


def test_the_commented_oidc_provider_loads(tmp_path):
    """The alternative at the end of the provider's block, without its comment signs."""
    text = content("gateway.yaml", tmp_path).decode()
    block = re.search(r"  # Any other provider:\n((?:  #   .*\n)+)", text)
    assert block
    provider = block[1].replace("  #   ", "  ")
    rest = text[text.index("# The address that browsers use.") :]
    settings = loads(f"provider:\n{provider}\n{rest}".encode(), "gateway.yaml", ENVIRON, tmp_path)
    assert isinstance(settings.provider, OidcProvider)


@pytest.mark.parametrize(("name", "made"), [("gateway.schema.json", gateway_schema), ("pool.schema.json", pool_schema)])
def test_the_published_schema_is_current(name, made):
    """`make schema` writes it anew."""
    assert (CONFIG / name).read_text() == made()


def test_the_schema_takes_variables_everywhere():
    """`port: ${PORT:-8000}` is a text in the file: editors must not underline it."""
    schema = json.loads(gateway_schema())
    port = schema["$defs"]["Listen"]["properties"]["port"]
    assert [kind["type"] for kind in port["anyOf"]] == ["integer", "string"]
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_the_pool_gets_what_its_file_says(tmp_path):
    """Settings become options one to one; derived values too."""
    options = pool_options(loads_pool(content("pool.yaml", tmp_path), "pool.yaml", ENVIRON, tmp_path))
    assert options.issuer == "http://localhost:8001/eu-west-1_LocalPool1"
    assert [client.client_id for client in options.clients] == ["1example23456789", "2example23456789"]
    assert options.clients[0].refresh_token_validity == 30 * 86400
    assert options.clients[1].allowed_flows == {"client_credentials"}
    assert options.seed_users[0].password == Secret("Analytical-Engine-1843")
    assert options.groups[0].precedence == 1
    assert options.mail.kind == "mailbox"
    assert options.database == "sqlite+aiosqlite:///data/pool.db"


def test_the_pools_defaults_are_those_of_its_options(tmp_path):
    """One truth about defaults: what the file leaves out is what the records say."""
    given = b"pool_id: eu-west-1_A1\nclients: [{client_id: a}]\nmail: {kind: folder, folder: x}\n"
    options = pool_options(loads_pool(given, "pool.yaml", {}, tmp_path))
    bare = type(options)(
        pool_id="eu-west-1_A1",
        base_url="http://localhost:8001",
        clients=(type(options.clients[0])(client_id="a"),),
        mail=options.mail,
    )
    assert options == bare

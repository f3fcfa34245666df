"""What the user got wrong and only the start can notice: a sentence on the error stream and exit code 2."""

import asyncio
import io
import socket
from pathlib import Path

import pytest

from gateway import cli
from gateway.demo import data
from gateway.serving import Listener, run
from gateway.telemetry.logs import configure
from tests.support.pool import NOW, opened, options_for

SECRET = "vQ3xN8kLr2mT5wYb7cJd9fHg1pSa4uZe"
FILE = """\
pool_id: {pool_id}
listen: {{port: {port}}}
database: {database}
clients: [{{client_id: web}}]
mail: {{kind: folder, folder: {folder}/mail}}
"""


@pytest.fixture
def serve(tmp_path, capsys):
    """`pool serve` with a file made of these words; what it says when it does not start, after file and line."""

    def start(*, pool_id: str = "eu-west-1_AbC123xyz", database: str = "", more: str = "") -> str:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        database = database or f"sqlite+aiosqlite:///{tmp_path}/pool.db"
        file = tmp_path / "pool.yaml"
        file.write_text(FILE.format(pool_id=pool_id, port=port, database=database, folder=tmp_path) + more)
        assert cli.execute(["pool", "serve", "-c", str(file)]) == 2
        said = capsys.readouterr()
        assert "Traceback" not in said.out + said.err
        where, line, words = str(said.err).split(":", 2)
        assert where == str(file)
        assert line in {str(number) for number, _ in enumerate(file.read_text().splitlines(), 1)}
        return words.removeprefix(" ")

    return start


@pytest.fixture
def somebodys_pool(tmp_path) -> None:
    """A database that a pool has used, without a secret."""

    async def prepare() -> None:
        async with opened(options_for(tmp_path, seed_users=()), lambda: float(NOW)):
            pass

    asyncio.run(prepare())


@pytest.mark.network
@pytest.mark.usefixtures("somebodys_pool")
def test_another_secret_than_the_databases(serve, tmp_path):
    """The keys in the database do not open: which file, and what to do."""
    assert serve(more=f"secret: {SECRET}\n") == (
        f"secret: does not open the keys in database {tmp_path}/pool.db: they were sealed with another one or none\n"
    )


@pytest.mark.network
@pytest.mark.usefixtures("somebodys_pool")
def test_the_database_of_another_pool(serve, tmp_path):
    """R6: pools never share a database, and the user is told whose it is."""
    assert serve(pool_id="eu-west-1_Other1") == (
        f"pool_id: database {tmp_path}/pool.db belongs to pool eu-west-1_AbC123xyz, not to eu-west-1_Other1\n"
    )


@pytest.mark.network
def test_a_database_in_a_folder_that_is_not_there(serve, tmp_path):
    """SQLite creates files, but no folders."""
    path = tmp_path / "absent" / "pool.db"
    assert serve(database=f"sqlite+aiosqlite:///{path}") == (
        f"database: {path} cannot be used: unable to open database file (its folder does not exist)\n"
    )


@pytest.mark.network
def test_a_database_that_is_a_folder(serve, tmp_path):
    """Whatever SQLite says is said."""
    (tmp_path / "pool.db").mkdir()
    assert serve() == f"database: {tmp_path}/pool.db cannot be used: unable to open database file\n"


@pytest.mark.network
def test_a_database_that_is_none(serve, tmp_path):
    """A file with something else in it is left as it was."""
    (tmp_path / "pool.db").write_bytes(b"not a database at all " * 100)
    assert serve() == f"database: {tmp_path}/pool.db cannot be used: file is not a database\n"
    assert (tmp_path / "pool.db").read_bytes().startswith(b"not a database at all not")


@pytest.mark.network
@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("pool.db", "Could not parse SQLAlchemy URL from given URL string"),
        ("sqlite:///pool.db", "its driver must be asynchronous, for example sqlite+aiosqlite"),
        ("postgresql+nodriver://a:geheim@db/x", "Can't load plugin: sqlalchemy.dialects:postgresql.nodriver"),
        ("oracle+oracledb://a:geheim@db/x", "No module named 'oracledb'"),
    ],
)
def test_an_address_that_is_none(serve, address, reason, monkeypatch, tmp_path):
    """H4: the reason, and never the password in the address."""
    monkeypatch.chdir(tmp_path)
    assert serve(database=address) == f"database: cannot be used: {reason}\n"


@pytest.mark.network
def test_a_mail_folder_that_cannot_be_one(serve, tmp_path):
    """Said at the start, not when the first code is lost."""
    (tmp_path / "mail").write_text("a file")
    assert serve() == f"mail.folder: {tmp_path}/mail cannot be used: Not a directory\n"


@pytest.mark.network
def test_two_seed_users_with_one_address(serve):
    """What only the storage notices is said with the user's name."""
    said = serve(
        more="""\
username_attributes: []
alias_attributes: [email]
users:
  - {username: one, password: Difference-Engine-1822, attributes: {email: a@example.com}}
  - {username: two, password: Difference-Engine-1822, attributes: {email: A@example.com}}
"""
    )
    assert said == "users: two has the email of another user\n"


def test_check_says_the_same_without_touching_anything(tmp_path, capsys):
    """`pool check` makes neither database nor folder."""
    file = tmp_path / "pool.yaml"
    file.write_text(FILE.format(pool_id="eu-west-1_AbC123xyz", port=1, database="sqlite:///pool.db", folder=tmp_path))
    assert cli.execute(["pool", "check", "-c", str(file)]) == 1
    assert capsys.readouterr().err.startswith(f"{file}:3: database: cannot be used: ")
    assert [path.name for path in tmp_path.iterdir()] == ["pool.yaml"]


@pytest.mark.network
def test_the_demo_with_a_damaged_database(tmp_path, capsys, monkeypatch):
    """The same sentence, and the same code."""
    for name in ("POOL_PORT", "APP_PORT", "GATEWAY_PORT"):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            monkeypatch.setenv(name, str(listener.getsockname()[1]))
    data.remember(tmp_path)
    (tmp_path / "pool.db").write_bytes(b"not a database at all " * 100)
    assert cli.execute(["demo", "--data", str(tmp_path)]) == 2
    said = capsys.readouterr()
    assert f"database: {Path(tmp_path)}/pool.db cannot be used: file is not a database\n" in said.err
    assert "Traceback" not in said.out + said.err


@pytest.mark.network
def test_a_fault_of_ours_keeps_its_traceback():
    """Only mistakes of the user become a sentence."""

    async def broken(scope, receive, send):
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "Traceback: ours"})
        raise ValueError("ours")

    log = io.StringIO()
    configure(log, lambda: 0.0, style="json")
    with pytest.raises(RuntimeError, match="did not start"):
        run([Listener(broken, "127.0.0.1", 0, "listen.port")], lambda _: None)
    assert "Traceback: ours" in log.getvalue()


GATEWAY = """\
provider:
  preset: oidc
  issuer: https://login.example
  client_id: web
public_url: https://app.example
session: {{secrets: [{secret}]}}
upstreams:
  - url: https://127.0.0.1:3000
    tls: {{ca_file: {ca_file}}}
"""


@pytest.mark.parametrize("command", ["check", "run"])
def test_an_upstream_s_authorities_that_are_not_there(command, tmp_path, capsys):
    """A TLS file that cannot be read is found before the first request, by `check` too."""
    file = tmp_path / "gateway.yaml"
    file.write_text(GATEWAY.format(secret=SECRET, ca_file=tmp_path / "absent.pem"))

    code = cli.execute([command, "-c", str(file)])

    said = capsys.readouterr().err
    assert code == {"check": 1, "run": 2}[command]
    assert said == f"{file}:9: upstreams[0].tls.ca_file: cannot be read: No such file or directory\n1 mistake\n"

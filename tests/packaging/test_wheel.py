"""The wheel holds all that runs: templates, static files and the mark of types, and nothing that does not belong."""

import os
import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, as `pip install .` builds it; without network, since the builder is in the development lock."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    with ZipFile(built) as opened:
        yield opened


def test_every_file_of_the_package_is_in_the_wheel(wheel):
    """Python files, pages, styles, scripts, `py.typed`: what is in the tree is what is installed."""
    tree = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "gateway").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    packed = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert packed == tree
    assert {"gateway/py.typed", "gateway/pool/pages/login.html", "gateway/pool/pages/static/pool.css"} <= packed


def test_the_command_is_installed(wheel):
    """`cognito-gateway` starts `gateway.cli.main`, and the licence goes with it."""
    (name,) = (each for each in wheel.namelist() if each.endswith("/entry_points.txt"))
    scripts = ConfigParser()
    scripts.read_string(wheel.read(name).decode())
    assert dict(scripts["console_scripts"]) == {"cognito-gateway": "gateway.cli:main"}
    assert any(each.endswith("/licenses/LICENSE") for each in wheel.namelist())


def test_what_is_in_the_wheel_runs(wheel, tmp_path):
    """Unpacked elsewhere, without the tree: the pool's templates and static files are found."""
    wheel.extractall(tmp_path)
    program = (
        "import gateway; from gateway.pool.rendering import Pages;"
        "print(gateway.__file__, Pages('P').message('H', 'T').status_code)"
    )
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    shown = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=environ, check=True, capture_output=True, text=True
    )
    assert shown.stdout == f"{tmp_path}/gateway/__init__.py 200\n"

"""The lock files are complete, so that every pip installs them without resolving anything."""

import re
import tomllib
from importlib.metadata import distribution, distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
GROUPS = PROJECT["dependency-groups"]
EXTRAS = PROJECT["project"]["optional-dependencies"]


def locked(name: str) -> dict[str, str]:
    """Package → version, of a lock file."""
    lines = (ROOT / name).read_text().splitlines()
    pins = (line.split(";")[0].rstrip("\\ ").partition("==") for line in lines if "==" in line)
    return {canonicalize_name(package): version for package, _, version in pins}


def required(roots: list[str]) -> set[str]:
    """What `roots` need on this Python and system, and what that needs, as the installed packages say it."""
    found: set[str] = set()
    waiting = [(Requirement(root), frozenset[str]()) for root in roots]
    seen: set[tuple[str, frozenset[str]]] = set()
    while waiting:
        requirement, asked = waiting.pop()
        if requirement.marker and not any(requirement.marker.evaluate({"extra": extra}) for extra in asked or {""}):
            continue
        key = (canonicalize_name(requirement.name), frozenset(requirement.extras))
        if key in seen:
            continue
        seen.add(key)
        found.add(key[0])
        needs = distribution(requirement.name).requires or []
        waiting.extend((Requirement(need), frozenset(requirement.extras) | {""}) for need in needs)
    return found


def installed(lock: str) -> list[tuple[str, str]]:
    """The pins of `lock` that this Python and system have use for."""
    present = {canonicalize_name(each.name) for each in distributions()}
    return [(name, version) for name, version in locked(lock).items() if name in present]


def roots_of(*lists: list[object]) -> list[str]:
    return [each for entries in lists for each in entries if isinstance(each, str) and not each.startswith("cognito-")]


@pytest.mark.parametrize(
    ("lock", "roots"),
    [
        ("requirements.lock", roots_of(PROJECT["project"]["dependencies"], *EXTRAS.values())),
        ("requirements-build.lock", roots_of(GROUPS["build"])),
        (
            "requirements-dev.lock",
            roots_of(PROJECT["project"]["dependencies"], *EXTRAS.values(), GROUPS["dev"], GROUPS["build"]),
        ),
    ],
)
def test_a_lock_names_everything_that_its_packages_need(lock, roots):
    """`pip install --no-deps` of a lock file leaves nothing out."""
    if any(distribution(name).version != version for name, version in installed(lock)):
        pytest.skip("other versions than the locked ones are installed, and they need other packages")
    assert required(roots) - set(locked(lock)) == set()


def test_the_locks_agree():
    """What runs in production is what was tested, version for version."""
    everything = locked("requirements-dev.lock")
    for name in ("requirements.lock", "requirements-build.lock"):
        assert locked(name).items() <= everything.items()


def test_every_pin_has_a_hash():
    """No line of a lock file can be installed from a file that was not the one locked."""
    for lock in ROOT.glob("requirements*.lock"):
        entries = re.split(r"\n(?=\S)", lock.read_text().strip())
        assert [entry for entry in entries if "--hash=sha256:" not in entry] == []


def test_the_floors_are_met_by_the_lock():
    """The locked versions satisfy pyproject.toml."""
    versions = locked("requirements.lock")
    for text in roots_of(PROJECT["project"]["dependencies"], *EXTRAS.values()):
        requirement = Requirement(text)
        assert versions[canonicalize_name(requirement.name)] in requirement.specifier, text


PLACES = ["Makefile", "Dockerfile", "README.md", "docs/getting-started.md", "docs/operations.md"]


@pytest.mark.parametrize("place", PLACES)
def test_nobody_is_told_to_install_what_is_not_locked(place):
    """Each `pip install` takes hashed files and resolves nothing, or builds without fetching a builder."""
    text = (ROOT / place).read_text().replace("\\\n", " ")
    commands = [line for line in text.splitlines() if "pip install" in line and not line.lstrip().startswith("#")]
    assert commands
    for command in commands:
        assert "--no-deps" in command, command
        assert "--require-hashes" in command or "--no-build-isolation" in command, command

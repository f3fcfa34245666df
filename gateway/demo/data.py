"""Keep what the demo must remember between two runs: its secrets, in a folder that nobody else reads."""

import json
import os
import secrets
import tempfile
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

from gateway.errors import SettingsError
from gateway.settings.strength import weakness

SECRETS = "secrets.json"
DATABASE = "pool.db"
_AFRESH = "`make demo-reset` starts afresh"
_OURS = (SECRETS, DATABASE, f"{DATABASE}-wal", f"{DATABASE}-shm", f"{DATABASE}-journal")


@dataclass(frozen=True, slots=True)
class DemoSecrets:
    """Made anew for each data folder, so that no two demos share a key."""

    cookie: str = field(repr=False)
    client: str = field(repr=False)
    pool: str = field(repr=False)


def remember(folder: Path) -> DemoSecrets:
    """The folder's secrets, made at the first run. Raises SettingsError when folder or file cannot be used."""
    file = folder / SECRETS
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not file.exists():
            if (folder / DATABASE).exists():
                raise SettingsError(f"{file}: is gone, but {DATABASE} is there; {_AFRESH}")
            _write(file, DemoSecrets(*(_fresh() for _ in range(3))))
        return _read(file)
    except OSError as error:
        raise SettingsError(f"{error.filename or folder}: cannot be used: {error.strerror}") from None
    except (ValueError, TypeError, AttributeError):
        raise SettingsError(f"{file}: is damaged; {_AFRESH}") from None


def forget(folder: Path) -> None:
    """Remove what the demo wrote, and nothing else. Raises SettingsError when a file cannot be removed."""
    for name in _OURS:
        try:
            (folder / name).unlink(missing_ok=True)
        except OSError as error:
            raise SettingsError(f"{error.filename}: cannot be removed: {error.strerror}") from None


def _read(file: Path) -> DemoSecrets:
    kept = DemoSecrets(**json.loads(file.read_text("utf-8")))
    if any(weakness(value) for value in asdict(kept).values()):
        raise ValueError("nothing that we wrote")
    return kept


def _fresh() -> str:
    while weakness(made := secrets.token_urlsafe(32)):
        pass  # once in billions of tries the letters look like a placeholder
    return made


def _write(file: Path, values: DemoSecrets) -> None:
    """Readable by its owner alone, from the first byte on; whole, or not at all; another demo's stay (first wins)."""
    handle, part = tempfile.mkstemp(dir=file.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as out:
            json.dump(asdict(values), out)
        with suppress(FileExistsError):
            os.link(part, file)
    finally:
        Path(part).unlink()

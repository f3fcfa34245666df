"""Keep what the demo must remember between two runs: its secrets, in a folder that nobody else reads."""

import json
import os
import secrets
from dataclasses import asdict, dataclass, field
from pathlib import Path

from gateway.errors import SettingsError

SECRETS = "secrets.json"
DATABASE = "pool.db"
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
            _write(file, DemoSecrets(*(secrets.token_urlsafe(32) for _ in range(3))))
        return DemoSecrets(**json.loads(file.read_text("utf-8")))
    except OSError as error:
        raise SettingsError(f"{error.filename or folder}: cannot be used: {error.strerror}") from None
    except (ValueError, TypeError):
        raise SettingsError(f"{file}: is damaged; `make demo-reset` starts afresh") from None


def forget(folder: Path) -> None:
    """Remove what the demo wrote, and nothing else."""
    for name in _OURS:
        (folder / name).unlink(missing_ok=True)


def _write(file: Path, values: DemoSecrets) -> None:
    """Readable by its owner alone, from the first byte on."""
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as out:
        json.dump(asdict(values), out)

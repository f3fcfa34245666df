"""Send the pool's e-mails: to a mailbox page for development, to a folder, or over SMTP."""

import asyncio
import contextlib
import email.policy
import logging
import secrets
import smtplib
import ssl
import tempfile
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path
from typing import Final, Protocol

from gateway.errors import SettingsError
from gateway.pool.options import MailOptions

_log = logging.getLogger(__name__)

KEPT_MAILS: Final = 100
"""E-mails that the development mailbox shows."""
QUEUED_MAILS: Final = 1000
"""E-mails that wait for a slow server, at most: later ones are dropped, and said so in the log."""
SMTP_SECONDS: Final = 30
"""Time for one SMTP exchange step; RFC 5321 §4.5.3.2 allows minutes, but a code is wanted now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """One e-mail. `code` is the one-time code in it, for the development mailbox; `at` is when it was sent."""

    to: str = field(repr=False)
    subject: str
    body: str = field(repr=False)
    code: str | None = field(default=None, repr=False)
    at: int


class Mailer(Protocol):
    """Takes an e-mail for delivery. Never raises for a delivery that fails, and takes the same time for all."""

    async def send(self, mail: Mail) -> None: ...

    async def aclose(self) -> None: ...


def message_of(mail: Mail, sender: str) -> EmailMessage:
    """The e-mail in its form for the wire.

    Raises:
        ValueError: an address or subject that would begin another header line (R14).
    """
    message = EmailMessage(policy=email.policy.SMTP)
    message["From"] = Address(addr_spec=sender)
    message["To"] = Address(addr_spec=mail.to)
    message["Subject"] = mail.subject
    message["Date"] = format_datetime(datetime.fromtimestamp(mail.at, UTC))
    message["Message-ID"] = f"<{secrets.token_hex(16)}@{sender.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834 §5: no out-of-office answers
    message.set_content(mail.body)
    return message


class DevelopmentMailbox:
    """Keeps the newest e-mails in memory: `mails`, newest first. Given `show`, also hands each one to it."""

    def __init__(self, show: Callable[[Mail], None] | None = None) -> None:
        self._mails: deque[Mail] = deque(maxlen=KEPT_MAILS)
        self._show = show

    @property
    def mails(self) -> list[Mail]:
        """The e-mails, newest first."""
        return list(self._mails)

    async def send(self, mail: Mail) -> None:
        """Keep the e-mail."""
        self._mails.appendleft(mail)
        if self._show is not None:
            self._show(mail)

    async def aclose(self) -> None:
        """Nothing to close."""


class Outbox:
    """Delivers in the background, one after another: whoever asks for a code waits the same time, known or not (R12).

    `deliver` runs in a thread and may raise what it likes.
    """

    def __init__(self, deliver: Callable[[Mail], None]) -> None:
        self._deliver = deliver
        self._queue: asyncio.Queue[Mail] = asyncio.Queue(QUEUED_MAILS)
        self._worker: asyncio.Task[None] | None = None

    async def send(self, mail: Mail) -> None:
        """Queue the e-mail."""
        if self._worker is None:
            self._worker = asyncio.create_task(self._work())
        try:
            self._queue.put_nowait(mail)
        except asyncio.QueueFull:
            _log.error("e-mail dropped: %d are waiting for delivery", QUEUED_MAILS)

    async def aclose(self) -> None:
        """Deliver what is queued, at most for `SMTP_SECONDS`."""
        if self._worker is None:
            return
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._queue.join(), SMTP_SECONDS)
        self._worker.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._worker

    async def _work(self) -> None:
        while True:
            mail = await self._queue.get()
            try:
                await asyncio.to_thread(self._deliver, mail)
            except Exception as error:  # noqa: BLE001 - one bad e-mail must not stop the others
                # The type alone: SMTP errors quote the address.
                _log.error("e-mail not delivered: %s", type(error).__name__)
            finally:
                self._queue.task_done()


class Folder:
    """Writes each e-mail as an .eml file that only the pool's user may read."""

    def __init__(self, folder: Path, sender: str) -> None:
        self._folder = folder
        self._sender = sender

    def __call__(self, mail: Mail) -> None:
        """Write the file whole, then give it its name."""
        _make_private(self._folder)
        path = self._folder / f"{mail.at}-{secrets.token_hex(8)}.eml"
        part = path.with_suffix(".part")
        part.touch(mode=0o600)
        part.write_bytes(message_of(mail, self._sender).as_bytes())
        part.rename(path)


def prepare_folder(folder: Path) -> None:
    """Make the folder for .eml files. Raises SettingsError when files cannot be written there."""
    try:
        _make_private(folder)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise SettingsError(f"mail.folder: {folder} cannot be used: {error.strerror}") from error


def _make_private(folder: Path) -> None:
    """Make the folder and what is missing above it, each for the pool's user alone."""
    for part in (*reversed(folder.parents), folder):
        if not part.exists():
            part.mkdir(mode=0o700, exist_ok=True)  # another process may have been first


class Smtp:
    """Hands each e-mail to an SMTP server."""

    def __init__(self, options: MailOptions) -> None:
        self._options = options

    def __call__(self, mail: Mail) -> None:
        """Deliver over a connection of its own."""
        with self._connect() as server:
            options = self._options
            if options.smtp_username is not None and options.smtp_password is not None:
                server.login(options.smtp_username, options.smtp_password.reveal())
            server.send_message(message_of(mail, options.sender))

    def _connect(self) -> smtplib.SMTP:
        host, port, tls = self._options.smtp_host, self._options.smtp_port, self._options.smtp_tls
        if tls == "tls":
            return smtplib.SMTP_SSL(host, port, timeout=SMTP_SECONDS, context=ssl.create_default_context())
        server = smtplib.SMTP(host, port, timeout=SMTP_SECONDS)
        if tls == "starttls":
            server.starttls(context=ssl.create_default_context())
        return server


def mailer_for(options: MailOptions, show: Callable[[Mail], None] | None = None) -> Mailer:
    """The mailer that the options ask for."""
    if options.kind == "folder" and options.folder is not None:
        return Outbox(Folder(options.folder, options.sender))
    if options.kind == "smtp":
        return Outbox(Smtp(options))
    return DevelopmentMailbox(show)

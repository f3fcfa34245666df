"""E-mails and the ways they leave."""

import asyncio
import email
import email.policy
import logging
import smtplib
import stat
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.secret import Secret
from gateway.pool import mail as module
from gateway.pool.attributes import is_email
from gateway.pool.mail import DevelopmentMailbox, Folder, Mail, Outbox, Smtp, mailer_for, message_of, prepare_folder
from gateway.pool.options import MailOptions
from tests.support.pool import NOW, PASSWORD, WEB, last_code

MAIL = Mail(to="ada@example.com", subject="Your verification code", body="It is 123456. ", code="123456", at=NOW)


def test_message():
    """The message has one recipient, a date from the clock, and asks for no automatic answers."""
    parsed = email.message_from_bytes(message_of(MAIL, "no-reply@example.com").as_bytes(), policy=email.policy.default)

    assert (parsed["To"], parsed["From"]) == ("ada@example.com", "no-reply@example.com")
    assert parsed["Date"] == "Tue, 14 Nov 2023 22:13:20 +0000"
    assert parsed["Auto-Submitted"] == "auto-generated"
    assert parsed.get_content() == "It is 123456. \r\n"


INJECTED = st.tuples(
    st.text('abc@.,;:<>" ', max_size=10),
    st.sampled_from(["\r\n", "\n", "\r", "\x00", "\x0b", "\x85", "\u2028", ","]),
    st.text("Bcc: x@evil.test", max_size=20),
).map("".join)


@pytest.mark.property
@given(st.one_of(INJECTED, st.text(max_size=40)), st.one_of(INJECTED, st.text(max_size=40)))
def test_no_header_is_injected(address, subject):
    """R14: no address and no subject gives a message another header or another recipient: refused or encoded."""
    mail = Mail(to=address, subject=subject, body="x", at=NOW)
    try:
        written = message_of(mail, "no-reply@example.com").as_bytes()
    except (ValueError, email.errors.HeaderParseError, IndexError, UnicodeError):
        return
    parsed = email.message_from_bytes(written, policy=email.policy.default)

    assert set(parsed.keys()) == {
        "From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "Content-Type", "Content-Transfer-Encoding",
        "MIME-Version",
    }  # fmt: skip


@pytest.mark.property
@given(INJECTED)
def test_no_such_address_signs_up(address):
    """R14: an address with control characters, a comma or white space is no address to this pool."""
    assert not is_email(address)


async def test_mailbox_shows_the_newest_first():
    """The development mailbox keeps a hundred e-mails, newest first, and hands each one on."""
    shown: list[Mail] = []
    mailbox = DevelopmentMailbox(shown.append)
    for n in range(101):
        await mailbox.send(Mail(to="a@b.c", subject=str(n), body="", at=NOW))

    assert [mail.subject for mail in mailbox.mails[:2]] == ["100", "99"]
    assert len(mailbox.mails) == 100
    assert len(shown) == 101


async def test_folder(tmp_path):
    """Each e-mail becomes a file that only its owner reads; nothing of the recipient is in its name."""
    mailer = mailer_for(MailOptions(kind="folder", folder=tmp_path / "mails"))
    await mailer.send(MAIL)
    await mailer.send(MAIL)
    await mailer.aclose()
    files = list((tmp_path / "mails").iterdir())

    assert [file.suffix for file in files] == [".eml", ".eml"]
    assert all(stat.S_IMODE(file.stat().st_mode) == 0o600 for file in files)
    assert not any("ada" in file.name for file in files)
    assert b"123456" in files[0].read_bytes()


async def test_folders_are_made_for_one_user(tmp_path):
    """Each folder that is missing is made for the pool's user alone; one that was there keeps its mode."""
    (tmp_path / "there").mkdir(mode=0o755)
    folder = tmp_path / "there" / "data" / "mail"
    mailer = mailer_for(MailOptions(kind="folder", folder=folder))
    await mailer.send(MAIL)
    await mailer.aclose()
    prepare_folder(tmp_path / "there" / "other" / "mail")
    made = [folder, folder.parent, tmp_path / "there" / "other" / "mail", tmp_path / "there" / "other"]

    assert [stat.S_IMODE(path.stat().st_mode) for path in made] == [0o700] * 4
    assert stat.S_IMODE((tmp_path / "there").stat().st_mode) == 0o755


async def test_failed_delivery_is_logged_without_the_address(caplog):
    """A delivery that fails stops nothing, and tells the log neither address nor code."""
    delivered: list[Mail] = []

    def deliver(mail: Mail) -> None:
        if not mail.subject:
            raise smtplib.SMTPRecipientsRefused({mail.to: (550, b"no such ada@example.com")})
        delivered.append(mail)

    outbox = Outbox(deliver)
    with caplog.at_level(logging.DEBUG):
        await outbox.send(Mail(to="ada@example.com", subject="", body="123456", code="123456", at=NOW))
        await outbox.send(MAIL)
        await outbox.aclose()

    assert delivered == [MAIL]
    assert caplog.messages == ["e-mail not delivered: SMTPRecipientsRefused"]
    assert "ada" not in caplog.text


async def test_full_outbox_drops(caplog, monkeypatch):
    """When a thousand wait, further e-mails are dropped: the log says so, the caller waits for nothing."""
    monkeypatch.setattr(module, "QUEUED_MAILS", 1)
    outbox = Outbox(lambda mail: None)
    await outbox.send(MAIL)
    await outbox.send(MAIL)
    await outbox.aclose()

    assert caplog.messages == ["e-mail dropped: 1 are waiting for delivery"]


async def test_sending_waits_for_no_server(tmp_path):
    """R12: the answer's time does not depend on delivery: sending returns while the server still hangs."""
    release = asyncio.Event()
    loop = asyncio.get_running_loop()

    def deliver(_mail: Mail) -> None:
        asyncio.run_coroutine_threadsafe(release.wait(), loop).result(10)

    outbox = Outbox(deliver)
    await outbox.send(MAIL)
    release.set()
    await outbox.aclose()


class FakeServer:
    """What `smtplib.SMTP` does, written down."""

    def __init__(self, host, port, **options):
        self.done: list[Any] = [(host, port, sorted(options))]
        FakeServer.last = self

    last: Any = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.done.append("quit")

    def starttls(self, context):
        self.done.append(("starttls", context.check_hostname))

    def login(self, user, password):
        self.done.append(("login", user, password))

    def send_message(self, message):
        self.done.append(("send", message["To"]))


@pytest.mark.parametrize(
    ("tls", "options", "steps"),
    [
        ("starttls", ["timeout"], [("starttls", True)]),
        ("tls", ["context", "timeout"], []),
        ("none", ["timeout"], []),
    ],
)
def test_smtp(monkeypatch, tls, options, steps):
    """TLS is verified and begun before the password is sent."""
    monkeypatch.setattr(smtplib, "SMTP", FakeServer)
    monkeypatch.setattr(smtplib, "SMTP_SSL", FakeServer)
    settings = MailOptions(
        kind="smtp", smtp_host="mail.test", smtp_port=25, smtp_tls=tls, smtp_username="u", smtp_password=Secret("p")
    )
    Smtp(settings)(MAIL)

    assert FakeServer.last.done == [
        ("mail.test", 25, options), *steps, ("login", "u", "p"), ("send", "ada@example.com"), "quit",
    ]  # fmt: skip


async def test_the_code_is_in_the_mail(backend):
    """The e-mail has Cognito's subject and text, with the code in its place."""
    await backend.accounts.sign_up(WEB, "grace@example.com", PASSWORD, {}, NOW)
    mail = backend.mailbox.mails[0]

    assert (mail.subject, mail.at) == ("Your verification code", NOW)
    assert mail.body == f"Your verification code is {last_code(backend)}. "
    assert last_code(backend) not in repr(mail)
    assert "grace" not in repr(mail)


def test_folder_refuses_a_bad_message(tmp_path):
    """R14: what cannot be written as one message is not written at all."""
    with pytest.raises(ValueError, match=r"address|header"):
        Folder(tmp_path, "no-reply@example.com")(Mail(to="a@b\r\nBcc: c@d", subject="s", body="b", at=NOW))

    assert not list(tmp_path.glob("*.eml"))

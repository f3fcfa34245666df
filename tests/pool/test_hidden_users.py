"""R12: nothing tells who has an account, by text, by work done, or by e-mail."""

from contextlib import contextmanager
from typing import Any

import pytest
import sqlalchemy as sa

from gateway.pool.refusals import PoolError
from tests.support.pool import LEGACY, NOW, PASSWORD, WEB, ada, change_user, last_code

KNOWN, UNKNOWN = "ada@example.com", "bob@example.com"
NEW = "Another horse 8 staple?"


async def outcome(awaitable) -> Any:
    """What a page would show: the answer or the refusal's words."""
    try:
        return await awaitable
    except PoolError as error:
        return error.code, error.public


@contextmanager
def work(backend: Any):
    """The costly work done inside: password hashes and writes to the database, in order."""
    done: list[str] = []
    hasher = backend._passwords._hasher
    engine = backend.storage.database.engine.sync_engine

    class Counting:
        def __getattr__(self, name):
            done.append(f"argon2 {name}")
            return getattr(hasher, name)

    def note(_conn, _cursor, statement, *_):
        verb, *rest = statement.split()
        if verb not in {"SELECT", "BEGIN"}:
            done.append(" ".join([verb, *rest[:2]]))

    backend._passwords._hasher = Counting()
    sa.event.listen(engine, "before_cursor_execute", note)
    try:
        yield done
    finally:
        sa.event.remove(engine, "before_cursor_execute", note)
        backend._passwords._hasher = hasher


async def test_sign_in(backend):
    """R12: wrong password and unknown user: same words, same hashing, same writes, also through the lock-out."""
    answers: list[Any] = []
    works: list[list[str]] = []
    for name in (KNOWN, UNKNOWN):
        with work(backend) as done:
            answers.append(
                [
                    await outcome(backend.accounts.sign_in(WEB, name, "wrong", NOW + step))
                    for step in (0, 0, 0, 0, 0, 0, 1)
                ]
            )
        works.append(done)

    assert answers[0] == answers[1]
    assert [words for _, words in answers[0]] == [
        *["Incorrect username or password."] * 5,
        "Password attempts exceeded",
        "Incorrect username or password.",
    ]
    assert works[0] == works[1]
    assert works[0].count("argon2 verify") == 6


async def test_forgot_password(backend):
    """R12: the same delivery is shown, the same is written, the limit is the same; only one e-mail leaves."""
    answers: list[Any] = []
    works: list[list[str]] = []
    for name in (KNOWN, UNKNOWN):
        with work(backend) as done:
            answers.append([await outcome(backend.accounts.forgot_password(WEB, name, NOW)) for _ in range(6)])
        works.append(done)

    shown = [[getattr(a, "medium", a), getattr(a, "attribute", a)] for a in answers[0]]
    assert shown == [[getattr(a, "medium", a), getattr(a, "attribute", a)] for a in answers[1]]
    assert [answers[0][0].destination, answers[1][0].destination] == ["a***@e***", "b***@e***"]
    assert answers[0][5] == ("LimitExceededException", "Attempt limit exceeded, please try after some time.")
    assert works[0] == works[1]
    assert {mail.to for mail in backend.mailbox.mails} == {KNOWN}


@pytest.mark.parametrize("asked", [True, False], ids=["after a request", "out of the blue"])
async def test_confirm_forgot_password(backend, asked):
    """R12: a wrong code for a new password is refused alike, try by try, until the hour's limit."""
    answers: list[Any] = []
    for name in (KNOWN, UNKNOWN):
        if asked:
            await backend.accounts.forgot_password(WEB, name, NOW)
        answers.append(
            [await outcome(backend.accounts.confirm_forgot_password(WEB, name, "nocode", NEW, NOW)) for _ in range(16)]
        )

    assert answers[0] == answers[1]
    assert [code for code, _ in answers[0]] == [
        *["CodeMismatchException"] * 5, *["ExpiredCodeException"] * 10, "LimitExceededException",
    ]  # fmt: skip


async def test_confirm_sign_up(backend):
    """R12: unconfirmed, confirmed and unknown users get the same refusals for a wrong code."""
    await backend.accounts.sign_up(WEB, "new@example.com", PASSWORD, {}, NOW)

    answers = [
        [await outcome(backend.accounts.confirm_sign_up(WEB, name, "nocode", NOW)) for _ in range(16)]
        for name in ("new@example.com", KNOWN, UNKNOWN)
    ]

    assert answers[0] == answers[1] == answers[2]


async def test_resend(backend):
    """R12: resending looks and works alike for unconfirmed, confirmed and unknown users."""
    await backend.accounts.sign_up(WEB, "new@example.com", PASSWORD, {}, NOW)
    backend.mailbox._mails.clear()
    answers: list[Any] = []
    works: list[list[str]] = []
    for name in ("new@example.com", KNOWN, UNKNOWN):
        with work(backend) as done:
            answers.append([await outcome(backend.accounts.resend_code(WEB, name, NOW)) for _ in range(6)])
        works.append(done)

    assert [a.destination for a in answers[0][:5]] == ["n***@e***"] * 5
    assert [a.destination for a in answers[2][:5]] == ["b***@e***"] * 5
    assert answers[0][5] == answers[1][5] == answers[2][5]
    assert {mail.to for mail in backend.mailbox.mails} == {"new@example.com"}
    assert works[0] == works[1] == works[2]


async def test_sign_up_in_an_alias_pool(alias_backend):
    """R12: where usernames are chosen, sign-up does not tell whether an e-mail has an account."""
    accounts = alias_backend.accounts
    await accounts.sign_up(WEB, "ada", PASSWORD, {"email": KNOWN}, NOW)
    await accounts.confirm_sign_up(WEB, "ada", last_code(alias_backend), NOW)
    answers: list[Any] = []
    works: list[list[str]] = []
    for name, address in (("x1", KNOWN), ("x2", "abe@example.com")):
        with work(alias_backend) as done:
            result = await accounts.sign_up(WEB, name, PASSWORD, {"email": address}, NOW)
        answers.append(result.delivery)
        works.append(done)

    assert answers[0] == answers[1]
    assert works[0] == works[1]
    assert len(alias_backend.mailbox.mails) == 3


async def test_a_taken_username_costs_the_same_hash(backend):
    """R12: sign-up says that a username is taken, but its time tells nothing before: the hash is made first."""
    with work(backend) as done:
        await outcome(backend.accounts.sign_up(WEB, KNOWN, PASSWORD, {}, NOW))

    assert done.count("argon2 hash") == 1


async def test_disabled_users_reset_nothing(backend):
    """R12: a disabled user's forgot-password is simulated: no e-mail, no different answer."""
    user = await ada(backend)
    await change_user(backend.storage, user.sub, enabled=False)

    delivery = await backend.accounts.forgot_password(WEB, KNOWN, NOW)

    assert delivery.destination == "a***@e***"
    assert backend.mailbox.mails == []


async def test_an_expired_code_is_said_to_its_owner_only(backend):
    """R12: after an hour the right code is called expired, a wrong one is wrong as for anybody."""
    await backend.accounts.forgot_password(WEB, KNOWN, NOW)
    code = last_code(backend)
    wrong = "000000" if code != "000000" else "000001"

    late = NOW + 3600
    guessed = await outcome(backend.accounts.confirm_forgot_password(WEB, KNOWN, wrong, NEW, late))
    right = await outcome(backend.accounts.confirm_forgot_password(WEB, KNOWN, code, NEW, late))

    assert guessed == ("CodeMismatchException", "Invalid verification code provided, please try again.")
    assert right == ("ExpiredCodeException", "Invalid code provided, please request a code again.")


async def test_a_client_may_choose_to_reveal(backend):
    """`prevent_user_existence_errors: false` answers in Cognito's LEGACY words."""
    accounts = backend.accounts

    assert await outcome(accounts.sign_in(LEGACY, UNKNOWN, "x", NOW)) == (
        "UserNotFoundException",
        "User does not exist.",
    )
    assert (await outcome(accounts.forgot_password(LEGACY, UNKNOWN, NOW)))[0] == "UserNotFoundException"
    assert (await outcome(accounts.resend_code(LEGACY, UNKNOWN, NOW)))[0] == "UserNotFoundException"
    assert (await outcome(accounts.resend_code(LEGACY, KNOWN, NOW)))[1] == "User is already confirmed."
    assert (await outcome(accounts.confirm_sign_up(LEGACY, KNOWN, "1", NOW)))[1] == (
        "User cannot be confirmed. Current status is CONFIRMED"
    )
    assert (await outcome(accounts.confirm_forgot_password(LEGACY, UNKNOWN, "1", NEW, NOW)))[0] == (
        "UserNotFoundException"
    )


async def test_a_simulated_destination_never_changes(alias_backend):
    """R12: a chosen name that nobody has shows the same masked destination each time, another name another one."""
    accounts = alias_backend.accounts
    shown = [(await accounts.forgot_password(WEB, name, NOW)).destination for name in ("nobody", "nobody", "no-one")]

    assert shown[0] == shown[1] != shown[2]
    assert all(len(text) == 9 and text[1:5] == "***@" for text in shown)


async def test_users_without_recovery(alias_backend):
    """Who has no verified e-mail cannot reset: a revealing client says so, a hiding one pretends."""
    await alias_backend.accounts.sign_up(WEB, "grace", PASSWORD, {"email": "grace@example.com"}, NOW)
    revealed = await outcome(alias_backend.accounts.forgot_password(LEGACY, "grace", NOW))
    hidden = await alias_backend.accounts.forgot_password(WEB, "grace", NOW)

    assert revealed == (
        "InvalidParameterException",
        "Cannot reset password for the user as there is no registered/verified email or phone_number",
    )
    assert hidden.medium == "EMAIL"
    assert len(alias_backend.mailbox.mails) == 1

"""Sign-up, confirmation, sign-in and password reset."""

import pytest
from argon2 import PasswordHasher

from gateway.core.secret import Secret
from gateway.pool.backend import Backend
from gateway.pool.options import SeedUser
from gateway.pool.records import UserStatus
from gateway.pool.refusals import PoolError
from tests.support.pool import LEGACY, NOW, PASSWORD, WEB, ada, change_user, last_code, opened, options_for

GRACE = "grace@example.com"


async def sign_up(backend: Backend, username: str = GRACE, **attributes: str):
    """Sign somebody up."""
    return await backend.accounts.sign_up(WEB, username, PASSWORD, attributes, backend.now())


async def refusal(awaitable) -> tuple[str, str]:
    """The code and words with which something was refused."""
    with pytest.raises(PoolError) as caught:
        await awaitable
    return caught.value.code, caught.value.public


async def test_sign_up_confirm_sign_in(backend):
    """The whole line: a code is e-mailed, confirms the user, verifies the e-mail; then the password signs in."""
    result = await sign_up(backend, given_name="Grace")
    user = await backend.accounts.confirm_sign_up(WEB, GRACE, last_code(backend), NOW)
    signed_in = await backend.accounts.sign_in(WEB, " GRACE@example.com", PASSWORD, NOW)

    assert (result.confirmed, result.delivery.destination) == (False, "g***@e***")
    assert (user.sub, user.username, user.status) == (result.user_sub, result.user_sub, UserStatus.CONFIRMED)
    assert user.attributes == {"email": GRACE, "given_name": "Grace", "email_verified": "true"}
    assert (signed_in.user, signed_in.challenge) == (user, None)


async def test_unconfirmed_is_said_to_who_knows_the_password(backend):
    """R12: without the password an unconfirmed user looks like any other failure."""
    await sign_up(backend)

    right = await refusal(backend.accounts.sign_in(WEB, GRACE, PASSWORD, NOW))
    wrong = await refusal(backend.accounts.sign_in(WEB, GRACE, "wrong", NOW))

    assert right == ("UserNotConfirmedException", "User is not confirmed.")
    assert wrong == ("NotAuthorizedException", "Incorrect username or password.")


async def test_disabled_is_said_to_who_knows_the_password(backend):
    """R12: a disabled user is refused, and only the right password learns why."""
    user = await ada(backend)
    await change_user(backend.storage, user.sub, enabled=False)

    right = await refusal(backend.accounts.sign_in(WEB, "ada@example.com", PASSWORD, NOW))
    wrong = await refusal(backend.accounts.sign_in(WEB, "ada@example.com", "wrong", NOW))

    assert right == ("NotAuthorizedException", "User is disabled.")
    assert wrong == ("NotAuthorizedException", "Incorrect username or password.")


async def test_a_taken_email_is_refused_at_sign_up(backend):
    """Where the e-mail is the username, sign-up says that it is taken, whatever its case and width."""
    for spelling in ("ada@example.com", "ADA@EXAMPLE.com"):
        assert await refusal(sign_up(backend, spelling)) == (
            "UsernameExistsException",
            "An account with the given email already exists.",
        )


@pytest.mark.parametrize(
    ("username", "attributes", "message"),
    [
        ("grace", {}, "Username should be an email."),
        ("a@b@example.com", {}, "Username should be an email."),
        ("a@example.com\r\nBcc: x@example.com", {}, "Username should be an email."),
        ("a@example.com,b@example.com", {}, "Username should be an email."),
        (GRACE, {"phone_number": "0123"}, "Invalid phone number format."),
        (
            GRACE,
            {"name": "x\r\nBcc: y"},
            "Attributes did not conform to the schema: name: Attribute value is not valid",
        ),
        (GRACE, {"email_verified": "true"}, "A client attempted to write unauthorized attribute"),
        (GRACE, {"sub": "1"}, "A client attempted to write unauthorized attribute"),
        (GRACE, {"cognito:groups": "admins"}, "A client attempted to write unauthorized attribute"),
    ],
)
async def test_bad_sign_up(backend, username, attributes, message):
    """R14: names and attributes that could carry a header line, or claim what only the pool may say, are refused."""
    _, words = await refusal(backend.accounts.sign_up(WEB, username, PASSWORD, attributes, NOW))

    assert words == message
    assert backend.mailbox.mails == []


async def test_required_attribute(tmp_path, clock):
    """A required attribute that is missing is named in Cognito's words."""
    async with opened(options_for(tmp_path, required_attributes=("email", "given_name")), clock) as backend:
        assert await refusal(sign_up(backend)) == (
            "InvalidParameterException",
            "Attributes did not conform to the schema: given_name: The attribute is required",
        )


async def test_weak_password_at_sign_up(backend):
    """The policy's first reason is given, the length before the others."""
    awaitable = backend.accounts.sign_up(WEB, GRACE, "a", {}, NOW)

    assert await refusal(awaitable) == (
        "InvalidPasswordException",
        "Password did not conform with policy: Password not long enough",
    )


async def test_closed_sign_up(tmp_path, clock):
    """Where self-registration is off nobody signs up."""
    async with opened(options_for(tmp_path, allow_sign_up=False), clock) as backend:
        assert await refusal(sign_up(backend)) == (
            "NotAuthorizedException",
            "SignUp is not permitted for this user pool",
        )


async def test_sign_ups_per_address(tmp_path, clock):
    """R17: one address signs up a bounded number of times an hour; IPv6 neighbours of a /64 are one address."""
    async with opened(options_for(tmp_path, sign_ups_per_hour=2), clock) as backend:

        async def attempt(number: int, address: str):
            name = f"user{number}@example.com"
            return await backend.accounts.sign_up(WEB, name, PASSWORD, {}, backend.now(), address=address)

        await attempt(1, "2001:db8::1")
        await attempt(2, "2001:db8::2")
        refused = await refusal(attempt(3, "2001:db8::3"))
        await attempt(4, "192.0.2.1")
        clock.now += 3600
        await attempt(5, "2001:db8::3")

    assert refused == ("LimitExceededException", "Attempt limit exceeded, please try after some time.")


async def test_new_password_required(tmp_path, clock):
    """A temporary password leads to a challenge; its session sets the password once, for the same client."""
    seed = SeedUser(username="temp@example.com", password=Secret("Temporary 1!"), temporary_password=True)
    async with opened(options_for(tmp_path, seed_users=(seed,)), clock) as backend:
        accounts = backend.accounts
        result = await accounts.sign_in(WEB, seed.username, "Temporary 1!", NOW)
        assert result.session is not None
        weak = await refusal(accounts.set_new_password(WEB, result.session, "short", NOW))
        user = await accounts.set_new_password(WEB, result.session, PASSWORD, NOW)
        again = await refusal(accounts.set_new_password(WEB, result.session, PASSWORD, NOW))
        signed_in = await accounts.sign_in(WEB, seed.username, PASSWORD, NOW)

    assert result.challenge == "NEW_PASSWORD_REQUIRED"
    assert weak[0] == "InvalidPasswordException"
    assert again == ("NotAuthorizedException", "Invalid session for the user.")
    assert (user.status, signed_in.challenge) == (UserStatus.CONFIRMED, None)


@pytest.mark.parametrize(("client", "later"), [(LEGACY, 0), (WEB, 180)], ids=["other client", "three minutes"])
async def test_new_password_session_is_bound(tmp_path, clock, client, later):
    """The session of a challenge is worth nothing at another client, nor after three minutes."""
    seed = SeedUser(username="temp@example.com", password=Secret("Temporary 1!"), temporary_password=True)
    async with opened(options_for(tmp_path, seed_users=(seed,)), clock) as backend:
        result = await backend.accounts.sign_in(WEB, seed.username, "Temporary 1!", NOW)
        assert result.session is not None
        refused = await refusal(backend.accounts.set_new_password(client, result.session, PASSWORD, NOW + later))

    assert refused == ("NotAuthorizedException", "Invalid session for the user.")


async def test_temporary_password_expires(tmp_path, clock):
    """A temporary password works for seven days, not at the exact second."""
    seed = SeedUser(username="temp@example.com", password=Secret("Temporary 1!"), temporary_password=True)
    async with opened(options_for(tmp_path, seed_users=(seed,)), clock) as backend:
        week = 7 * 86400
        await backend.accounts.sign_in(WEB, seed.username, "Temporary 1!", NOW + week - 1)
        refused = await refusal(backend.accounts.sign_in(WEB, seed.username, "Temporary 1!", NOW + week))

    assert refused[1] == "Temporary password has expired and must be reset by an administrator."


async def test_forgot_password(backend):
    """The e-mailed code sets a new password; the old one is refused; the code is good once."""
    accounts, new = backend.accounts, "Another horse 8 staple?"
    delivery = await accounts.forgot_password(WEB, "ada@example.com", NOW)
    code = last_code(backend)
    await accounts.confirm_forgot_password(WEB, "ada@example.com", code, new, NOW)

    assert delivery.destination == "a***@e***"
    assert (await accounts.sign_in(WEB, "ada@example.com", new, NOW)).user.username
    assert (await refusal(accounts.sign_in(WEB, "ada@example.com", PASSWORD, NOW)))[0] == "NotAuthorizedException"
    again = await refusal(accounts.confirm_forgot_password(WEB, "ada@example.com", code, PASSWORD, NOW))
    assert again[0] == "CodeMismatchException"


async def test_reset_lifts_the_lock_out(backend):
    """Whoever proves to own the e-mail is not kept out by somebody else's guesses."""
    accounts, new = backend.accounts, "Another horse 8 staple?"
    for _ in range(6):
        await refusal(accounts.sign_in(WEB, "ada@example.com", "wrong", NOW))
    await accounts.forgot_password(WEB, "ada@example.com", NOW)
    await accounts.confirm_forgot_password(WEB, "ada@example.com", last_code(backend), new, NOW)

    assert (await accounts.sign_in(WEB, "ada@example.com", new, NOW)).challenge is None


async def test_codes_are_bound_to_their_purpose(backend):
    """R10: a code that confirms a sign-up resets no password, and another user's code confirms nobody."""
    await sign_up(backend)
    code = last_code(backend)
    await sign_up(backend, "other@example.com")

    reset = await refusal(backend.accounts.confirm_forgot_password(WEB, GRACE, code, PASSWORD, NOW))
    other = await refusal(backend.accounts.confirm_sign_up(WEB, "other@example.com", code, NOW))

    assert reset[0] == other[0] == "CodeMismatchException"


async def test_the_email_goes_to_the_address_on_record(backend):
    """The typed spelling never becomes a recipient: look-alike letters fold to one user, not to one mailbox."""
    await backend.accounts.forgot_password(WEB, "\uff41da@example.com", NOW)

    assert [mail.to for mail in backend.mailbox.mails] == ["ada@example.com"]


async def test_resend_five_times_an_hour(backend):
    """A confirmation code is sent again five times an hour; each one replaces the one before."""
    await sign_up(backend)
    first = last_code(backend)
    for _ in range(5):
        await backend.accounts.resend_code(WEB, GRACE, NOW)
    refused = await refusal(backend.accounts.resend_code(WEB, GRACE, NOW))
    old = await refusal(backend.accounts.confirm_sign_up(WEB, GRACE, first, NOW))

    assert refused == ("LimitExceededException", "Attempt limit exceeded, please try after some time.")
    assert old[0] == "CodeMismatchException"
    assert (await backend.accounts.confirm_sign_up(WEB, GRACE, last_code(backend), NOW)).status == "CONFIRMED"


async def test_alias_counts_once_verified(alias_backend):
    """An e-mail alias signs in after confirmation only, and belongs to whoever verified it first."""
    backend = alias_backend
    await sign_up(backend, "grace", email=GRACE)
    code = last_code(backend)
    early = await refusal(backend.accounts.sign_in(WEB, GRACE, PASSWORD, NOW))
    await sign_up(backend, "mallory", email=GRACE)
    second = last_code(backend)
    user = await backend.accounts.confirm_sign_up(WEB, "grace", code, NOW)
    taken = await refusal(backend.accounts.confirm_sign_up(WEB, "mallory", second, NOW))

    assert early[0] == "NotAuthorizedException"
    assert (await backend.accounts.sign_in(WEB, GRACE, PASSWORD, NOW)).user == user
    assert taken == ("AliasExistsException", "An account with the email already exists.")


async def test_alias_pool_username_is_no_email(alias_backend):
    """Where e-mail is an alias, a username shaped like one would shadow its owner: refused."""
    refused = await refusal(sign_up(alias_backend, "x@example.com", email=GRACE))

    assert refused[1] == "Username cannot be of email format, since user pool is configured for email alias."


async def test_outdated_hash_is_replaced_at_sign_in(backend):
    """A hash of other parameters is made anew at the next sign-in; the password stays."""
    user = await ada(backend)
    weak = PasswordHasher(time_cost=2, memory_cost=8, parallelism=1).hash(PASSWORD)
    await change_user(backend.storage, user.sub, password_hash=weak)
    await backend.accounts.sign_in(WEB, "ada@example.com", PASSWORD, NOW)
    rehashed = await ada(backend)

    assert rehashed.password_hash != weak
    assert await ada(backend) == rehashed


NEW = "Another horse 8 staple?"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"enabled": False}, "User is disabled."),
        ({"status": UserStatus.EXTERNAL_PROVIDER}, "User password cannot be reset in the current state."),
        ({"status": UserStatus.FORCE_CHANGE_PASSWORD}, "User password cannot be reset in the current state."),
        ({"credential_version": 2}, "Invalid code provided, please request a code again."),
        (
            {"attributes": {"email": "new@example.com", "email_verified": "true"}},
            "Invalid code provided, please request a code again.",
        ),
        (
            {"attributes": {"email": "ada@example.com"}},
            "Cannot reset password for the user as there is no registered/verified email or phone_number",
        ),
    ],
    ids=["disabled", "federated", "temporary password", "new password", "new e-mail", "e-mail not verified"],
)
async def test_a_reset_code_is_for_the_account_as_it_was(backend, change, words):
    """Y4: a code that was e-mailed before the account changed sets no password; only its holder learns why."""
    user = await ada(backend)
    await backend.accounts.forgot_password(WEB, "ada@example.com", NOW)
    code = last_code(backend)
    changed = await change_user(backend.storage, user.sub, **change)
    wrong = await refusal(backend.accounts.confirm_forgot_password(WEB, "ada@example.com", "nocode", NEW, NOW))
    right = await refusal(backend.accounts.confirm_forgot_password(WEB, "ada@example.com", code, NEW, NOW))

    assert wrong[0] == "CodeMismatchException"
    assert right[1] == words
    assert await backend.accounts.user(user.sub) == changed


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"enabled": False}, "User is disabled."),
        ({"status": UserStatus.RESET_REQUIRED}, "User cannot be confirmed. Current status is RESET_REQUIRED"),
        (
            {"status": UserStatus.FORCE_CHANGE_PASSWORD},
            "User cannot be confirmed. Current status is FORCE_CHANGE_PASSWORD",
        ),
        ({"attributes": {"email": "other@example.com"}}, "Invalid code provided, please request a code again."),
    ],
    ids=["disabled", "reset required", "temporary password", "new e-mail"],
)
async def test_a_confirmation_code_is_for_the_account_as_it_was(backend, change, words):
    """Y4: a code from sign-up lifts nothing that an administrator has set since, and verifies no other address."""
    sub = (await sign_up(backend)).user_sub
    code = last_code(backend)
    changed = await change_user(backend.storage, sub, **change)

    assert (await refusal(backend.accounts.confirm_sign_up(WEB, GRACE, code, NOW)))[1] == words
    assert await backend.accounts.user(sub) == changed


async def test_a_preferred_username_is_not_for_sign_up(tmp_path, clock):
    """Y5: where it is a sign-in name, nobody takes one before the account is confirmed."""
    options = options_for(
        tmp_path, username_attributes=(), alias_attributes=("email", "preferred_username"), seed_users=()
    )
    async with opened(options, clock) as backend:
        refused = await refusal(sign_up(backend, "mallory", email=GRACE, preferred_username="grace"))
        fine = await sign_up(backend, "grace", email=GRACE)

    assert refused == ("InvalidParameterException", "Preferred username cannot be provided for unconfirmed account")
    assert fine.user_sub


async def test_a_preferred_username_is_plain_where_it_is_no_sign_in_name(backend):
    """Where nobody signs in with it, sign-up may set it, to what others have too."""
    for name in (GRACE, "other@example.com"):
        assert (await sign_up(backend, name, preferred_username="countess")).user_sub


async def test_a_name_is_one_users_whatever_its_kind(tmp_path, clock):
    """Y5: a username that is another's preferred username, in any spelling, is taken."""
    seed = SeedUser(
        username="ada", password=Secret(PASSWORD),
        attributes={"email": "ada@example.com", "preferred_username": "Countess"},
    )  # fmt: skip
    options = options_for(
        tmp_path, username_attributes=(), alias_attributes=("preferred_username",), seed_users=(seed,)
    )
    async with opened(options, clock) as backend:
        for name in ("countess", "ADA", "\uff43ountess"):
            assert await refusal(sign_up(backend, name, email=GRACE)) == (
                "UsernameExistsException", "User already exists",
            )  # fmt: skip
        signed_in = await backend.accounts.sign_in(WEB, "countess", PASSWORD, NOW)
        await backend.accounts.forgot_password(WEB, "countess", NOW)

        assert signed_in.user.username == "ada"
        assert backend.mailbox
        assert [mail.to for mail in backend.mailbox.mails] == ["ada@example.com"]


@pytest.mark.parametrize(
    "hidden",
    ["\u200b", "\u200d", "\ufeff", "\u00ad", "\u202e", "\u2066", "\u3164", "\u115f", "\ufe0f", "\U000e0041", "\ue000",
     "\u2800", "\U0001d159", "\ufffc"],
)  # fmt: skip
async def test_names_hide_nothing(alias_backend, hidden):
    """Y5: zero-width, bidirectional and other characters that nobody sees make no second name of one."""
    for name in (f"gr{hidden}ace", f"grace{hidden}", f"{hidden}grace"):
        assert await refusal(sign_up(alias_backend, name, email=GRACE)) == (
            "InvalidParameterException", "Username is not valid.",
        )  # fmt: skip


@pytest.mark.parametrize(
    "name",
    [
        "grace\uff20example.com",
        "gra\uff43e@example.com",
        "grace\ufe6bexample.com",
        "\uff0b12065550100",
        "+1206555010\uff10",
    ],
)
async def test_no_username_becomes_an_address(tmp_path, clock, name):
    """Y5: a username whose letters are compared like those of an address would be found in its owner's place."""
    options = options_for(
        tmp_path, username_attributes=(), alias_attributes=("email", "phone_number"), required_attributes=(),
        seed_users=(),
    )  # fmt: skip
    async with opened(options, clock) as backend:
        kind, words = await refusal(sign_up(backend, name))

    assert kind == "InvalidParameterException"
    assert words.startswith("Username cannot be of ")


@pytest.mark.parametrize(
    "name", ["Ren\u00e9e", "\u0645\u062d\u0645\u062f", "\u0928\u0940\u0932", "\u5c0f\u5ddd", "o'hara-7"]
)
async def test_names_of_all_languages_are_names(alias_backend, name):
    """Letters with marks, and scripts from right to left, are what people are called."""
    assert (await sign_up(alias_backend, name, email=GRACE)).user_sub


async def test_an_address_is_a_name_only_once_it_is_proved(tmp_path, clock):
    """Y5: a sign-up by phone that claims somebody's e-mail address does not keep its owner out."""
    options = options_for(
        tmp_path, username_attributes=("email", "phone_number"), required_attributes=(), seed_users=()
    )
    async with opened(options, clock) as backend:
        mallory = await sign_up(backend, "+12065550100", email=GRACE)
        grace = await sign_up(backend, GRACE)
        user = await backend.accounts.confirm_sign_up(WEB, GRACE, last_code(backend), NOW)
        found = await backend.accounts.sign_in(WEB, GRACE, PASSWORD, NOW)

    assert mallory.user_sub != grace.user_sub == user.sub == found.user.sub


async def test_who_proves_an_address_gets_it(tmp_path, clock):
    """Y5: an unconfirmed sign-up under an address yields to the user who confirms it by the code sent there."""
    options = options_for(
        tmp_path, username_attributes=("email", "phone_number"), required_attributes=(), seed_users=()
    )
    async with opened(options, clock) as backend:
        await sign_up(backend, GRACE)
        grace = await sign_up(backend, "+12065550100", email=GRACE)
        await backend.accounts.confirm_sign_up(WEB, "+12065550100", last_code(backend), NOW)

        assert (await backend.accounts.sign_in(WEB, GRACE, PASSWORD, NOW)).user.sub == grace.user_sub

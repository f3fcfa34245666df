"""Judge the names and attributes that people sign up with, and say how they are found again."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from gateway.pool.options import PoolOptions
from gateway.pool.records import STANDARD_ATTRIBUTES, AppClient, User
from gateway.pool.refusals import UNWRITABLE, PoolError, invalid
from gateway.pool.stored import Identifier

_EMAIL: Final = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*")
"""What HTML's `type=email` takes: ASCII, one `@`, no quoting, so that no mail header can be reached (R14)."""
_PHONE: Final = re.compile(r"\+[0-9]{5,15}")
_USERNAME: Final = re.compile(r"[^\s\x00-\x1f\x7f-\x9f]{1,128}")
_UNSEEN: Final = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\uffa0\ufe00-\ufe0f\U000e0100-\U000e01ef\u2800\ufffc\U0001d159]"
)
"""What shows nothing and is in no category of its own: letters and marks (Unicode's Default_Ignorable_Code_Point), and
three symbols: the blank Braille pattern, the place of an object, the note without a head."""
_UNFIT: Final = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"})
"""Categories that no name has: control and format characters (zero-width, bidirectional), private and unassigned."""
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_LONGEST: Final = 2048


def is_email(value: str) -> bool:
    """Whether it is one plain e-mail address."""
    return len(value) <= 254 and _EMAIL.fullmatch(value) is not None


def check_username(options: PoolOptions, username: str) -> None:
    """Raise PoolError (InvalidParameterException) for a username that the pool cannot take."""
    if options.username_attributes:
        if login_attribute(options, username) is None:
            words = " or ".join(
                "a phone number" if a == "phone_number" else "an email" for a in options.username_attributes
            )
            raise invalid(f"Username should be {words}.")
        return
    if not _USERNAME.fullmatch(username) or _hides_something(username):
        raise invalid("Username is not valid.")
    compared = normalised(options, username)  # a fullwidth @ is an @ to whoever looks the name up
    for attribute in options.alias_attributes:
        if _looks_like(attribute, username) or _looks_like(attribute, compared):
            kind = "email" if attribute == "email" else "phone number"
            raise invalid(f"Username cannot be of {kind} format, since user pool is configured for {kind} alias.")


def _hides_something(name: str) -> bool:
    """Whether two names could look the same and differ, or one could show in another order than it has."""
    return _UNSEEN.search(name) is not None or any(unicodedata.category(char) in _UNFIT for char in name)


def login_attribute(options: PoolOptions, username: str) -> str | None:
    """Which attribute a typed username is, in a pool whose users sign in with attributes."""
    return next((name for name in options.username_attributes if _looks_like(name, username)), None)


def _looks_like(attribute: str, value: str) -> bool:
    if attribute == "email":
        return is_email(value)
    return attribute == "phone_number" and _PHONE.fullmatch(value) is not None


def check_attributes(options: PoolOptions, client: AppClient, attributes: Mapping[str, str]) -> None:
    """Raise PoolError for attributes that do not exist, that the client may not write, or that are malformed.

    A `preferred_username` that is a sign-in name is not for sign-up: until an account is confirmed, it is anybody's.
    """
    if "preferred_username" in _names(options) and "preferred_username" in attributes:
        raise invalid("Preferred username cannot be provided for unconfirmed account")
    for name, value in attributes.items():
        if name not in STANDARD_ATTRIBUTES and name not in options.custom_attributes:
            raise PoolError(*UNWRITABLE)
        if not client.may_write(name) and name not in options.required_attributes:
            raise PoolError(*UNWRITABLE)
        _check_value(name, value)
    for name in options.required_attributes:
        if not attributes.get(name):
            raise invalid(f"Attributes did not conform to the schema: {name}: The attribute is required")


def _check_value(name: str, value: str) -> None:
    if name == "email" and not is_email(value):
        raise invalid("Invalid email address format.")
    if name == "phone_number" and not _PHONE.fullmatch(value):
        raise invalid("Invalid phone number format.")
    if name == "birthdate" and len(value) != 10:
        raise invalid("Attributes did not conform to the schema: birthdate: Attribute length must be 10")
    if len(value) > _LONGEST or (name == "preferred_username" and _hides_something(value)) or _CONTROL.search(value):
        raise invalid(f"Attributes did not conform to the schema: {name}: Attribute value is not valid")


def normalised(options: PoolOptions, value: str) -> str:
    """The form in which names are compared: one spelling for all that look or sort the same (NFKC), case folded."""
    value = unicodedata.normalize("NFKC", value)
    if not options.case_sensitive:
        value = unicodedata.normalize("NFKC", value.casefold())
    return value.strip()  # last: some characters become a space with a mark


def lookups(options: PoolOptions, typed: str) -> list[Identifier]:
    """What the typed text may be the name of: whatever the kind, it is the name of one user at most."""
    value = normalised(options, typed)
    return [Identifier(kind, value) for kind in ("username", *_names(options))]


def first_identifiers(options: PoolOptions, user: User, login: str | None) -> list[Identifier]:
    """What finds the user from sign-up on: the username, and the attribute `login` that was typed in its place."""
    names = [Identifier("username", normalised(options, user.username))]
    return names + ([Identifier(login, normalised(options, user.attributes[login]))] if login else [])


def confirmed_identifiers(options: PoolOptions, user: User) -> list[Identifier]:
    """What finds the user once confirmed: e-mail and phone number only when verified (reference §6.1)."""
    found = [Identifier(n, user.attributes[n], user.verified(n)) for n in _names(options) if user.attributes.get(n)]
    return [
        replace(name, value=normalised(options, name.value))
        for name in found
        if name.proven or name.kind == "preferred_username"
    ]


def _names(options: PoolOptions) -> tuple[str, ...]:
    return options.username_attributes or options.alias_attributes


def masked(attribute: str, value: str) -> str:
    """A destination as Cognito shows it: `j***@e***`, `+*******1234`."""
    if attribute == "phone_number":
        return f"+{'*' * 7}{value[-4:]}"
    local, _, domain = value.partition("@")
    return f"{local[:1]}***@{domain[:1]}***"

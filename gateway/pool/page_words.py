"""The words of the hosted pages that depend on how the pool is set up: labels, fields, reasons."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from gateway.pool.options import PoolOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class UsernameWords:
    """How people name themselves at this pool."""

    label: str
    word: str
    type: str
    placeholder: str
    autocomplete: str


_USERNAME: Final[Mapping[frozenset[str], UsernameWords]] = {
    frozenset(): UsernameWords(
        label="Username", word="username", type="text", placeholder="Username", autocomplete="username"
    ),
    frozenset({"email"}): UsernameWords(
        label="Email", word="email", type="email", placeholder="name@host.com", autocomplete="email"
    ),
    frozenset({"phone_number"}): UsernameWords(
        label="Phone number", word="phone number", type="tel", placeholder="+12223334444", autocomplete="tel"
    ),
    frozenset({"email", "phone_number"}): UsernameWords(
        label="Email or phone number",
        word="email or phone number",
        type="text",
        placeholder="name@host.com",
        autocomplete="username",
    ),
}


def username_words(options: PoolOptions) -> UsernameWords:
    """The words for the username field (reference §5.2)."""
    return _USERNAME.get(frozenset(options.username_attributes), _USERNAME[frozenset()])


@dataclass(frozen=True, slots=True, kw_only=True)
class AttributeField:
    """One field of the sign-up form for an attribute; `autocomplete` is a token of HTML's autofill list."""

    name: str
    label: str
    type: str = "text"
    autocomplete: str = "off"
    placeholder: str = ""
    capitalize: bool = False
    value: str = ""


_ATTRIBUTES: Final[Mapping[str, AttributeField]] = {
    field.name: field
    for field in (
        AttributeField(name="name", label="Name", autocomplete="name", capitalize=True),
        AttributeField(name="given_name", label="Given name", autocomplete="given-name", capitalize=True),
        AttributeField(name="family_name", label="Family name", autocomplete="family-name", capitalize=True),
        AttributeField(name="middle_name", label="Middle name", autocomplete="additional-name", capitalize=True),
        AttributeField(name="nickname", label="Nickname", autocomplete="nickname", capitalize=True),
        AttributeField(name="preferred_username", label="Preferred username"),
        AttributeField(name="email", label="Email", type="email", autocomplete="email", placeholder="name@host.com"),
        AttributeField(
            name="phone_number", label="Phone number", type="tel", autocomplete="tel", placeholder="+12223334444"
        ),
        AttributeField(name="gender", label="Gender", autocomplete="sex"),
        AttributeField(name="birthdate", label="Birthdate", type="date", autocomplete="bday"),
        AttributeField(name="address", label="Address", autocomplete="street-address", capitalize=True),
        AttributeField(name="website", label="Website", type="url", autocomplete="url", placeholder="https://"),
        AttributeField(name="picture", label="Picture", type="url", autocomplete="photo", placeholder="https://"),
        AttributeField(name="profile", label="Profile", type="url", placeholder="https://"),
        AttributeField(name="zoneinfo", label="Time zone", placeholder="Europe/London"),
        AttributeField(name="locale", label="Locale", autocomplete="language", placeholder="en-GB"),
    )
}


def attribute_field(name: str) -> AttributeField:
    """The field of an attribute; one that is not standard is a plain text field named after it."""
    return _ATTRIBUTES.get(name) or AttributeField(
        name=name, label=name.removeprefix("custom:").replace("_", " ").capitalize()
    )


MEDIUM_WORDS: Final[Mapping[str, str]] = {"EMAIL": "email", "SMS": "text message"}

NOTICES: Final[Mapping[str, str]] = {
    "confirmed": "Your registration has been confirmed! You can sign in now.",
    "password-changed": "Your password has been changed. Sign in with the new one.",
    "code-sent": "A new code is on its way.",
    "account-changed": "Your account was changed while you were signing in. Please sign in again.",
}
"""What the next page says after a step is done; only these can be said."""

MISMATCHED_PASSWORDS: Final = "The two passwords are not the same."

REASONS: Final[Mapping[str, tuple[str, str]]] = {
    "redirect_mismatch": (
        "redirect_mismatch",
        (
            "The application asked to return to an address that is not registered for it, or the application itself "
            "is not known here. Its operator must add the exact address to the client's callback or sign-out URLs."
        ),
    ),
    "invalid_request": ("invalid_request", "The application's request was not complete."),
    "invalid_scope": ("invalid_scope", "The application asked for a scope that it is not allowed."),
    "unauthorized_client": ("unauthorized_client", "The application may not sign people in this way."),
    "server_error": ("server_error", "Something went wrong here. Please try again in a moment."),
}
"""What `/error` says for a code: the reason line and the advice. Other codes are not repeated (H2, R14)."""

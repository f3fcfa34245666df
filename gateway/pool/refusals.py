"""Say no in the words that Cognito and OAuth 2.0 use."""

from typing import Final

from gateway.errors import GatewayError


class PoolError(GatewayError):
    """A refusal in Cognito's words: `code` is the exception's name, `public` its message (reference §5.4)."""

    status = 400

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.public = message


class OAuthError(GatewayError):
    """A refusal as OAuth 2.0 words it: `error` is the code, `description` (often empty) its text."""

    def __init__(self, error: str, description: str = "", *, status: int = 400) -> None:
        super().__init__(f"{error}: {description}" if description else error)
        self.error = error
        self.description = description
        self.status = status
        self.public = description or error


Refusal = tuple[str, str]

WRONG_PASSWORD: Final[Refusal] = ("NotAuthorizedException", "Incorrect username or password.")
UNKNOWN_USER: Final[Refusal] = ("UserNotFoundException", "User does not exist.")
NOT_CONFIRMED: Final[Refusal] = ("UserNotConfirmedException", "User is not confirmed.")
DISABLED: Final[Refusal] = ("NotAuthorizedException", "User is disabled.")
LOCKED_OUT: Final[Refusal] = ("NotAuthorizedException", "Password attempts exceeded")
TEMPORARY_EXPIRED: Final[Refusal] = (
    "NotAuthorizedException",
    "Temporary password has expired and must be reset by an administrator.",
)
RESET_REQUIRED: Final[Refusal] = ("PasswordResetRequiredException", "Password reset required for the user")
USERNAME_TAKEN: Final[Refusal] = ("UsernameExistsException", "User already exists")
EMAIL_TAKEN: Final[Refusal] = ("UsernameExistsException", "An account with the given email already exists.")
PHONE_TAKEN: Final[Refusal] = ("UsernameExistsException", "An account with the given phone_number already exists.")
CODE_MISMATCH: Final[Refusal] = (
    "CodeMismatchException",
    "Invalid verification code provided, please try again.",
)
CODE_EXPIRED: Final[Refusal] = ("ExpiredCodeException", "Invalid code provided, please request a code again.")
LIMIT_EXCEEDED: Final[Refusal] = ("LimitExceededException", "Attempt limit exceeded, please try after some time.")
TOO_MANY_REQUESTS: Final[Refusal] = ("TooManyRequestsException", "Too many requests")
BAD_SESSION: Final[Refusal] = ("NotAuthorizedException", "Invalid session for the user.")
SIGN_UP_CLOSED: Final[Refusal] = ("NotAuthorizedException", "SignUp is not permitted for this user pool")
UNWRITABLE: Final[Refusal] = ("NotAuthorizedException", "A client attempted to write unauthorized attribute")
ALREADY_CONFIRMED: Final[Refusal] = ("InvalidParameterException", "User is already confirmed.")
NO_RESET_NOW: Final[Refusal] = ("NotAuthorizedException", "User password cannot be reset in the current state.")
NO_RECOVERY: Final[Refusal] = (
    "InvalidParameterException",
    "Cannot reset password for the user as there is no registered/verified email or phone_number",
)


def cannot_confirm(status: str) -> Refusal:
    """The user is past confirming."""
    return ("NotAuthorizedException", f"User cannot be confirmed. Current status is {status}")


def alias_taken(attribute: str) -> PoolError:
    """Somebody else has verified the same alias."""
    return PoolError("AliasExistsException", f"An account with the {attribute} already exists.")


def invalid(message: str) -> PoolError:
    """A parameter that cannot be taken; the message names it."""
    return PoolError("InvalidParameterException", message)


def weak_password(reason: str) -> PoolError:
    """A password that the policy refuses."""
    return PoolError("InvalidPasswordException", f"Password did not conform with policy: {reason}")

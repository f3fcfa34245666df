"""Remember which request is being dealt with, for the lines of the log that are about it."""

from contextvars import ContextVar
from typing import Final

CURRENT_REQUEST: Final[ContextVar[str]] = ContextVar("request id", default="")
"""The id of the request, in its task and in those that it started; "" outside of any. Ordinary requests never set it:
nothing is logged about them but their own line."""

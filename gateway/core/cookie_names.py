"""Name the gateway's cookies: all names of one gateway follow from the name of its session cookie."""

import re
from dataclasses import dataclass
from typing import Final

DEFAULT: Final = "cg_session"
FORM: Final = re.compile(r"cg_(?:(?!bind_|return_)[a-z0-9]{1,32}_)?session")
"""What `session.cookie_name` may be. With `cg_` in front every gateway of a host hides it from its applications; the
word in the middle cannot make one gateway's name look like another's."""


@dataclass(frozen=True, slots=True)
class CookieNames:
    """`binding` and `address` are what the names of several cookies begin with."""

    session: str
    idle: str
    binding: str
    address: str
    sign_ins: str


def cookie_names(session: str, *, secure: bool, shared: bool) -> CookieNames:
    """The names for `session` (of the form above). `secure`: over https; `shared`: the session is a parent domain's."""
    stem = session.removesuffix("_session")
    host, path = ("__Host-", "__Secure-") if secure else ("", "")
    # RFC 6265bis §4.1.3: `__Host-` forbids a Domain and a Path, `__Secure-` does not.
    domain = path if shared else host
    return CookieNames(
        session=f"{domain}{session}",
        idle=f"{domain}{stem}_idle",
        binding=f"{host}{stem}_bind_",
        address=f"{path}{stem}_return_",
        sign_ins=f"{host}{stem}_signins",
    )

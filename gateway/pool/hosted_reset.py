"""Serve the way back in for whoever forgot the password: `/forgotPassword`, `/confirmforgotPassword`."""

from starlette.responses import Response
from starlette.routing import Route

from gateway.pool.desk import Desk, Visit
from gateway.pool.forms import Params, plain_code, typed_username
from gateway.pool.page_data import PageData
from gateway.pool.page_words import MEDIUM_WORDS, MISMATCHED_PASSWORDS
from gateway.pool.passwords import checklist
from gateway.pool.refusals import PoolError
from gateway.pool.rendering import STAYING_CSP

_INVALID = {"InvalidPasswordException": "password", "CodeMismatchException": "code", "ExpiredCodeException": "code"}


class ResetPages:
    """A code by e-mail, then a new password. Nobody is signed in by it (reference §5.3)."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def routes(self) -> list[Route]:
        """Where the pages are served; the second path's small `f` is Cognito's."""
        forgot = self._desk.form(self.show_forgot, self.take_forgot)
        confirm = self._desk.form(self.show_confirm, self.take_confirm)
        return [
            Route("/forgotPassword", forgot, methods=["GET", "POST"]),
            Route("/confirmforgotPassword", confirm, methods=["GET", "POST"]),
        ]

    async def show_forgot(self, visit: Visit, error: str) -> Response:
        """The form for the username."""
        return self._forgot_page(visit, visit.ask.login_hint[:128], error)

    def _forgot_page(self, visit: Visit, username: str, error: str) -> Response:
        return self._desk.show(visit, "/forgotPassword", "forgot.html", csp=STAYING_CSP, username=username, error=error)

    async def take_forgot(self, visit: Visit, form: Params) -> Response:
        """On to the code, for a user that nobody has too (R12)."""
        username = typed_username(form)
        try:
            delivery = await self._desk.backend.accounts.forgot_password(
                visit.ask.client, username, visit.now, address=visit.address
            )
        except PoolError as refusal:
            return self._forgot_page(visit, username, refusal.public)
        data = PageData(
            purpose="reset",
            at=visit.now,
            username=username,
            destination=delivery.destination,
            medium=delivery.medium,
        )
        return self._desk.continue_at(visit, "/confirmforgotPassword", data)

    async def show_confirm(self, visit: Visit, error: str) -> Response:
        """The form for code and password; without the page before it, it asks for the username too."""
        return self._confirm_page(visit, self._desk.carried(visit, "reset"), error=error)

    def _confirm_page(
        self, visit: Visit, data: PageData | None, *, error: str, invalid: str = "", form: Params | None = None
    ) -> Response:
        # A code that was not the fault is kept: it is not spent yet, and typing it again helps nobody.
        typed, code = (typed_username(form), form.get("code")) if form else ("", "")
        return self._desk.show(
            visit,
            "/confirmforgotPassword",
            "confirmforgot.html",
            csp=STAYING_CSP,
            page_data=self._desk.seal.write(data) if data else "",
            username=data.username if data else typed,
            code="" if invalid == "code" else code,
            destination=data.destination if data else "",
            medium=MEDIUM_WORDS.get(data.medium, "") if data else "",
            medium_code=data.medium if data else "",
            rules=checklist(self._desk.options.policy),
            error=error,
            invalid=invalid,
        )

    async def take_confirm(self, visit: Visit, form: Params) -> Response:
        """The new password holds, which also ends browser sessions older than it; on to the sign-in page."""
        data = self._desk.carried(visit, "reset", form)
        username = data.username if data else typed_username(form)
        password = form.get("password")
        if password != form.get("confirmPassword"):
            return self._confirm_page(visit, data, error=MISMATCHED_PASSWORDS, invalid="again", form=form)
        accounts = self._desk.backend.accounts
        try:
            await accounts.confirm_forgot_password(
                visit.ask.client, username, plain_code(form.get("code")), password, visit.now
            )
        except PoolError as refusal:
            invalid = _INVALID.get(refusal.code, "")
            return self._confirm_page(visit, data, error=refusal.public, invalid=invalid, form=form)
        return self._desk.back_to_login(visit, "password-changed")

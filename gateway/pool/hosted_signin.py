"""Serve the way in: `/oauth2/authorize`, `/login` and the page for a password that somebody else had set."""

from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from gateway.errors import StorageUnavailable
from gateway.pool import cookies, page_data, sso
from gateway.pool.authorize import BackToClient, IssueCode, error_location, next_step
from gateway.pool.desk import Desk, Visit
from gateway.pool.forms import Params, typed_username
from gateway.pool.hosted_signup import ask_for_code
from gateway.pool.page_data import PageData
from gateway.pool.page_words import MISMATCHED_PASSWORDS, NOTICES
from gateway.pool.passwords import checklist
from gateway.pool.records import User
from gateway.pool.refusals import PoolError
from gateway.pool.sso import SsoSessions
from gateway.pool.storage import Transaction

NEW_PASSWORD_PATH = "/newPassword"  # noqa: S105


class SignInPages:
    """Sign-in, from the authorization request to the code."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def routes(self) -> list[Route]:
        """Where the pages are served."""
        authorize = self._desk.page(self.authorize)
        login = self._desk.form(self.show_login, self.take_login)
        new_password = self._desk.form(self.show_new_password, self.take_new_password)
        return [
            Route("/oauth2/authorize", authorize, methods=["GET"]),
            Route("/authorize", authorize, methods=["GET"]),
            Route("/login", login, methods=["GET", "POST"]),
            Route(NEW_PASSWORD_PATH, new_password, methods=["GET", "POST"]),
        ]

    async def authorize(self, visit: Visit) -> Response:
        """A code at once if this browser is signed in already; else the sign-in page with the same query.

        When the database is busy or fails the application is told so (RFC 6749 §4.1.2.1): it may ask again.
        """
        try:
            return await self._authorize(visit)
        except StorageUnavailable:
            ask = visit.ask
            return RedirectResponse(error_location(ask.redirect_uri, {"error": "server_error"}, ask.state), 302)

    async def _authorize(self, visit: Visit) -> Response:
        storage = self._desk.backend.storage
        async with storage.snapshot() as tx:
            _, auth_time = await self._signed_in(tx, visit)
        step = next_step(visit.ask, auth_time, visit.now)
        if isinstance(step, BackToClient):
            return RedirectResponse(step.location, 302)
        if isinstance(step, IssueCode):
            async with storage.transaction() as tx:
                user, auth_time = await self._signed_in(tx, visit)  # again: nobody can change it from here on
                if user is not None and auth_time is not None:
                    return await self._desk.give_code(tx, visit, user, auth_time)
        return self._desk.go(visit.here("/login"))

    async def _signed_in(self, tx: Transaction, visit: Visit) -> tuple[User | None, int | None]:
        """Whoever is signed in at this browser, if the account may still be used, and since when."""
        session = await SsoSessions(tx.sso).find(cookies.only(visit.request, sso.COOKIE), visit.now)
        user = await tx.users.get(session.sub) if session else None
        if session is None or user is None or not user.may_sign_in:
            return None, None
        # Unlike Amazon's, a new password ends what the old one began: it is set to shut a thief out.
        if session.credential_version != user.credential_version:
            return None, None
        return user, session.auth_time

    async def show_login(self, visit: Visit, error: str) -> Response:
        """The sign-in page, always: also for a browser that is signed in (reference §1.2)."""
        data = self._desk.carried(visit, "notice")
        message = NOTICES.get(data.notice, "") if data else ""
        response = self._login_page(visit, visit.ask.login_hint[:128], error=error, message=message)
        if data:
            self._desk.drop_cookie(response, page_data.COOKIE)
        return response

    def _login_page(self, visit: Visit, username: str, *, error: str = "", message: str = "") -> Response:
        return self._desk.show(visit, "/login", "login.html", username=username, error=error, message=message)

    async def take_login(self, visit: Visit, form: Params) -> Response:
        """Signed in; or the page again with Cognito's sentence; or one step more."""
        username = typed_username(form)
        try:
            result = await self._desk.backend.accounts.sign_in(
                visit.ask.client, username, form.get("password"), visit.now, address=visit.address
            )
        except PoolError as refusal:
            if refusal.code == "UserNotConfirmedException":
                # Raised only when the password was right, so that confirming may sign in.
                return await ask_for_code(self._desk, visit, username)
            return self._login_page(visit, username, error=refusal.public)
        if result.challenge is None:
            return await self._desk.finish(visit, result.user)
        data = PageData(purpose="new-password", at=visit.now, username=username, session=result.session or "")
        return self._desk.continue_at(visit, NEW_PASSWORD_PATH, data)

    async def show_new_password(self, visit: Visit, error: str) -> Response:
        """The page for an own password; without a sign-in before it, that page."""
        data = self._desk.carried(visit, "new-password")
        return self._new_password_page(visit, data, error) if data else self._desk.go(visit.here("/login"))

    def _new_password_page(self, visit: Visit, data: PageData, error: str, invalid: str = "") -> Response:
        return self._desk.show(
            visit,
            NEW_PASSWORD_PATH,
            "newpassword.html",
            page_data=self._desk.seal.write(data),
            username=data.username,
            rules=checklist(self._desk.options.policy),
            error=error,
            invalid=invalid,
        )

    async def take_new_password(self, visit: Visit, form: Params) -> Response:
        """Signed in with the new password."""
        data = self._desk.carried(visit, "new-password", form)
        if data is None:
            return self._desk.go(visit.here("/login"))
        password = form.get("new_password")
        if password != form.get("confirm_password"):
            return self._new_password_page(visit, data, MISMATCHED_PASSWORDS, "again")
        try:
            user = await self._desk.backend.accounts.set_new_password(
                visit.ask.client, data.session, password, visit.now
            )
        except PoolError as refusal:
            if refusal.code == "InvalidPasswordException":
                return self._new_password_page(visit, data, refusal.public, "password")
            return self._login_page(visit, data.username, error=refusal.public)
        return await self._desk.finish(visit, user)

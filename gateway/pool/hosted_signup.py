"""Serve the way to an account: `/signup`, `/confirm`, `/resendcode` and the link `/confirmUser`."""

from dataclasses import replace

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.pool.delivery import CodeDelivery
from gateway.pool.desk import Desk, Visit
from gateway.pool.forms import Params, plain_code, read_query, typed_username
from gateway.pool.page_data import PageData
from gateway.pool.page_words import MEDIUM_WORDS, NOTICES, AttributeField, attribute_field
from gateway.pool.passwords import checklist
from gateway.pool.refusals import PoolError

_INVALID = {"InvalidPasswordException": "password", "UsernameExistsException": "username"}
_NOT_CONFIRMED = "Your account has been created. Somebody who looks after this service has to confirm it first."
_PREFIX = "requiredAttributes["


class SignUpPages:
    """Sign-up, from the empty form to the confirmed account."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def routes(self) -> list[Route]:
        """Where the pages are served."""
        sign_up = self._desk.form(self.show_sign_up, self.take_sign_up)
        confirm = self._desk.form(self.show_confirm, self.take_confirm)
        resend = self._desk.form(self.show_resend, self.take_resend)
        return [
            Route("/signup", sign_up, methods=["GET", "POST"]),
            Route("/confirm", confirm, methods=["GET", "POST"]),
            Route("/resendcode", resend, methods=["GET", "POST"]),
            Route("/confirmUser", self.confirm_user, methods=["GET"]),
            Route("/confirmUser/", self.confirm_user, methods=["GET"]),
        ]

    # Sign up --------------------------------------------------------------------------------------------------------

    def _fields(self) -> list[AttributeField]:
        """The required attributes, except what is typed as the username."""
        asked_already = self._desk.options.username_attributes[:1]
        return [attribute_field(name) for name in self._desk.options.required_attributes if name not in asked_already]

    async def show_sign_up(self, visit: Visit, error: str) -> Response:
        """The empty form; where self-registration is off, the sign-in page."""
        if not self._desk.options.allow_sign_up:
            return self._desk.go(visit.here("/login"))
        return self._sign_up_page(visit, visit.ask.login_hint[:128], {}, error)

    def _sign_up_page(
        self, visit: Visit, username: str, values: dict[str, str], error: str, invalid: str = ""
    ) -> Response:
        fields = [replace(field, value=values.get(field.name, "")) for field in self._fields()]
        rules = checklist(self._desk.options.policy)
        return self._desk.show(
            visit,
            "/signup",
            "signup.html",
            username=username,
            attributes=fields,
            rules=rules,
            error=error,
            invalid=invalid,
        )

    async def take_sign_up(self, visit: Visit, form: Params) -> Response:
        """On to the code; signed in at once where nothing has to be confirmed."""
        username = typed_username(form)
        # Only what the page asks for: a form cannot bring other attributes in (R14).
        values = {field.name: form.get(f"{_PREFIX}{field.name}]").strip() for field in self._fields()}
        try:
            result = await self._desk.backend.accounts.sign_up(
                visit.ask.client, username, form.get("password"), values, visit.now, address=visit.address
            )
        except PoolError as refusal:
            return self._sign_up_page(visit, username, values, refusal.public, _INVALID.get(refusal.code, ""))
        if result.confirmed:
            user = await self._desk.backend.accounts.user(result.user_sub)
            return await self._desk.finish(visit, user) if user else self._desk.back_to_login(visit, "confirmed")
        if result.delivery is None:
            return self._sign_up_page(visit, username, values, _NOT_CONFIRMED)
        return on_to_confirm(self._desk, visit, username, result.delivery)

    # Confirm --------------------------------------------------------------------------------------------------------

    async def show_confirm(self, visit: Visit, error: str) -> Response:
        """The form for the code; without a sign-up before it, it asks for the username too."""
        data = self._desk.carried(visit, "confirm")
        response = self._confirm_page(visit, data, error=error)
        if data and data.notice:
            self._desk.carry(response, replace(data, notice=""))
        return response

    def _confirm_page(self, visit: Visit, data: PageData | None, *, error: str = "", username: str = "") -> Response:
        return self._desk.show(
            visit,
            "/confirm",
            "confirm.html",
            page_data=self._desk.seal.write(data) if data else "",
            username=data.username if data else username,
            destination=data.destination if data else "",
            medium=MEDIUM_WORDS.get(data.medium, "") if data else "",
            message=NOTICES.get(data.notice, "") if data and not error else "",
            error=error,
        )

    async def take_confirm(self, visit: Visit, form: Params) -> Response:
        """Signed in, if this browser gave the password a short time ago; else confirmed, and on to the sign-in page."""
        data = self._desk.carried(visit, "confirm", form)
        username = data.username if data else typed_username(form)
        code = plain_code(form.get("code"))
        try:
            user = await self._desk.backend.accounts.confirm_sign_up(visit.ask.client, username, code, visit.now)
        except PoolError as refusal:
            shown = replace(data, notice="") if data else None
            return self._confirm_page(visit, shown, error=refusal.public, username=username)
        if data and data.may_sign_in(visit.now) and user.enabled:
            return await self._desk.finish(visit, user)
        return self._desk.back_to_login(visit, "confirmed")

    # Another code ---------------------------------------------------------------------------------------------------

    async def show_resend(self, visit: Visit, error: str) -> Response:
        """Nothing is sent by following a link: the form for the code."""
        if error:
            return await self.show_confirm(visit, error)
        return self._desk.go(visit.here("/confirm"))

    async def take_resend(self, visit: Visit, form: Params) -> Response:
        """A new code to where the last one went."""
        data = self._desk.carried(visit, "confirm", form)
        if data is None:
            return self._desk.go(visit.here("/confirm"))
        try:
            delivery = await self._desk.backend.accounts.resend_code(
                visit.ask.client, data.username, visit.now, address=visit.address
            )
        except PoolError as refusal:
            return self._confirm_page(visit, replace(data, notice=""), error=refusal.public)
        sent = replace(data, destination=delivery.destination, medium=delivery.medium, notice="code-sent", at=visit.now)
        return self._desk.continue_at(visit, "/confirm", sent)

    async def confirm_user(self, request: Request) -> Response:
        """Follow the link of an e-mail: confirm, and do not sign in (reference §1.4)."""
        params = read_query(request)
        client = self._desk.options.client(params.get("client_id"))
        if client is None or params.repeated:
            return self._desk.go("/error?error=invalid_request")
        username, code = params.get("user_name"), plain_code(params.get("confirmation_code"))
        try:
            await self._desk.backend.accounts.confirm_sign_up(client, username, code, self._desk.backend.now())
        except PoolError as refusal:
            return self._desk.pages.message(
                "Not confirmed",
                "The link could not be used.",
                status=400,
                reason=refusal.public,
                advice="Ask for a new code on the page where you signed up.",
            )
        advice = "You can close this page and sign in at the application."
        return self._desk.pages.message("Confirmed", "Your registration has been confirmed!", advice=advice)


def on_to_confirm(desk: Desk, visit: Visit, username: str, delivery: CodeDelivery | None) -> Response:
    """To the page for the code. The password was given on this visit, so that confirming may sign in."""
    data = PageData(
        purpose="confirm",
        at=visit.now,
        username=username,
        destination=delivery.destination if delivery else "",
        medium=delivery.medium if delivery else "EMAIL",
        password_given_at=visit.now,
    )
    return desk.continue_at(visit, "/confirm", data)


async def ask_for_code(desk: Desk, visit: Visit, username: str) -> Response:
    """Send a fresh code to whoever signed in before confirming; if that is too often, the last one still serves."""
    try:
        delivery = await desk.backend.accounts.resend_code(visit.ask.client, username, visit.now, address=visit.address)
    except PoolError:
        return on_to_confirm(desk, visit, username, None)
    return on_to_confirm(desk, visit, username, delivery)

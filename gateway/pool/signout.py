"""Decide where Cognito's `/logout` sends a browser (reference §4)."""

from urllib.parse import urlencode

from gateway.pool.authorize import BackToClient, ErrorPage, mismatch
from gateway.pool.forms import Params
from gateway.pool.records import AppClient


def read_logout(params: Params, client: AppClient | None) -> BackToClient | ErrorPage | str:
    """Form A (`logout_uri`): back to the application. Form B (`redirect_uri`, `response_type`): the query of `/login`.

    Addresses are compared as exact strings (R5, B6), and no `state` is echoed with form A. When both are there,
    `logout_uri` wins.
    """
    if not params.get("client_id") or not (params.get("logout_uri") or params.get("redirect_uri")):
        return ErrorPage(urlencode(params.pairs))
    name = "logout_uri" if params.get("logout_uri") else "redirect_uri"
    if client is None or params.repeated & {"client_id", "logout_uri", "redirect_uri"}:
        return mismatch(params, name)
    if params.get(name) not in (client.logout_urls if name == "logout_uri" else client.callback_urls):
        return mismatch(params, name)
    if name == "logout_uri":
        return BackToClient(params.get(name))
    return _sign_in_again(params, client)


def _sign_in_again(params: Params, client: AppClient) -> ErrorPage | str:
    if not params.get("response_type"):
        return ErrorPage(urlencode(params.pairs))
    scope = () if params.get("scope") else (("scope", " ".join(client.allowed_scopes)),)
    return urlencode([*(pair for pair in params.pairs if pair != ("scope", "")), *scope])

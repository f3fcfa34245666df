"""Warn of gateway settings that load, and yet can hardly be what somebody wanted."""

import re
from collections.abc import Callable, Iterable, Iterator
from urllib.parse import urlsplit

from gateway.core.identity_headers import HeaderTemplates
from gateway.core.paths import canonical
from gateway.settings.claims import likely_claim, missing_scope
from gateway.settings.findings import Finding
from gateway.settings.rule_order import covers, overlap, shadowing
from gateway.settings.schema import OWN_PATHS, AccessRule, CognitoProvider, GatewaySettings
from gateway.settings.values import is_loopback

_DOMAIN = re.compile(r"(?:https://)?[^/]+\.auth(?:-fips)?\.(?P<region>[a-z0-9-]+)\.amazoncognito\.com")
_PREFLIGHT = frozenset({"OPTIONS"})
"""CORS preflights carry no cookie: a public rule for them stands first on purpose."""


def warnings(settings: GatewaySettings) -> list[Finding]:
    """Everything that is worth a second look. Nothing here keeps the gateway from starting."""
    return [finding for check in CHECKS for finding in check(settings)]


def _rules(settings: GatewaySettings) -> Iterator[tuple[int, AccessRule, list[AccessRule]]]:
    for index, rule in enumerate(settings.access):
        yield index, rule, list(settings.access[:index])


def rules_that_never_match(settings: GatewaySettings) -> Iterator[Finding]:
    """An earlier rule decides everything that this one is about."""
    for index, rule, earlier in _rules(settings):
        if first := shadowing(earlier, rule):
            exposed = ", and lets anyone in" if first.allow == "anyone" and rule.allow != "anyone" else ""
            where = f"access[{settings.access.index(first)}] ({first.path})"
            yield Finding(
                ("access", index),
                f"can never match: {where} comes first and covers {rule.path}{exposed}; put the narrower rule first",
            )


def public_rules_over_protected_ones(settings: GatewaySettings) -> Iterator[Finding]:
    """For some methods a wider public rule comes before a protected one."""
    for index, rule, earlier in _rules(settings):
        if rule.allow == "anyone" or shadowing(earlier, rule):
            continue
        for before in earlier:
            open_methods = (overlap(before, rule) or frozenset()) - _PREFLIGHT
            if before.allow == "anyone" and open_methods and _wider(before.path, rule.path):
                where = f"access[{settings.access.index(before)}] ({before.path})"
                methods = ", ".join(sorted(open_methods))
                yield Finding(("access", index), f"does not protect {methods}: {where} comes first and lets anyone in")
                break


def _wider(wide: str, narrow: str) -> bool:
    return covers(wide, narrow) and not covers(narrow, wide)


def rules_that_differ_in_case(settings: GatewaySettings) -> Iterator[Finding]:
    """To many applications `/Admin` and `/admin` are the same place."""
    if settings.paths.case == "exact":
        return
    for index, rule, earlier in _rules(settings):
        twin = next((one for one in earlier if one.path != rule.path and _same(one.path, rule.path)), None)
        if twin is not None:
            where = f"access[{settings.access.index(twin)}] ({twin.path})"
            yield Finding(
                ("access", index, "path"),
                f"differs from {where} only in letter case; many applications ignore it",
            )


def _same(one: str, other: str) -> bool:
    return canonical(one) == canonical(other) and one.endswith("/") == other.endswith("/")


def rules_on_own_paths(settings: GatewaySettings) -> Iterator[Finding]:
    """The gateway answers its own addresses before any rule."""
    own = OWN_PATHS | {settings.sign_in.callback_path}
    for index, rule, _ in _rules(settings):
        if rule.path in own:
            yield Finding(("access", index, "path"), "has no effect: the gateway answers this address itself")


def no_last_rule(settings: GatewaySettings) -> Iterator[Finding]:
    """What no rule matches is refused to everybody: better said than left out."""
    if not any(rule.methods is None and covers(rule.path, "/**") for rule in settings.access):
        yield Finding(
            ("access",),
            "has no rule for /**, so every other path is refused, even to signed-in users;"
            " end the list with a rule for /** (allow: signed-in or nobody)",
        )


def no_upstreams(settings: GatewaySettings) -> Iterator[Finding]:
    """Right for the middleware alone."""
    if not settings.upstreams:
        yield Finding(
            ("upstreams",),
            "is empty: `run` has nothing to forward to (right for the middleware only)",
        )


def upstreams_that_are_not_verified(settings: GatewaySettings) -> Iterator[Finding]:
    """`verify: false` takes any certificate."""
    for index, upstream in enumerate(settings.upstreams):
        if not upstream.tls.verify:
            yield Finding(
                ("upstreams", index, "tls", "verify"), "accepts any certificate; name the authority in ca_file instead"
            )


def domain_of_another_region(settings: GatewaySettings) -> Iterator[Finding]:
    """Pool and domain are always in one region."""
    provider = settings.provider
    if not isinstance(provider, CognitoProvider):
        return
    region, found = provider.user_pool_id.partition("_")[0], _DOMAIN.fullmatch(provider.domain)
    if found and found["region"] != region:
        yield Finding(("provider", "domain"), f"is in {found['region']}, but user_pool_id is in {region}")


def providers_in_the_clear(settings: GatewaySettings) -> Iterator[Finding]:
    """Keys and tokens over plain http can be replaced by anybody on the way."""
    provider = settings.provider
    addresses = {"issuer": provider.issuer, "discovery_url": provider.discovery_url, **provider.endpoints.model_dump()}
    for key, url in addresses.items():
        if url and url.startswith("http:") and not is_loopback(urlsplit(url).hostname or ""):
            path = ("provider", key) if key in {"issuer", "discovery_url"} else ("provider", "endpoints", key)
            yield Finding(path, "is not https: whoever is on the way can sign in as anybody")


def claims_that_do_not_exist(settings: GatewaySettings) -> Iterator[Finding]:
    """A header whose claim is missing is never sent."""
    cognito = isinstance(settings.provider, CognitoProvider)
    for name, text in settings.headers.items():
        for claim in sorted(HeaderTemplates.compile({name: text}).claims):
            if meant := likely_claim(claim, cognito=cognito):
                yield Finding(("headers", name), f"names the claim {claim}, which is not known; did you mean {meant}?")
            elif cognito and (scope := missing_scope(claim, settings.provider.scopes)):
                yield Finding(
                    ("headers", name),
                    f"is never sent: the claim {claim} needs {scope} in provider.scopes",
                )


CHECKS: tuple[Callable[[GatewaySettings], Iterable[Finding]], ...] = (
    rules_that_never_match,
    public_rules_over_protected_ones,
    rules_that_differ_in_case,
    rules_on_own_paths,
    no_last_rule,
    no_upstreams,
    upstreams_that_are_not_verified,
    domain_of_another_region,
    providers_in_the_clear,
    claims_that_do_not_exist,
)
"""A new warning is one function here. It reads settings only: no files, no network, no clock."""

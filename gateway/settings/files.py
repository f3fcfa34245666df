"""Try the PEM files that a settings file names, so that a mistake in one is in the same report as all others."""

import ssl
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from gateway.settings.document import KeyPath
from gateway.settings.findings import Finding


def file_mistakes(data: Mapping[str, Any]) -> Iterator[Finding]:
    """Files that cannot be used. `data` is the file's content with its references filled in, valid or not."""
    for path, section in _sections(data):
        if isinstance(section, Mapping):
            yield from (Finding((*path, key), problem) for key, problem in _problems(section))


def _sections(data: Mapping[str, Any]) -> Iterator[tuple[KeyPath, object]]:
    yield ("provider",), data.get("provider")
    upstreams = data.get("upstreams")
    for index, upstream in enumerate(upstreams if isinstance(upstreams, list) else ()):
        if isinstance(upstream, Mapping):
            yield ("upstreams", index, "tls"), upstream.get("tls")


def _problems(section: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    authorities, certificate, key = (section.get(name) for name in ("ca_file", "certificate", "key"))
    if isinstance(authorities, str) and (problem := authorities_problem(authorities)):
        yield "ca_file", problem
    pair = [(name, file) for name, file in (("certificate", certificate), ("key", key)) if isinstance(file, str)]
    unreadable = [(name, problem) for name, file in pair if (problem := _unreadable(file))]
    yield from unreadable
    if isinstance(certificate, str) and not unreadable:
        yield from _pair_problem(certificate, key if isinstance(key, str) else None)


def authorities_problem(name: str) -> str | None:
    """What is wrong with a file of authorities; None when it can be used."""
    if problem := _unreadable(name):
        return problem
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(name)
    except ssl.SSLError:
        return "holds no certificate in PEM form"
    return None


def _pair_problem(certificate: str, key: str | None) -> Iterator[tuple[str, str]]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_cert_chain(certificate, key, password="")
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            yield "key" if key else "certificate", "is not the key of the certificate"
        else:
            yield "certificate", "cannot be used: certificate and key must be in PEM form, the key without a passphrase"


def _unreadable(name: str) -> str | None:
    try:
        with Path(name).open("rb"):
            return None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "not a file name"
        return f"cannot be read: {reason}"

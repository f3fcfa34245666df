"""The command line: `cognito-gateway run | check | secret | schema | pool serve | demo`.

What the user got wrong ends with a message on the error stream and exit code 2, never with a traceback; `check` exits 1
when the file has mistakes.
"""

# ruff: noqa: PLC0415 - each command imports what it needs, so that `secret` and `--version` answer at once

import errno
import logging
import os
import sys
import time
from argparse import ArgumentParser, Namespace, _SubParsersAction
from collections.abc import Callable, Sequence
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from gateway import __version__
from gateway.errors import GatewayError, SettingsError

if TYPE_CHECKING:
    from gateway.server import Limits
    from gateway.settings import schema
    from gateway.settings.load import Loaded
    from gateway.settings.pool import PoolSettings
    from gateway.settings.schema import GatewaySettings

OK = 0
HAS_MISTAKES = 1
USER_MISTAKE = 2
INTERRUPTED = 130

_EXTRAS = {"aiosqlite", "argon2", "jinja2", "sqlalchemy"}
"""What the extra `pool` installs."""

_LOG = logging.getLogger(__name__)

Command = Callable[[Namespace], int]
_CLOCK = time.time  # noqa: TID251 - for the log of the servers that are started here


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run a command and leave the process with its exit code."""
    sys.exit(execute(arguments))


def execute(arguments: Sequence[str] | None = None) -> int:
    """Run a command; the exit code. Wrong arguments raise SystemExit(2), as argparse has it."""
    _open_streams()
    given = _parsed(arguments)
    command: Command = given.command
    try:
        code = command(given)
        sys.stdout.flush()
    except GatewayError as error:
        _complain(str(error))
        return USER_MISTAKE
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # `cognito-gateway schema | head`: not worth a word
        _discard_output()
        return OK
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        _discard_output()
        _complain(f"the output cannot be written: {error.strerror}")
        return USER_MISTAKE
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _EXTRAS:
            raise
        _complain(f"{error.name} is not installed: the user pool needs the extra pool, cognito-gateway[pool]")
        return USER_MISTAKE
    return code


def _parsed(arguments: Sequence[str] | None) -> Namespace:
    parser = _parser()
    given, rest = parser.parse_known_args(arguments)
    if rest:
        hint = "" if any(word.startswith("-") for word in rest) else "; a settings file is named with -c FILE"
        parser.error(f"unrecognized arguments: {' '.join(rest)}{hint}")
    return given


def _open_streams() -> None:
    """Python has None for a stream that the shell has closed (`>&-`); one of ASCII only shows other letters escaped."""
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: PTH123, SIM115 - as long as the process
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: PTH123, SIM115
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def _discard_output() -> None:
    """What is left in the buffer goes nowhere, so that the interpreter does not complain when it leaves."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _parser() -> ArgumentParser:
    parser = ArgumentParser(prog="cognito-gateway", description="Amazon Cognito sign-in in front of any web service.")
    parser.add_argument("--version", action="version", version=f"cognito-gateway {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    _with_file(_command(commands, "run", run, "serve the gateway"), "gateway.yaml")
    _checking(_command(commands, "check", check, "report every mistake in a settings file"), "gateway.yaml")
    _command(commands, "secret", secret, "print a new secret for session.secrets")
    _command(commands, "schema", schema_, "print the JSON Schema of the settings file").add_argument(
        "--pool", action="store_true", help="of the pool's file"
    )
    pool = commands.add_parser("pool", help="the local user pool").add_subparsers(required=True, metavar="COMMAND")
    _with_file(_command(pool, "serve", pool_serve, "serve the user pool"), "pool.yaml")
    _checking(_command(pool, "check", pool_check, "report every mistake in a pool's settings file"), "pool.yaml")
    trio = _command(commands, "demo", demo, "run pool, sample application and gateway together, on this machine only")
    trio.add_argument("--data", type=Path, default=Path("data/demo"), metavar="FOLDER", help="where it remembers users")
    trio.add_argument("--reset", action="store_true", help="forget the users, and end")
    return parser


def _command(commands: "_SubParsersAction[ArgumentParser]", name: str, command: Command, text: str) -> ArgumentParser:
    parser = commands.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
    parser.set_defaults(command=command)
    return parser


def _with_file(parser: ArgumentParser, usual: str) -> None:
    parser.add_argument("-c", "--config", default=usual, metavar="FILE", help=f"settings file ({usual})")


def _checking(parser: ArgumentParser, usual: str) -> None:
    _with_file(parser, usual)
    parser.add_argument("--strict", action="store_true", help="warnings are mistakes too")


def check(given: Namespace) -> int:
    """Exit 0 when the gateway would start with this file, 1 with the report when it would not."""

    def look() -> "Loaded[GatewaySettings]":
        from gateway.app import build
        from gateway.settings.load import read

        loaded = read(given.config, os.environ)
        with loaded.placed():
            build(loaded.settings, log=sys.stdout)
        return loaded

    return _checked(look, strict=given.strict)


def pool_check(given: Namespace) -> int:
    """As `check`, for the pool's file."""

    def look() -> "Loaded[PoolSettings]":
        from gateway.app_pool import build_pool
        from gateway.settings.load import read_pool

        loaded = read_pool(given.config, os.environ)
        with loaded.placed():
            build_pool(loaded.settings)
        return loaded

    return _checked(look, strict=given.strict)


def _checked(look: "Callable[[], Loaded[Any]]", *, strict: bool) -> int:
    try:
        loaded = look()
    except SettingsError as error:
        _complain(str(error))
        return HAS_MISTAKES
    warnings = loaded.warnings()
    if warnings:
        _complain(loaded.report(warnings))
    if warnings and strict:
        return HAS_MISTAKES
    print(f"{loaded.name}: no mistakes")
    return OK


def secret(_: Namespace) -> int:
    """Print 256 random bits as text."""
    import secrets

    from gateway.settings.strength import weakness

    while weakness(made := secrets.token_urlsafe(32)):
        pass  # once in billions of tries the letters look like a placeholder
    print(made)
    return OK


def schema_(given: Namespace) -> int:
    """Print the JSON Schema of the gateway's file, or of the pool's."""
    from gateway.settings.jsonschema import gateway_schema, pool_schema

    print(pool_schema() if given.pool else gateway_schema(), end="")
    return OK


def run(given: Namespace) -> int:
    """Serve the gateway until a signal ends it."""
    from gateway.app import build
    from gateway.serving import Listener
    from gateway.serving import run as serve
    from gateway.settings.load import read

    loaded = read(given.config, os.environ)
    settings = loaded.settings
    _log_to_stdout(level=settings.logging.level, style=settings.logging.format)
    _warn(loaded)
    with loaded.placed():
        gateway = build(settings, log=sys.stdout)
    listen = settings.listen
    listeners = [Listener(gateway, listen.host, listen.port, "listen.port", _limits(settings.limits))]
    if listen.metrics:
        metrics = gateway.metrics.listener()
        listeners.insert(0, Listener(metrics, listen.metrics.host, listen.metrics.port, "listen.metrics"))
    said = f"cognito-gateway {__version__} listens on %s for {settings.public_url}"
    serve(listeners, lambda servers: _LOG.info(said, servers[-1].url))
    _LOG.info("cognito-gateway has stopped")
    return OK


def pool_serve(given: Namespace) -> int:
    """Serve the user pool until a signal ends it."""
    from gateway.app_pool import build_pool
    from gateway.serving import POOL_LIMITS, Listener
    from gateway.serving import run as serve
    from gateway.settings.load import read_pool

    loaded = read_pool(given.config, os.environ)
    settings = loaded.settings
    _log_to_stdout()
    _warn(loaded)
    with loaded.placed():
        pool = build_pool(settings)
        listener = Listener(pool, settings.listen.host, settings.listen.port, "listen.port", POOL_LIMITS)
        serve([listener], lambda servers: _LOG.info("The user pool listens on %s", servers[0].url))
    _LOG.info("The user pool has stopped")
    return OK


def demo(given: Namespace) -> int:
    """Run pool, sample application and gateway together."""
    if given.reset:
        from gateway.demo.data import forget

        forget(given.data)
        print("The demo's users are forgotten.")
        return OK
    from gateway.demo import trio
    from gateway.telemetry.logs import configure

    configure(sys.stdout, _CLOCK, level="warning")
    trio.run(os.environ, given.data, sys.stdout)
    return OK


def _limits(given: "schema.Limits") -> "Limits":
    from gateway.server import Limits

    return Limits(
        header_bytes=given.header_bytes,
        header_count=given.header_count,
        request_line=given.request_line,
        header_seconds=given.header_timeout,
        body_idle_seconds=given.body_idle_timeout,
        write_seconds=given.write_timeout,
        keep_alive_seconds=given.keep_alive,
        connections=given.connections,
    )


def _warn(loaded: "Loaded[Any]") -> None:
    """What `check` warns of is in the log of the process too."""
    for note in loaded.notes():
        _LOG.warning("%s", note)


def _log_to_stdout(**how: Any) -> None:
    from gateway.telemetry.logs import configure, log_what_nobody_caught

    configure(sys.stdout, _CLOCK, **how)
    log_what_nobody_caught()


def _complain(text: str) -> None:
    print(text, file=sys.stderr)

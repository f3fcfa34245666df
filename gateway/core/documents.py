"""Read a JSON object that came from outside."""

import json
from typing import Any, NoReturn

from gateway.errors import BadData


def json_object(data: bytes) -> dict[str, Any]:
    """The object that `data` holds as JSON in UTF-8.

    Refuses what readers understand differently: a repeated name (RFC 8259 §4), NaN and Infinity (§6). Raises BadData.
    """
    try:
        value = json.loads(data.decode(), object_pairs_hook=_unique, parse_constant=_refuse)
    # A few kilobytes of "[" are enough for the RecursionError.
    except (ValueError, RecursionError) as error:
        raise BadData("not JSON, or JSON that is ambiguous") from error
    if not isinstance(value, dict):
        raise BadData("JSON, but not an object")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = dict(pairs)
    if len(names) != len(pairs):
        raise ValueError("a name occurs twice")
    return names


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")

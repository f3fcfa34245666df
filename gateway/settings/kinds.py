"""Recognise a file that is not the settings it was given for, so that one sentence stands for thirty mistakes."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

_SIGNS = {
    "pool_id": "is the file of a user pool: `cognito-gateway pool check` and `pool serve` read it",
    "provider": "is the file of a gateway: `cognito-gateway check` and `run` read it",
    "apiVersion": "is a Kubernetes manifest; the settings are a file of their own",
    "services": "is a Compose file; the settings are a file of their own",
}
"""A key at the top, and what a file with it is."""


def mistaken_for(data: Mapping[str, Any], model: type[BaseModel]) -> str | None:
    """What the file is, if it is none of this model's; None when it is, or when it cannot be told."""
    required = {name for name, field in model.model_fields.items() if field.is_required()}
    if len(data) == 1 and not required & data.keys():
        (key, inner), *_ = data.items()
        if isinstance(inner, Mapping) and len(required & inner.keys()) > 1:
            return f"has its settings one level too deep: they belong at the top, not below {key}"
    sign = next((sign for sign in _SIGNS if sign in data and sign not in model.model_fields), None)
    own = _SIGNS.keys() & model.model_fields.keys() & data.keys()
    return _SIGNS[sign] if sign and not own else None

"""Publish the settings as JSON Schema, for editors that complete and check while one writes."""

import json
from typing import Any

from pydantic import BaseModel

from gateway.settings.pool import PoolSettings
from gateway.settings.schema import GatewaySettings

_REFERENCE = {"type": "string", "pattern": r"\$\{", "description": "Taken from ${ENV} or ${file:/path}."}


def gateway_schema() -> str:
    """The schema of the gateway's file, as text."""
    return _text(GatewaySettings, "cognito-gateway settings")


def pool_schema() -> str:
    """The schema of the pool's file, as text."""
    return _text(PoolSettings, "cognito-gateway pool settings")


def _text(model: type[BaseModel], title: str) -> str:
    schema = _with_references(model.model_json_schema())
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": title}
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def _with_references(node: Any) -> Any:
    """Numbers and switches may also come from a variable: `port: ${PORT:-8000}` is a text in the file."""
    if isinstance(node, list):
        return [_with_references(item) for item in node]
    if not isinstance(node, dict):
        return node
    node = {key: _with_references(value) for key, value in node.items()}
    if node.get("type") in {"integer", "number", "boolean"}:
        outer = {key: node.pop(key) for key in ("default", "description", "title") if key in node}
        return {"anyOf": [node, _REFERENCE], **outer}
    return node

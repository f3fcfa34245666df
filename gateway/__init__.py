"""Amazon Cognito sign-in in front of any web service; public names load when first used."""

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["Gateway", "GatewayError", "__version__"]

if TYPE_CHECKING:
    from gateway.app import Gateway
    from gateway.errors import GatewayError

_HOMES = {"Gateway": "gateway.app", "GatewayError": "gateway.errors"}


def __getattr__(name: str) -> Any:
    """Load a public name from its module, so that `import gateway` itself stays light."""
    if name not in _HOMES:
        raise AttributeError(f"module 'gateway' has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415 - lazily, on purpose

    return getattr(import_module(_HOMES[name]), name)

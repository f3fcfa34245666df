"""The data plane is tested on both loops: uvloop serves in production, asyncio's own in tests and the demo."""

import pytest


@pytest.fixture(scope="session", params=[False, True], ids=["asyncio", "uvloop"])
def anyio_backend(request):
    return ("asyncio", {"use_uvloop": request.param})

"""Commands configure logging for their process; here they share one."""

import pytest

from tests.support.log_state import logging_restored


@pytest.fixture(autouse=True)
def root_logging():
    """The state of logging as it was."""
    with logging_restored():
        yield

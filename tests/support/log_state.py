"""The standard library's logging, put back as it was: it is one for the whole process."""

import logging
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

NAMES = ("", "uvicorn", "uvicorn.error", "uvicorn.access", "httpx", "httpcore", "aiosqlite", "asyncio")


@contextmanager
def logging_restored() -> Iterator[None]:
    """For what calls `configure`."""
    kept = [(logger, logger.handlers[:], logger.level, logger.propagate) for logger in map(logging.getLogger, NAMES)]
    hooks = sys.excepthook, threading.excepthook, sys.unraisablehook
    try:
        yield
    finally:
        logging.captureWarnings(capture=False)
        sys.excepthook, threading.excepthook, sys.unraisablehook = hooks
        for logger, handlers, level, propagate in kept:
            logger.handlers[:] = handlers
            logger.setLevel(level)
            logger.propagate = propagate

"""Keeps uvicorn's log free of errors for answers that are broken off on purpose."""

from __future__ import annotations

import asyncio
import logging

__all__ = ["expect_cuts"]

_CUT = "ASGI callable returned without completing response."
_CANCELLED = "Exception in ASGI application\n"


def expect_cuts() -> None:
    """Keep uvicorn from logging an error for each connection that we cut on purpose.

    An ASGI app has no other way to break off an answer than to return without an end.
    """
    logger = logging.getLogger("uvicorn.error")
    if _is_news not in logger.filters:
        logger.addFilter(_is_news)


def _is_news(record: logging.LogRecord) -> bool:
    cancelled = record.exc_info is not None and record.exc_info[0] is asyncio.CancelledError
    return record.msg != _CUT and not (record.msg == _CANCELLED and cancelled)

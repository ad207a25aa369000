# SPDX-License-Identifier: Apache-2.0
"""Structured logs that cannot carry personal data.

Only keys of a fixed list pass, and only with values of plain forms: numbers,
booleans, and short strings without spaces at-signs or digits in telephone
length. Whatever else is handed over is replaced by ``[withheld]``: the list
permits, nothing is filtered out by guessing what might be personal.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any, TextIO

import structlog

_KEYS = frozenset(
    [
        "event",
        "level",
        "time",
        "process",
        "method",
        "status",
        "reason",
        "clause",
        "reference",
        "milliseconds",
        "peer",
        "role",
        "site",
        "route",
        "sqlstate",
        "error",
        "where",
        "count",
        "topic",
        "verdict",
        "counter",
        "incarnation",
        "signal",
        "port",
        "address",
        "attempt",
        "seconds",
        "part",
        "state",
        "version",
        "key_id",
        "stage",
        "outcome",
    ]
)
_PLAIN = re.compile(r"[A-Za-z0-9_./:{}\[\]*-]{0,120}")
_EVENT = re.compile(r"[A-Za-z0-9 ,.:;'/_-]{0,120}")
# A telephone number in whatever way it is written.
_LONG_DIGITS = re.compile(r"(?:\d[-./() ]*){7,}")
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_WITHHELD = "[withheld]"


def configure(process: str, stream: TextIO | None = None) -> None:
    """Send JSON lines to `stream` (stderr); also from the standard library, text withheld."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
            _permit,
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.PrintLoggerFactory(stream or sys.stderr),
        cache_logger_on_first_use=False,
    )
    structlog.contextvars.clear_contextvars()
    root = logging.getLogger()
    root.handlers = [_Foreign(process)]
    root.setLevel(logging.WARNING)


def get_logger(process: str) -> Any:
    """A logger that stamps every line with the process."""
    return structlog.get_logger().bind(process=process)


def _permit(_logger: Any, _name: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    return {key: _plain(key, value) for key, value in line.items() if key in _KEYS}


def _plain(key: str, value: object) -> object:
    if value is None or isinstance(value, bool | int | float):
        return value
    if key in ("time", "level"):
        return value
    text = str(value)
    if key == "event":
        return text if _EVENT.fullmatch(text) and not _LONG_DIGITS.search(text) else _WITHHELD
    if _UUID.fullmatch(text):
        return text
    if _PLAIN.fullmatch(text) and not _LONG_DIGITS.search(text):
        return text
    return _WITHHELD


class _Foreign(logging.Handler):
    """Lines of libraries: their text may quote anything, so only their origin is kept."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self._log = get_logger(process)

    def emit(self, record: logging.LogRecord) -> None:
        """Write where the line came from and how serious it is."""
        self._log.warning(
            "library message",
            where=f"{record.name}:{record.lineno}",
            error=record.exc_info[0].__name__ if record.exc_info and record.exc_info[0] else None,
        )

# SPDX-License-Identifier: Apache-2.0
"""Identifiers: random subject ids, and UUIDv7 for rows whose order matters."""

from __future__ import annotations

import os
import secrets
import time
from collections import deque

# To ask the operating system gives the interpreter away to other threads: many are drawn at once.
_RANDOM_BYTES, _AT_ONCE = 10, 256
_drawn: deque[bytes] = deque()
os.register_at_fork(after_in_child=_drawn.clear)


def new_subject_id() -> str:
    """128 random bits as 32 lowercase hexadecimal digits."""
    return secrets.token_hex(16)


def new_uuid() -> str:
    """A UUIDv7 (RFC 9562): 48 bits of Unix milliseconds, then random bits."""
    milliseconds = time.time_ns() // 1_000_000
    value = (milliseconds & ((1 << 48) - 1)) << 80 | int.from_bytes(_random(), "big")
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    digits = f"{value:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def _random() -> bytes:
    try:
        return _drawn.pop()
    except IndexError:
        drawn = os.urandom(_RANDOM_BYTES * _AT_ONCE)
        parts = [drawn[at : at + _RANDOM_BYTES] for at in range(0, len(drawn), _RANDOM_BYTES)]
        _drawn.extend(parts[1:])
        return parts[0]

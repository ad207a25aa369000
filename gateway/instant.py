# SPDX-License-Identifier: Apache-2.0
"""Instants as RFC 3339 text, read strictly and written in UTC."""

import re
from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp

_FORM = re.compile(
    r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)", re.ASCII
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LEAST, _GREATEST = -62_135_596_800, 253_402_300_799


def read_instant(text: str) -> Timestamp:
    """The instant that `text` names. Raises ValueError for anything but RFC 3339."""
    match = _FORM.fullmatch(text)
    if match is None:
        raise ValueError("not an RFC 3339 time")
    whole, fraction, offset = match.groups()
    since = datetime.fromisoformat(whole).replace(tzinfo=UTC) - _EPOCH
    seconds = since.days * 86_400 + since.seconds - _offset_seconds(offset)
    if not _LEAST <= seconds <= _GREATEST:
        raise ValueError("outside the years 1 to 9999")
    return Timestamp(seconds=seconds, nanos=int((fraction or "").ljust(9, "0")))


def _offset_seconds(offset: str) -> int:
    if offset == "Z":
        return 0
    sign = -1 if offset[0] == "-" else 1
    return sign * (int(offset[1:3]) * 3600 + int(offset[4:6]) * 60)


def write_instant(instant: Timestamp) -> str:
    """RFC 3339 in UTC, with as many of 0, 3, 6 or 9 decimals as it needs."""
    return instant.ToJsonString()

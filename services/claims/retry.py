# SPDX-License-Identifier: Apache-2.0
"""When a letter that may not have left is tried again (clause 8.2)."""

from datetime import datetime, timedelta
from typing import Final

# Longer than one try can take: nobody else takes the letter meanwhile.
_LEASE: Final = timedelta(seconds=60)
_LONGEST_PAUSE: Final = timedelta(hours=1)


def next_try(attempts: int, now: datetime) -> datetime:
    """Return when it is tried again unless the try that begins at `now`, after so many `attempts`,
    succeeds: twice as long each time, up to an hour."""
    # Past the sixth it is the hour anyway; the number stays small.
    return now + min(_LEASE * (1 << min(attempts, 6)), _LONGEST_PAUSE)

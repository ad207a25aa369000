# SPDX-License-Identifier: Apache-2.0
"""SQL of the fetches that count: what the repeats of a fetch owe where nothing left by it."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.engine import Connection

from services.disclosure.permission import REPEAT_WINDOW
from services.disclosure.release import Release

# Found by the subject, of whom there are few releases; the states are in the words of that index.
_HAND_ON = text(
    "UPDATE releases SET counted = true WHERE site_id = :site AND release_id = ("
    "SELECT r.release_id FROM releases r "
    "WHERE r.site_id = :site AND r.subject_id = :subject AND r.delivery_id = :delivery "
    "AND r.state IN ('PREPARED', 'RELEASED', 'RELEASED_UNCERTAIN') AND NOT r.counted "
    "AND r.prepare_time BETWEEN :since AND :until ORDER BY r.prepare_time, r.release_id LIMIT 1)"
)


def hand_on(connection: Connection, release: Release) -> None:
    """Count the first repeat of a release by which nothing left, where the release counted.

    The caller holds the delivery, so that no repeat is being decided on meanwhile.
    """
    if not release.counted:
        return
    connection.execute(
        _HAND_ON,
        {
            "site": release.site_id,
            "subject": release.subject_id,
            "delivery": release.delivery_id,
            "since": release.prepare_time,
            "until": release.prepare_time + REPEAT_WINDOW,
        },
    )

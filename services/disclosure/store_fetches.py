# SPDX-License-Identifier: Apache-2.0
"""SQL of the fetches that count: what the repeats of a fetch owe where nothing left by it."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import DateTime, Text, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.engine import Connection

from services.chassis.arrays import Instants, Texts
from services.chassis.prepared import Prepared
from services.disclosure.permission import REPEAT_WINDOW
from services.disclosure.release import Release

# Found by the subject, of whom there are few releases; the states are in the words of that index.
# By themselves: in one join with what is updated the whole site's would be looked through.
_HAND_ON = Prepared(
    text(
        "WITH repeat AS MATERIALIZED (SELECT one.site_id, one.release_id "
        "FROM unnest(:site, :subject, :delivery, :since, :until) "
        "AS ended(site_id, subject_id, delivery_id, since, until), LATERAL ("
        "SELECT r.site_id, r.release_id FROM releases r "
        "WHERE r.site_id = ended.site_id AND r.subject_id = ended.subject_id "
        "AND r.delivery_id = ended.delivery_id "
        "AND r.state IN ('PREPARED', 'RELEASED', 'RELEASED_UNCERTAIN') AND NOT r.counted "
        "AND r.prepare_time BETWEEN ended.since AND ended.until "
        "ORDER BY r.prepare_time, r.release_id LIMIT 1) AS one) "
        "UPDATE releases SET counted = true FROM repeat "
        "WHERE releases.site_id = repeat.site_id AND releases.release_id = repeat.release_id"
    ).bindparams(
        *(bindparam(name, type_=ARRAY(Text)) for name in ("site", "subject", "delivery")),
        *(bindparam(name, type_=ARRAY(DateTime(timezone=True))) for name in ("since", "until")),
    )
)


def hand_on(connection: Connection, ended: Sequence[Release]) -> None:
    """Count the first repeat of each release by which nothing left, where that one counted.

    The caller holds the deliveries, so that no repeat is being decided on meanwhile.
    """
    counted = [release for release in ended if release.counted]
    if counted:
        _HAND_ON.run(
            connection,
            site=Texts([each.site_id for each in counted]),
            subject=Texts([each.subject_id for each in counted]),
            delivery=Texts([each.delivery_id for each in counted]),
            since=Instants([each.prepare_time for each in counted]),
            until=Instants([each.prepare_time + REPEAT_WINDOW for each in counted]),
        )

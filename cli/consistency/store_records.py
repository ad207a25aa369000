# SPDX-License-Identifier: Apache-2.0
"""The vault's ciphertexts of visits and purchases."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import select

from cli.consistency.store_snapshot import Snapshot, plain
from cli.consistency.store_vault import Sealed
from services.vault.tables_records import purchases, visits

# Column → the name under which a visit's value was encrypted.
_NAMES = {
    "ip": "technical.ip",
    "cookie": "technical.cookie",
    "user_agent": "technical.userAgent",
    "access_time": "technical.accessTime",
    "page": "technical.page",
    "referrer": "technical.referrer",
    "groups": "groups",
    "salt": "salt",
}


def recorded_visits(vault: Snapshot) -> Iterator[Sealed]:
    """Every value of every visit, by (site, subject, visit)."""
    v = visits.c
    order = plain(v.site_id), plain(v.subject_id), plain(v.visit_id)
    for row in vault.stream(select(visits).order_by(*order)):
        key = ("site_id", row.site_id), ("subject_id", row.subject_id), ("visit_id", row.visit_id)
        for column, name in _NAMES.items():
            ciphertext = getattr(row, column)
            if ciphertext is not None:
                place = f"{name}/{row.visit_id}"
                yield Sealed("visits", key, row.site_id, row.subject_id, place, 1, ciphertext)


def stored_purchases(vault: Snapshot) -> Iterator[Sealed]:
    """Every line of every order, by (site, subject, order, line)."""
    p = purchases.c
    order = plain(p.site_id), plain(p.subject_id), plain(p.order_id), p.line
    for row in vault.stream(select(purchases).order_by(*order)):
        key = (
            ("site_id", row.site_id),
            ("subject_id", row.subject_id),
            ("order_id", row.order_id),
            ("line", str(row.line)),
        )
        place = f"purchases/{row.order_id}/{row.line}"
        yield Sealed("purchases", key, row.site_id, row.subject_id, place, 1, row.ciphertext)

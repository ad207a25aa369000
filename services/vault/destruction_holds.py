# SPDX-License-Identifier: Apache-2.0
"""What holds the destructions of a list, read for all of them at once (clause 5.1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from services.chassis.database import Connection
from services.vault import store, store_destruction
from services.vault.destruction import Hold, holds_of
from services.vault.retention import Category, Term, kept
from services.vault.store_destruction import DONE, DestructionRow
from services.vault.wire_case import standing_of


def read_holds(
    connection: Connection,
    rows: Sequence[DestructionRow],
    terms: Mapping[Category, Term],
    now: datetime,
) -> dict[str, list[Hold]]:
    """By subject, for those destructions of one site that are still to be.

    As many statements for a thousand as for one: the cases, and a count of each category that a
    term can keep.
    """
    waiting = [(row.site, row.subject) for row in rows if row.state != DONE]
    if not waiting:
        return {}
    site, subjects = waiting[0][0], [subject for _, subject in waiting]
    cases = store.cases(connection, waiting)
    held = store_destruction.held(connection, site, subjects, terms.keys())
    return {
        subject: holds_of(standing_of(cases[site, subject]), kept(terms, held[subject], now))
        for subject in subjects
    }

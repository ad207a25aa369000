# SPDX-License-Identifier: Apache-2.0
"""Keep how a word was given, and what stood when: the latter of everything so far too."""

from itertools import groupby

from alembic import op
from sqlalchemy import insert, select, text

from services.chassis.migration.tables import create
from services.consent.book import Book
from services.consent.history import consent_changes, stance_change
from services.consent.store_events import event_of
from services.consent.store_states import agreement_row, consent_row
from services.consent.tables import events
from services.consent.tables_states import (
    APPEND_ONLY,
    agreement_states,
    consent_states,
    metadata,
)

revision = "0002"
down_revision = "0001"

_COLUMNS = {
    "declarant": "text",
    "declare_time": "timestamptz",
    "authority_kind": "text",
    "authority_reference": "text",
    "authority_sha256": "text",
    "authority_issue_date": "date",
    "authority_end_date": "date",
    "paper_reference": "text",
    "paper_sha256": "text",
}
_BATCH = 1000


def upgrade() -> None:
    """Add the columns, make the tables and indexes, and tell every history again."""
    for name, kind in _COLUMNS.items():
        # A database of today has them from its first revision on.
        op.execute(text(f"ALTER TABLE consent_events ADD COLUMN IF NOT EXISTS {name} {kind}"))
    op.execute(
        text(
            "CREATE INDEX consent_events_word ON consent_events (site_id, act_id) "
            "WHERE purpose <> ''"
        )
    )
    op.execute(
        text(
            "CREATE INDEX evidence_of_consents ON evidence_entries "
            "(site_id, ((body::jsonb) -> 'refs' ->> 'act_id')) WHERE event LIKE 'consent.%' "
            "OR event LIKE 'policy.rejected%'"
        )
    )
    create(metadata, APPEND_ONLY)
    _tell_again()


def _tell_again() -> None:
    connection = op.get_bind()
    order = (events.c.site_id, events.c.subject_id, events.c.sequence)
    statement = select(events).order_by(*order).execution_options(yield_per=_BATCH)
    rows = connection.execute(statement)
    for place, members in groupby(rows, lambda row: (row.site_id, row.subject_id)):
        book, consents, agreements = Book(), [], []
        for event in map(event_of, members):
            before, book = book, book.apply(event).book
            consents += [consent_row(place, book, c) for c in consent_changes(before, book)]
            changed = stance_change(before, book, event)
            agreements += [agreement_row(place, book, changed)] if changed else []
        if consents:
            connection.execute(insert(consent_states), consents)
        if agreements:
            connection.execute(insert(agreement_states), agreements)

# SPDX-License-Identifier: Apache-2.0
"""SQL of the recipients."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date
from typing import Any

from sqlalchemy import Text, and_, insert, null, select, update
from sqlalchemy.engine import Connection

from services.chassis.arrays import Texts
from services.chassis.prepared import Prepared, given
from services.disclosure.recipient import Kind, Recipient, RecipientState, Terms
from services.disclosure.tables import recipients


def add(connection: Connection, recipient: Recipient) -> None:
    """Write a new recipient."""
    connection.execute(
        insert(recipients).values(
            site_id=recipient.site_id,
            recipient_id=recipient.recipient_id,
            kind=recipient.kind,
            legal_name=recipient.legal_name,
            bin=recipient.bin,
            state=recipient.state,
            register_time=recipient.register_time,
            registered_by=recipient.registered_by,
            **_columns(recipient.terms),
        )
    )


def find(
    connection: Connection, site_id: str, recipient_id: str, *, lock: bool = False
) -> Recipient | None:
    """A recipient of the site; `lock` holds it until the transaction ends."""
    statement = select(recipients).filter_by(site_id=site_id, recipient_id=recipient_id)
    if lock:
        statement = statement.with_for_update()
    row = connection.execute(statement).one_or_none()
    return None if row is None else _recipient(row)


_asked = given("asked", site_id=Text, recipient_id=Text)
_FIND_ALL = Prepared(
    select(recipients).join_from(
        _asked,
        recipients,
        and_(
            recipients.c.site_id == _asked.c.site_id,
            recipients.c.recipient_id == _asked.c.recipient_id,
        ),
    )
)


def find_all(
    connection: Connection, wanted: Collection[tuple[str, str]]
) -> dict[tuple[str, str], Recipient]:
    """Those of the (site, recipient) that are registered."""
    keys = sorted(wanted)
    rows = _FIND_ALL.rows(
        connection,
        site_id=Texts([site_id for site_id, _ in keys]),
        recipient_id=Texts([recipient_id for _, recipient_id in keys]),
    )
    return {row[:2]: _recipient(row) for row in rows}


def renew(connection: Connection, recipient: Recipient, terms: Terms, person: str) -> None:
    """Keep new terms that `person` proposes, in the place of any that wait already."""
    _update(connection, recipient, renewal=_document(terms), renewed_by=person)


def activate(connection: Connection, recipient: Recipient) -> None:
    """Let a recipient in, under its new terms where some wait."""
    terms = recipient.renewal or recipient.terms
    _update(
        connection,
        recipient,
        state=RecipientState.ACTIVE,
        renewal=null(),
        renewed_by="",
        **_columns(terms),
    )


def set_state(
    connection: Connection, site_id: str, recipient_id: str, state: RecipientState
) -> None:
    """Set where a recipient stands."""
    connection.execute(
        update(recipients).filter_by(site_id=site_id, recipient_id=recipient_id).values(state=state)
    )


def listed(connection: Connection, site_id: str, after: str, limit: int) -> list[Recipient]:
    """The site's recipients in the order of registration, after the id `after`."""
    rows = connection.execute(
        select(recipients)
        .filter_by(site_id=site_id)
        .where(recipients.c.recipient_id > after)
        .order_by(recipients.c.recipient_id)
        .limit(limit)
    )
    return [_recipient(row) for row in rows]


def _update(connection: Connection, recipient: Recipient, **members: object) -> None:
    connection.execute(
        update(recipients)
        .filter_by(site_id=recipient.site_id, recipient_id=recipient.recipient_id)
        .values(members)
    )


def _recipient(row: Sequence[Any]) -> Recipient:
    """The recipient of a row that has the table's columns in their order."""
    site_id, recipient_id, kind, legal_name, bin_, agreement, state, *members = row
    register_time, registered_by, begin, end, contact, certificate, renewal, renewed_by = members
    return Recipient(
        site_id=site_id,
        recipient_id=recipient_id,
        kind=Kind(kind),
        legal_name=legal_name,
        bin=bin_,
        terms=Terms(agreement, begin, end, contact, certificate),
        state=RecipientState(state),
        register_time=register_time,
        registered_by=registered_by,
        renewal=None if renewal is None else _terms(renewal),
        renewed_by=renewed_by,
    )


def _columns(terms: Terms) -> dict[str, object]:
    return {
        "agreement": terms.agreement,
        "begin_date": terms.begin_date,
        "end_date": terms.end_date,
        "contact": terms.contact,
        "certificate_sha256": terms.certificate_sha256,
    }


def _document(terms: Terms) -> dict[str, str]:
    return {
        "agreement": terms.agreement,
        "beginDate": terms.begin_date.isoformat() if terms.begin_date else "",
        "endDate": terms.end_date.isoformat() if terms.end_date else "",
        "contact": terms.contact,
        "certificateSha256": terms.certificate_sha256,
    }


def _terms(document: Mapping[str, str]) -> Terms:
    return Terms(
        document["agreement"],
        _date(document["beginDate"]),
        _date(document["endDate"]),
        document["contact"],
        document["certificateSha256"],
    )


def _date(text: str) -> date | None:
    return date.fromisoformat(text) if text else None

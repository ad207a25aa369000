# SPDX-License-Identifier: Apache-2.0
"""SQL of the ledger: lines are inserted, never changed; repeats are counted beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import DateTime, Select, Text, and_, func, insert, or_, select, tuple_
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.engine import Connection, Row

from services.chassis import evidence
from services.chassis.arrays import Instants, Integers, Texts
from services.chassis.evidence import Entry, RefusalLog
from services.chassis.prepared import Prepared, given
from services.chassis.pseudonym import pseudonym_of, pseudonyms_of
from services.disclosure.ledger import Disclosure, Outcome, minute_of
from services.disclosure.permission import STATE_BODY, Ground
from services.disclosure.tables import disclosure_tallies, disclosures, recipients
from services.disclosure.tables_authorities import authorities, authority_requests

# Fields travel as one text each, because arrays of arrays have to be of one length.
_new = given(
    "new",
    site_id=Text,
    disclosure_id=Text,
    subject_id=Text,
    outcome=Text,
    reason=Text,
    clause=Text,
    recipient_id=Text,
    order_id=Text,
    delivery_id=Text,
    disclose_time=DateTime(timezone=True),
    first_disclosure_id=Text,
    rule=Text,
    ground=Text,
    request_id=Text,
    secret_until=DateTime(timezone=True),
    names=Text,
)
_ADD = Prepared(
    insert(disclosures).from_select(
        [*(column.name for column in _new.columns if column.name != "names"), "fields"],
        select(
            *(column for column in _new.columns if column.name != "names"),
            func.string_to_array(_new.c.names, " ", type_=ARRAY(Text)),
        ),
    )
)


def record_left(
    connection: Connection, lines: Sequence[tuple[Disclosure, Entry]], now: datetime
) -> None:
    """Write the lines and the evidence of data that leave, or may have left.

    The entries get the subjects' pseudonyms, where they have none. Raises Unavailable: no record,
    no data.
    """
    if not lines:
        return
    _add(connection, [line for line, _ in lines])
    unnamed = {(line.site_id, line.subject_id) for line, proof in lines if not proof.subject}
    names = pseudonyms_of(connection, unnamed) if unnamed else {}
    proofs = [
        proof if proof.subject else replace(proof, subject=names[line.site_id, line.subject_id])
        for line, proof in lines
    ]
    evidence.append_all(connection, proofs, now)


def record_refusals(
    connection: Connection,
    refusals: RefusalLog,
    noted: Sequence[tuple[Disclosure | None, Entry]],
    now: datetime,
) -> list[str | None]:
    """Write the lines and the evidence of refusals, in as many statements as for one.

    Without a line there is evidence only. The entries get the subjects' pseudonyms; repeats count
    within their minute. Each one's answer is the id of the line that stands for it, of the entry
    where it has none; None where the principal was refused too often: nothing of it is written.
    Raises Unavailable.
    """
    subjects = {(line.site_id, line.subject_id) for line, _ in noted if line and line.subject_id}
    names = pseudonyms_of(connection, subjects) if subjects else {}
    proofs = [
        replace(proof, subject=names.get((line.site_id, line.subject_id), "")) if line else proof
        for line, proof in noted
    ]
    recorded = refusals.record_all(connection, proofs, now)
    lines = [line for (line, _), entry_id in zip(noted, recorded, strict=True) if line and entry_id]
    stand = _add_refusals(connection, lines)
    return [
        stand[_tally_key(line)] if line and entry_id else entry_id
        for (line, _), entry_id in zip(noted, recorded, strict=True)
    ]


def record_authority(connection: Connection, line: Disclosure, proof: Entry) -> None:
    """Write a line and the evidence of a state body's request; both are secret until it is over.

    `proof` gets the subject's pseudonym. Raises Unavailable: no record, no data.
    """
    subject = pseudonym_of(connection, line.site_id, line.subject_id)
    _add(connection, [line])
    evidence.append(connection, replace(proof, subject=subject), line.disclose_time)


def find(
    connection: Connection, site_id: str, disclosure_id: str, now: datetime
) -> Disclosure | None:
    """One line of the site's, unless it is secret at `now`."""
    row = connection.execute(
        _lines(now).where(
            disclosures.c.site_id == site_id, disclosures.c.disclosure_id == disclosure_id
        )
    ).one_or_none()
    return None if row is None else _disclosure(row)


def listed(
    connection: Connection,
    site_id: str,
    subject_id: str,
    before: tuple[datetime, str] | None,
    limit: int,
    now: datetime,
) -> list[Disclosure]:
    """A subject's lines that are not secret at `now`, newest first, before (time, id) `before`."""
    statement = (
        _lines(now)
        .where(disclosures.c.site_id == site_id, disclosures.c.subject_id == subject_id)
        .order_by(disclosures.c.disclose_time.desc(), disclosures.c.disclosure_id.desc())
        .limit(limit)
    )
    if before is not None:
        place = tuple_(disclosures.c.disclose_time, disclosures.c.disclosure_id)
        statement = statement.where(place < before)
    return [_disclosure(row) for row in connection.execute(statement)]


def _lines(now: datetime) -> Select[Any]:
    # Every reader comes through here: what is secret is absent for all of them (clause 5.3).
    told = or_(disclosures.c.secret_until.is_(None), disclosures.c.secret_until <= now)
    return (
        select(
            disclosures,
            func.coalesce(recipients.c.legal_name, authorities.c.legal_name).label("legal_name"),
            func.coalesce(recipients.c.bin, authorities.c.bin).label("bin"),
            recipients.c.kind,
            authority_requests.c.act,
            authority_requests.c.article,
            func.coalesce(disclosure_tallies.c.count, 1).label("times"),
        )
        .outerjoin(
            recipients,
            and_(
                recipients.c.site_id == disclosures.c.site_id,
                recipients.c.recipient_id == disclosures.c.recipient_id,
            ),
        )
        .outerjoin(
            disclosure_tallies,
            and_(
                disclosure_tallies.c.site_id == disclosures.c.site_id,
                disclosure_tallies.c.disclosure_id == disclosures.c.disclosure_id,
            ),
        )
        .outerjoin(
            authorities,
            and_(
                authorities.c.site_id == disclosures.c.site_id,
                authorities.c.authority_id == disclosures.c.recipient_id,
            ),
        )
        .outerjoin(
            authority_requests,
            and_(
                authority_requests.c.site_id == disclosures.c.site_id,
                authority_requests.c.request_id == disclosures.c.request_id,
            ),
        )
        .where(told)
    )


def _add(connection: Connection, lines: Sequence[Disclosure]) -> None:
    _ADD.run(
        connection,
        site_id=Texts([line.site_id for line in lines]),
        disclosure_id=Texts([line.disclosure_id for line in lines]),
        subject_id=Texts([line.subject_id for line in lines]),
        outcome=Texts([line.outcome for line in lines]),
        reason=Texts([line.reason for line in lines]),
        clause=Texts([line.clause for line in lines]),
        recipient_id=Texts([line.recipient_id for line in lines]),
        order_id=Texts([line.order_id for line in lines]),
        delivery_id=Texts([line.delivery_id for line in lines]),
        disclose_time=Instants([line.disclose_time for line in lines]),
        first_disclosure_id=Texts([line.first_disclosure_id for line in lines]),
        rule=Texts([line.rule for line in lines]),
        ground=Texts([line.ground for line in lines]),
        names=Texts([" ".join(line.fields) for line in lines]),
        request_id=Texts([line.request_id for line in lines]),
        secret_until=Instants([line.secret_until for line in lines]),
    )


_TallyKey = tuple[str, str, str, str, datetime]
_tallied = [*disclosure_tallies.primary_key.columns]
_kinds = given(
    "kinds", **{c.name: c.type for c in (*_tallied, *list(disclosure_tallies.columns)[-2:])}
)
# In one order everywhere: two batches never wait for each other's tallies.
_counting = upsert(disclosure_tallies).from_select(
    _kinds.columns.keys(),
    select(*_kinds.columns).order_by(*(_kinds.c[column.name] for column in _tallied)),
)
_COUNT = Prepared(
    _counting.on_conflict_do_update(
        index_elements=_tallied,
        set_={"count": disclosure_tallies.c["count"] + _counting.excluded["count"]},
    ).returning(*_tallied, disclosure_tallies.c.disclosure_id, disclosure_tallies.c["count"])
)


def _tally_key(line: Disclosure) -> _TallyKey:
    # A line says by which rule: what was refused by another is another line.
    kind = f"{line.reason} {line.clause} {line.rule}"
    minute = minute_of(line.disclose_time)
    return line.site_id, line.delivery_id, line.recipient_id, kind, minute


def _add_refusals(connection: Connection, lines: Sequence[Disclosure]) -> dict[_TallyKey, str]:
    """The line that stands for each kind of refusal in its minute; the first of a kind is added."""
    if not lines:
        return {}
    kinds: dict[_TallyKey, list[Disclosure]] = {}
    for line in lines:
        kinds.setdefault(_tally_key(line), []).append(line)
    rows = _COUNT.rows(
        connection,
        site_id=Texts([key[0] for key in kinds]),
        delivery_id=Texts([key[1] for key in kinds]),
        recipient_id=Texts([key[2] for key in kinds]),
        reason=Texts([key[3] for key in kinds]),
        minute=Instants([key[4] for key in kinds]),
        disclosure_id=Texts([each[0].disclosure_id for each in kinds.values()]),
        count=Integers([len(each) for each in kinds.values()]),
    )
    stand = {tuple(row[:5]): (row[5], row[6]) for row in rows}
    fresh = [each[0] for key, each in kinds.items() if stand[key][1] == len(each)]
    if fresh:
        _add(connection, fresh)
    return {key: stand[key][0] for key in kinds}


def _disclosure(row: Row[Any]) -> Disclosure:
    return Disclosure(
        site_id=row.site_id,
        subject_id=row.subject_id,
        disclosure_id=row.disclosure_id,
        outcome=Outcome(row.outcome),
        reason=row.reason,
        clause=row.clause,
        recipient_id=row.recipient_id,
        order_id=row.order_id,
        delivery_id=row.delivery_id,
        disclose_time=row.disclose_time,
        fields=tuple(row.fields),
        first_disclosure_id=row.first_disclosure_id,
        rule=row.rule,
        ground=Ground(row.ground),
        recipient_name=row.legal_name or "",
        recipient_bin=row.bin or "",
        recipient_kind=STATE_BODY if row.ground == Ground.LAW else row.kind or "",
        count=row.times,
        request_id=row.request_id,
        secret_until=row.secret_until,
        legal_act=row.act or "",
        legal_article=row.article or "",
    )

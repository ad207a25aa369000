# SPDX-License-Identifier: Apache-2.0
"""SQL of written answers. Functions take the caller's transaction."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Row, Text, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.engine import Connection

from services.chassis.arrays import Texts
from services.chassis.prepared import Prepared, given
from services.claims.answer import Letter, LetterStatus, Sending, Way
from services.claims.claim import Claim
from services.claims.state import Decision
from services.claims.tables import answers
from services.claims.tables_answers import (
    answer_letters,
    answer_sendings,
    national_signatures,
    reply_channels,
)

_new = given("new", site_id=Text, claim_id=Text, document_id=Text)
_KEEP = Prepared(insert(reply_channels).from_select(_new.columns.keys(), select(*_new.columns)))


def keep_email_addresses(connection: Connection, addresses: Sequence[tuple[str, str, str]]) -> None:
    """Say which sealed reply addresses are e-mail addresses: (site, claim, document)."""
    if addresses:
        _KEEP.run(
            connection,
            site_id=Texts([site_id for site_id, _, _ in addresses]),
            claim_id=Texts([claim_id for _, claim_id, _ in addresses]),
            document_id=Texts([document_id for _, _, document_id in addresses]),
        )


def email_address_id(connection: Connection, site_id: str, claim_id: str) -> str | None:
    """The sealed e-mail address that a claim's answer goes to; None where it has none."""
    found = connection.execute(
        select(reply_channels.c.document_id).filter_by(site_id=site_id, claim_id=claim_id)
    ).scalar_one_or_none()
    return None if found is None else str(found)


def insert_letter(connection: Connection, letter: Letter) -> None:
    """Write a letter. Raises UniqueViolation (on leaving the transaction) for a second one."""
    connection.execute(
        insert(answer_letters).values(
            site_id=letter.site_id,
            claim_id=letter.claim_id,
            number=letter.number,
            author=letter.author,
            decision=letter.decision,
            document_id=letter.document_id,
            sha256=letter.sha256,
            key_id=letter.key_id,
            signature=letter.signature,
            write_time=letter.write_time,
        )
    )


def read_letter(connection: Connection, site_id: str, claim_id: str) -> Letter | None:
    """The letter of a claim; None where none is written."""
    row = connection.execute(
        select(answer_letters).filter_by(site_id=site_id, claim_id=claim_id)
    ).one_or_none()
    return None if row is None else _letter(row)


def read_status(connection: Connection, site_id: str, claim_id: str) -> LetterStatus | None:
    """All there is to say of a claim's letter; None where none is written."""
    letter = read_letter(connection, site_id, claim_id)
    if letter is None:
        return None
    place = {"site_id": site_id, "claim_id": claim_id}
    cms = connection.execute(
        select(national_signatures.c.cms).filter_by(**place)
    ).scalar_one_or_none()
    left = connection.execute(
        select(answers.c.channel, answers.c.dispatch_time).filter_by(**place)
    ).one_or_none()
    return LetterStatus(
        letter,
        read_way(connection, site_id, claim_id),
        None if cms is None else bytes(cms),
        left.channel if left else None,
        left.dispatch_time if left else None,
    )


def read_way(
    connection: Connection, site_id: str, claim_id: str, *, lock: bool = False
) -> Way | None:
    """A letter's way by e-mail, locked where asked; None where it does not go by e-mail."""
    statement = select(answer_sendings).filter_by(site_id=site_id, claim_id=claim_id)
    row = connection.execute(statement.with_for_update() if lock else statement).one_or_none()
    if row is None:
        return None
    return Way(Sending(row.state), row.address_id, row.attempts, row.next_time)


def begin_sending(
    connection: Connection, site_id: str, claim_id: str, address_id: str, now: datetime
) -> None:
    """Send the letter to this address from now on, whatever became of an earlier try."""
    values = {
        "address_id": address_id,
        "state": Sending.UNDER_WAY,
        "attempts": 0,
        "next_time": now,
    }
    connection.execute(
        upsert(answer_sendings)
        .values(site_id=site_id, claim_id=claim_id, **values)
        .on_conflict_do_update(index_elements=["site_id", "claim_id"], set_=values)
    )


def write_way(connection: Connection, site_id: str, claim_id: str, way: Way) -> None:
    """What became of a try."""
    connection.execute(
        update(answer_sendings)
        .filter_by(site_id=site_id, claim_id=claim_id)
        .values(state=way.sending, attempts=way.attempts, next_time=way.next_time)
    )


def stop_sending(connection: Connection, site_id: str, claim_id: str) -> None:
    """Do not send the letter by e-mail, whatever was to become of it."""
    connection.execute(
        update(answer_sendings)
        .filter_by(site_id=site_id, claim_id=claim_id)
        .values(state=Sending.NOT_BY_EMAIL)
    )


def due_sendings(connection: Connection, now: datetime, limit: int) -> list[tuple[str, str]]:
    """(site, claim) of the letters whose next try is due, the longest waiting first."""
    rows = connection.execute(
        select(answer_sendings.c.site_id, answer_sendings.c.claim_id)
        .where(answer_sendings.c.state == Sending.UNDER_WAY, answer_sendings.c.next_time <= now)
        .order_by(answer_sendings.c.next_time)
        .limit(limit)
    )
    return [(row.site_id, row.claim_id) for row in rows]


def insert_national_signature(
    connection: Connection, site_id: str, claim_id: str, cms: bytes, by: str, now: datetime
) -> None:
    """Keep the national signature. Raises UniqueViolation (on leaving) for a second one."""
    connection.execute(
        insert(national_signatures).values(
            site_id=site_id, claim_id=claim_id, cms=cms, attached_by=by, record_time=now
        )
    )


def insert_dispatch(
    connection: Connection, letter: Letter, channel: str, dispatch_time: datetime, now: datetime
) -> None:
    """Write that the letter left: the answer is whole."""
    connection.execute(
        insert(answers).values(
            site_id=letter.site_id,
            claim_id=letter.claim_id,
            author=letter.author,
            decision=letter.decision,
            channel=channel,
            dispatch_time=dispatch_time,
            record_time=now,
        )
    )


def insert_user_answer(
    connection: Connection,
    claim: Claim,
    author: str,
    decision: Decision,
    channel: str,
    answer_time: datetime,
    now: datetime,
) -> None:
    """Write what the user answered to the site's claim; `author` is who brought it."""
    connection.execute(
        insert(answers).values(
            site_id=claim.site_id,
            claim_id=claim.claim_id,
            author=author,
            decision=decision,
            channel=channel,
            dispatch_time=answer_time,
            record_time=now,
        )
    )


def _letter(row: Row[*tuple[object, ...]]) -> Letter:
    return Letter(
        row.site_id,
        row.claim_id,
        row.number,
        row.author,
        Decision(row.decision),
        row.document_id,
        row.sha256,
        row.key_id,
        bytes(row.signature),
        row.write_time,
    )

# SPDX-License-Identifier: Apache-2.0
"""SQL of sealed documents on their way to the vault, and of the key they are sealed with."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from sqlalchemy import (
    DateTime,
    Float,
    Integer,
    Interval,
    LargeBinary,
    Text,
    and_,
    bindparam,
    case,
    cast,
    delete,
    func,
    insert,
    literal_column,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.engine import Connection

from services.chassis.arrays import Blobs, Texts
from services.chassis.prepared import Prepared, given
from services.chassis.sealed.document import SealedDocument, SealingKey, StoredDocument
from services.chassis.sealed.tables import sealed_documents, sealing_keys

# The handler that sealed a document delivers it itself; the courier comes after.
_HANDLER_GOES_FIRST = timedelta(seconds=1)
_MOMENT = DateTime(timezone=True)
_NOW = bindparam("now", type_=_MOMENT)

_KEY = Prepared(
    select(sealing_keys.c.key_id, sealing_keys.c.public_key)
    .order_by(sealing_keys.c.fetch_time.desc())
    .limit(literal_column("1"))
)


def current_key(connection: Connection) -> SealingKey | None:
    """The key the vault gave last; None where it was never reached."""
    row = _KEY.first(connection)
    return None if row is None else SealingKey(*row)


def keep_key(connection: Connection, key: SealingKey, now: datetime) -> None:
    """Seal with this key from now on."""
    statement = upsert(sealing_keys).values(
        key_id=key.key_id, public_key=key.public_key, fetch_time=now
    )
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["key_id"], set_={"public_key": key.public_key, "fetch_time": now}
        )
    )


_new = given(
    "new",
    site_id=Text,
    bound_to=Text,
    document_id=Text,
    owner_id=Text,
    kind=Text,
    key_id=Text,
    sealed=LargeBinary,
)
_INSERT = Prepared(
    insert(sealed_documents).from_select(
        [*_new.columns.keys(), "create_time", "next_time", "attempts"],
        select(*_new.columns, _NOW, bindparam("next_time", type_=_MOMENT), literal_column("0")),
    )
)


def insert_documents(
    connection: Connection, documents: Sequence[SealedDocument], now: datetime
) -> None:
    """Keep sealed documents until the vault has them."""
    if documents:
        _INSERT.run(
            connection,
            **_places(documents),
            owner_id=Texts([each.owner_id for each in documents]),
            kind=Texts([each.kind for each in documents]),
            key_id=Texts([each.key_id for each in documents]),
            sealed=Blobs([each.sealed for each in documents]),
            now=now,
            next_time=now + _HANDLER_GOES_FIRST,
        )


def stored_at(
    connection: Connection, site_id: str, bound_to: str, document_id: str
) -> StoredDocument | None:
    """Where the vault has a document; None where it does not have it yet."""
    row = connection.execute(
        select(sealed_documents)
        .filter_by(site_id=site_id, bound_to=bound_to, document_id=document_id)
        .where(sealed_documents.c.delivered_time.is_not(None))
    ).one_or_none()
    if row is None:
        return None
    return StoredDocument(site_id, row.owner_id, bound_to, document_id, row.kind)


def all_of(
    connection: Connection, site_id: str, bound_to: str
) -> list[tuple[StoredDocument, datetime]] | None:
    """The documents of a thing with their times, the oldest first; None while one is on its way."""
    rows = connection.execute(
        select(sealed_documents)
        .filter_by(site_id=site_id, bound_to=bound_to)
        .order_by(sealed_documents.c.create_time, sealed_documents.c.document_id)
    ).all()
    if any(row.sealed is not None for row in rows):
        return None
    return [
        (
            StoredDocument(site_id, row.owner_id, bound_to, row.document_id, row.kind),
            row.create_time,
        )
        for row in rows
        if row.delivered_time is not None
    ]


def listed(
    connection: Connection, site_id: str, bound_to: str
) -> list[tuple[str, str, datetime, bool]]:
    """(id, kind, time, whether the vault has it) of a thing's documents, the oldest first."""
    rows = connection.execute(
        select(sealed_documents)
        .filter_by(site_id=site_id, bound_to=bound_to)
        .order_by(sealed_documents.c.create_time, sealed_documents.c.document_id)
    )
    return [
        (row.document_id, row.kind, row.create_time, row.delivered_time is not None) for row in rows
    ]


# Written out, because the index of what is undelivered is used for no parameter.
_UNDELIVERED = sealed_documents.c.sealed.is_not(None)
_DOCUMENT = (
    sealed_documents.c.site_id,
    sealed_documents.c.owner_id,
    sealed_documents.c.bound_to,
    sealed_documents.c.document_id,
    sealed_documents.c.kind,
    sealed_documents.c.key_id,
    sealed_documents.c.sealed,
)
_things = given("things", site_id=Text, bound_to=Text)
_UNDELIVERED_OF = Prepared(
    select(*_DOCUMENT)
    .join_from(
        _things,
        sealed_documents,
        and_(
            sealed_documents.c.site_id == _things.c.site_id,
            sealed_documents.c.bound_to == _things.c.bound_to,
        ),
    )
    .where(_UNDELIVERED)
    .order_by(
        sealed_documents.c.site_id, sealed_documents.c.bound_to, sealed_documents.c.document_id
    )
)


def undelivered_of(
    connection: Connection, things: Collection[tuple[str, str]]
) -> list[SealedDocument]:
    """Documents that the vault does not have yet; `things` are (site, claim, order or use)."""
    rows = _UNDELIVERED_OF.rows(
        connection,
        site_id=Texts([site for site, _ in things]),
        bound_to=Texts([bound_to for _, bound_to in things]),
    )
    return [SealedDocument(*row) for row in rows]


_DUE = Prepared(
    select(*_DOCUMENT)
    .where(_UNDELIVERED, sealed_documents.c.next_time <= _NOW)
    .order_by(sealed_documents.c.next_time)
    .limit(bindparam("limit", type_=Integer))
)


def due(connection: Connection, now: datetime, limit: int) -> list[SealedDocument]:
    """Documents whose next delivery is due, the oldest first."""
    return [SealedDocument(*row) for row in _DUE.rows(connection, now=now, limit=limit)]


_among = given("among", site_id=Text, bound_to=Text, document_id=Text)
_here = and_(*(sealed_documents.c[column.name] == column for column in _among.columns))
# What is undelivered is not asked for: PostgreSQL would go through all that was, until it is swept.
_DELIVERED = Prepared(
    update(sealed_documents)
    .where(_here)
    .values(
        sealed=literal_column("NULL"),
        delivered_time=case((_UNDELIVERED, _NOW), else_=sealed_documents.c.delivered_time),
    )
)


def mark_delivered(
    connection: Connection, documents: Sequence[SealedDocument], now: datetime
) -> None:
    """The vault has them: they leave this database."""
    _DELIVERED.run(connection, **_places(documents), now=now)


_FORGET = Prepared(delete(sealed_documents).where(_here))


def forget(connection: Connection, documents: Sequence[SealedDocument]) -> None:
    """The vault has them, or never will, and nothing here refers to them any more."""
    _FORGET.run(connection, **_places(documents))


_ABANDON = Prepared(update(sealed_documents).where(_here).values(sealed=literal_column("NULL")))


def abandon(connection: Connection, documents: Sequence[SealedDocument]) -> None:
    """Nobody will ever have them: their owner was destroyed, so they go here as well."""
    _ABANDON.run(connection, **_places(documents))


_pause = func.least(
    bindparam("most_seconds", type_=Float),
    0.1 * func.power(2, func.least(sealed_documents.c.attempts, 10)),
)
_POSTPONE = Prepared(
    update(sealed_documents)
    .where(_here)
    .values(
        attempts=sealed_documents.c.attempts + 1,
        next_time=_NOW + _pause * cast(literal_column("'1 second'"), Interval),
    )
)


def postpone(
    connection: Connection, document: SealedDocument, now: datetime, most_seconds: float
) -> None:
    """Try again later: twice as long each time, at most so many seconds."""
    _POSTPONE.run(connection, **_places([document]), now=now, most_seconds=most_seconds)


def disown(connection: Connection, site_id: str, subject_id: str) -> None:
    """The site has no such subject: its documents go under the key of what they are bound to."""
    connection.execute(
        update(sealed_documents)
        .filter_by(site_id=site_id, owner_id=subject_id)
        .where(sealed_documents.c.sealed.is_not(None))
        .values(owner_id=sealed_documents.c.bound_to)
    )


def oldest_undelivered(connection: Connection, now: datetime) -> float:
    """Age in seconds of the oldest document that the vault does not have; 0 where none waits."""
    since = connection.execute(
        select(func.min(sealed_documents.c.create_time)).where(
            sealed_documents.c.sealed.is_not(None)
        )
    ).scalar_one_or_none()
    return 0.0 if since is None else float((now - since).total_seconds())


def _places(documents: Sequence[SealedDocument]) -> dict[str, Texts]:
    return {
        "site_id": Texts([each.site_id for each in documents]),
        "bound_to": Texts([each.bound_to for each in documents]),
        "document_id": Texts([each.document_id for each in documents]),
    }

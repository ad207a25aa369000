# SPDX-License-Identifier: Apache-2.0
"""SQL of who has the contact of somebody blocked: locks of contacts, and the blocks found."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from dataclasses import field as member

from sqlalchemy import (
    CTE,
    BigInteger,
    ColumnElement,
    FromClause,
    Integer,
    LargeBinary,
    TableValuedAlias,
    Text,
    and_,
    bindparam,
    func,
    select,
    union,
)
from sqlalchemy.engine import Connection

from services.chassis.arrays import BigIntegers
from services.chassis.prepared import Prepared, given
from services.vault.fields import Field
from services.vault.store_arrays import unnest
from services.vault.store_blocks import WatchedBlock, watched_block
from services.vault.tables import blind_index
from services.vault.tables_blocks import watched_blocks
from services.vault.tables_links import links

_key = bindparam("key", type_=BigInteger)
_PASS = Prepared(select(func.pg_advisory_xact_lock(_key)))
_keys = given("keys", key=BigInteger)
_TRY_PASS = Prepared(select(_keys.c.key, func.pg_try_advisory_xact_lock(_keys.c.key)))
_LOCK_CONTACTS = Prepared(select(func.pg_advisory_xact_lock_shared(_keys.c.key)))


@dataclass(frozen=True, slots=True)
class Digest:
    """A contact of `owner` as the blind index has it under one key version."""

    owner: str
    field: Field
    key_version: int
    digest: bytes = member(repr=False)


def lock_contacts_shared(connection: Connection, keys: Collection[int]) -> None:
    """Wait for the locks of contacts that are placed, in one order for everybody."""
    if not keys:
        return
    _LOCK_CONTACTS.run(connection, key=BigIntegers(sorted(set(keys))))


def pass_contacts(connection: Connection, keys: Collection[int]) -> None:
    """Wait until nobody who began before is placing any of these contacts.

    `connection` is of no transaction: nothing is held while another contact is waited for.
    """
    asked = BigIntegers(sorted(set(keys)))
    placed = [key for key, free in _TRY_PASS.rows(connection, key=asked) if not free]
    for key in placed:
        _PASS.run(connection, key=key)


def watched_with(
    connection: Connection, site: str, digests: Sequence[Digest]
) -> list[tuple[str, WatchedBlock]]:
    """(owner of a digest, open block of somebody else with the same contact).

    The block may be another id's of the person who has the contact: it reaches all that are linked.
    """
    person = _persons_with(site, _asked(digests))
    w = watched_blocks.c
    rows = connection.execute(
        select(person.c.owner, w.site_id, w.subject_id, w.claim_id, w.ground)
        .join_from(
            person,
            watched_blocks,
            and_(w.site_id == site, w.subject_id == person.c.subject_id),
        )
        .distinct()
        .order_by(person.c.owner, w.claim_id, w.subject_id)
    )
    return [(row.owner, watched_block(row)) for row in rows]


def _persons_with(site: str, asked: TableValuedAlias) -> CTE:
    """(owner of a digest, every id of each other person who has the same contact)."""
    of_holder, of_owner = links.alias("of_holder"), links.alias("of_owner")
    account = func.coalesce(of_holder.c.account_id, blind_index.c.subject_id)
    held = and_(
        blind_index.c.site_id == site,
        blind_index.c.field == asked.c.field,
        blind_index.c.key_version == asked.c.key_version,
        blind_index.c.digest == asked.c.digest,
    )
    holders = (
        select(asked.c.owner, account.label("subject_id"))
        .select_from(
            asked.join(blind_index, held)
            .outerjoin(of_holder, _visitor(of_holder, site, blind_index.c.subject_id))
            .outerjoin(of_owner, _visitor(of_owner, site, asked.c.owner))
        )
        .where(account != func.coalesce(of_owner.c.account_id, asked.c.owner))
        .cte("holders")
    )
    of_account = and_(links.c.site_id == site, links.c.account_id == holders.c.subject_id)
    visitors = select(holders.c.owner, links.c.visitor_id).join_from(holders, links, of_account)
    return union(select(holders.c.owner, holders.c.subject_id), visitors).cte("person")


def _visitor(link: FromClause, site: str, subject: ColumnElement[str]) -> ColumnElement[bool]:
    return and_(link.c.site_id == site, link.c.visitor_id == subject)


def _asked(digests: Sequence[Digest]) -> TableValuedAlias:
    return unnest(
        "asked",
        ("owner", Text, [d.owner for d in digests]),
        ("field", Text, [str(d.field) for d in digests]),
        ("key_version", Integer, [d.key_version for d in digests]),
        ("digest", LargeBinary, [d.digest for d in digests]),
    )

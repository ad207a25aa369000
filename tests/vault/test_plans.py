# SPDX-License-Identifier: Apache-2.0
"""What happens at every call reads as many blocks as there is to find, however large the tables.

The plans are made while the tables are empty, or small and known to be, and kept while they grow;
made anew of large tables that nobody has counted; and of tables that were counted.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest

from services.chassis import evidence
from services.chassis.clock import SystemClock
from services.chassis.database import Connection, Database
from services.chassis.evidence import Entry
from services.chassis.evidence_reading import read_entries
from services.vault import (
    store,
    store_batches,
    store_blocks,
    store_changes,
    store_contacts,
    store_data,
    store_documents,
    store_index,
    store_interims,
    store_links,
    store_records,
    store_recovery,
    store_slices,
)
from services.vault.fields import Field
from services.vault.store import SliceRow
from services.vault.store_batches import BatchDatum, BatchDigest
from services.vault.store_blocks import WatchedBlock
from services.vault.store_contacts import Digest
from services.vault.store_data import NewDatum
from services.vault.store_documents import DocumentRow
from services.vault.store_keys import KeyStore
from tests.vault.plans import Observed, Plan, Plans, in_transaction, require_few_blocks
from tests.vault.vault_process import House, Premises

_FEW, _MANY = 60, 20_000
NOW = datetime.now(UTC)
_TURN = count(10)
_SUBJECT = ("demo", "s000030")
_OTHERS = [_SUBJECT, ("demo", "nobody")]

# Each row of subject n; email and phone have the digest of n.
_ROWS = {
    "subjects": "'demo', s, 'PRESENT', 1, now()",
    "slices": "'demo', s, 'consent', 1, 1, '', '', now()",
    "slices (site_id, subject_id, topic, incarnation, counter, digest, body, apply_time)": (
        "'demo', s, 'claims', 2, 1, '', '', now()"
    ),
    "links": "'demo', 'v' || n, s",
    "proposal_verdicts": "'demo', s, 'consent', 'p' || n, 'APPLIED', '', now()",
    "watched_blocks": "'demo', s, 'c' || n, 'INACCURATE_DATA', true, now()",
    "provisional_blocks": "'demo', s, 'c' || n, s, now(), true",
    "documents": "'demo', 'd' || n, s, 'o' || n, 'MESSAGE_TEXT', '', now()",
    "stored_items": "'demo', 'batch', s, 1, now()",
    "purchases": "'demo', s, 'o' || n, 1, '', now()",
    "standing_changes": "'c' || n, 1, 'demo', s, 'BLOCKED', now()",
    "evidence_entries": "'e' || n, 'demo', 'data.read', 'PERMITTED', 'p' || n, now(), '{}', NULL",
    "visits (site_id, subject_id, visit_id, groups, store_time)": "'demo', s, 'v' || n, '', now()",
}
_OF_FIELDS = {
    "data": "'demo', s, f, 1, '', 'SUBJECT', 'form', now()",
    "blind_index": "'demo', f, 1, int4send(n::integer), s",
}
_KEYS = {"data_keys": "'demo', s, 'epoch', '', 'p' || n, now()"}
_NUMBERS = (
    "(SELECT n, 's' || lpad(n::text, 6, '0') AS s FROM generate_series(%s::bigint, %s) n) AS each"
)
_FIELDS = ", unnest(ARRAY['email', 'phone']) AS f"


def _digest(number: int) -> bytes:
    return number.to_bytes(4, "big")


def _write_batch(connection: Connection) -> None:
    site, subject = _SUBJECT
    turn = next(_TURN)
    datum = BatchDatum(subject, Field.EMAIL, turn, True, b"sealed")
    store_batches.write_data(connection, site, [datum], "SUBJECT", "form", NOW)
    digest = BatchDigest(subject, Field.EMAIL, 1, _digest(30))
    store_batches.write_digests(connection, site, [digest])


def _write_one(connection: Connection) -> None:
    new = NewDatum(Field.PHONE, b"sealed")
    store_data.write_data(connection, _SUBJECT, next(_TURN), [new], "SUBJECT", "form", NOW)
    store_index.write_index(connection, _SUBJECT, Field.PHONE, 1, _digest(30))


def _watched(connection: Connection) -> None:
    digests = [Digest("s000031", f, 1, _digest(30)) for f in (Field.EMAIL, Field.PHONE)]
    assert len(store_contacts.watched_with(connection, "demo", digests)) == 1


def _block(connection: Connection) -> None:
    store_blocks.watch(connection, {_SUBJECT: {"c30": "INACCURATE_DATA"}}, NOW)
    store_blocks.note_known(connection, {_SUBJECT: ["c30"]})


def _searched(connection: Connection) -> None:
    block = WatchedBlock(*_SUBJECT, "c30", "INACCURATE_DATA")
    store_blocks.mark_searched(connection, [block])


def _push(connection: Connection) -> None:
    found = store_slices.read_verdicts(connection, "consent", {_SUBJECT: ["p30", "p31"]})
    assert found == {_SUBJECT: {"p30": ("APPLIED", "")}}
    row = SliceRow(1, next(_TURN), b"", b"")
    store_slices.write_slices(connection, "consent", {_SUBJECT: row}, NOW)
    store_slices.write_verdicts(connection, "consent", {_SUBJECT: {"p30": ("APPLIED", "")}}, NOW)
    store_changes.add_all(connection, [(_SUBJECT, store_changes.BLOCKED)], NOW)


def _documents(connection: Connection) -> None:
    row = DocumentRow(_SUBJECT[0], "d30", _SUBJECT[1], "o30", "STATEMENT", b"")
    new = DocumentRow(_SUBJECT[0], f"n{next(_TURN)}", _SUBJECT[1], "o30", "STATEMENT", b"")
    assert store_documents.put_documents(connection, [row, new], NOW) == {
        (new.site, new.document_id)
    }
    assert len(store_documents.read_documents(connection, [("demo", "d30")])) == 1


def _find(connection: Connection) -> None:
    contact = ("demo", Field.EMAIL, "value")
    found = store_index.find_all(connection, [(contact, 1, _digest(30))])
    assert found == {contact: [_SUBJECT[1]]}


def _case(connection: Connection) -> None:
    (found, unknown) = store.cases(connection, _OTHERS).values()
    assert found.life == "PRESENT"
    assert [kin.subject_id for kin in found.relatives] == ["v30"]
    assert unknown.life is None


_ACTS: Mapping[str, Callable[[Connection], object]] = {
    "find": _find,
    "case": _case,
    "data": lambda c: store_data.current_data(c, {_SUBJECT: [Field.EMAIL, Field.PHONE]}),
    "visits": lambda c: store_records.recent_visits(c, [_SUBJECT]),
    "purchases": lambda c: store_records.lines(c, [(*_SUBJECT, "")]),
    "order": lambda c: store_documents.of_orders(c, [(*_SUBJECT, "o30")]),
    "subjects": lambda c: store_slices.known_subjects(c, _OTHERS),
    "slice": lambda c: store_slices.read_slice(c, *_SUBJECT, "consent"),
    "reach": lambda c: store_links.reach(c, *_SUBJECT),
    "lock": lambda c: store_links.lock_persons(c, "demo", ["v30"]),
    "try lock": lambda c: store_links.try_lock_persons(c, [[("demo", "v30")], [_SUBJECT]]),
    "push": _push,
    "documents": _documents,
    "same contact": _watched,
    "searched": _searched,
    "watching": lambda c: store_blocks.is_watching(c, "demo"),
    "to search": lambda c: store_blocks.to_search(c, [_SUBJECT]),
    "due searches": lambda c: store_blocks.subjects_to_search(c, NOW, 10),
    "untold blocks": lambda c: store_blocks.unknown_blocks(c, None, 10),
    "block": _block,
    "lost claims": lambda c: store_recovery.lost_claims(c, 2, None, 50),
    "next lost claims": lambda c: store_recovery.lost_claims(c, 2, (1, *_SUBJECT), 50),
    "kept documents": lambda c: store_recovery.documents_of(c, "demo", "o30", [_SUBJECT[1]]),
    "changes": lambda c: store_changes.after(c, (0, ""), 10),
    "evidence": lambda c: read_entries(c, "demo", ["p30"], 10),
    "done before": lambda c: store_interims.counted(c, "demo", "p30", NOW - timedelta(days=1), NOW),
    "entry": lambda c: evidence.append(c, Entry("e", "USE", "PERMITTED", "demo", "key"), NOW),
    "store": _write_one,
    "batch": _write_batch,
    "repeat": lambda c: store_batches.remembered(c, "demo", "batch", [_SUBJECT[1]]),
}


def _keys(database: Database) -> None:
    keyring: Any = None  # opens none
    assert set(KeyStore(database, keyring, SystemClock()).owner_keys(_OTHERS)) == {_SUBJECT}


_EACH = {name: (False, in_transaction(act)) for name, act in _ACTS.items()} | {
    "keys": (True, _keys)
}
"""By name: whether it is of the key store, and the act."""


@pytest.fixture(scope="module")
def plans(premises: Premises) -> Plans:
    """By the circumstances in which they were made, by act."""
    house = premises.house("plans")
    first = _Pair(house, generic=True)
    for _ in range(8):
        first.begin()
    _grow(house, 1, _FEW)
    _count(house)
    kept, chosen = _Pair(house, generic=True), _Pair(house, generic=False)
    for pair in (kept, chosen):
        # From the sixth time on PostgreSQL may keep a plan for any parameters.
        for _ in range(8):
            pair.done()
    _grow(house, _FEW + 1, _MANY)
    found = {"kept of an empty table": first.done()}
    found |= {"kept of a small table": kept.done(), "kept or chosen": chosen.done()}
    fresh = _Pair(house, generic=True), _Pair(house, generic=False)
    found |= {"uncounted, for all": fresh[0].done(), "uncounted": fresh[1].done()}
    _count(house)
    found |= {"counted, for all": fresh[0].done(), "counted": fresh[1].done()}
    for pair in (first, kept, chosen, *fresh):
        pair.close()
    return found


@pytest.mark.parametrize("act", _EACH)
def test_no_act_of_a_call_reads_more_than_it_finds(plans: Plans, act: str) -> None:
    """Find and read are flat from few subjects to very many, whatever is known of the tables."""
    require_few_blocks(plans, act)


class _Pair:
    """The vault's database and the key store, observed."""

    def __init__(self, house: House, *, generic: bool) -> None:
        cluster = house.premises.cluster
        self._vault = Observed(cluster, house.vault, generic=generic)
        self._key_store = Observed(cluster, house.key_store, generic=generic)

    def begin(self) -> None:
        """Every act, where nothing is that it could find."""
        self._vault.begin(_ACTS.values())
        with suppress(AssertionError):
            _keys(self._key_store.database)

    def done(self) -> dict[str, list[Plan]]:
        """Every act, done once."""
        return {
            name: (self._key_store if of_keys else self._vault).plans(act)
            for name, (of_keys, act) in _EACH.items()
        }

    def close(self) -> None:
        self._vault.close()
        self._key_store.close()


def _grow(house: House, first: int, last: int) -> None:
    with house.owner() as owner:
        for table, row in _ROWS.items():
            owner.execute(f"INSERT INTO {table} SELECT {row} FROM {_NUMBERS}", (first, last))
        for table, row in _OF_FIELDS.items():
            statement = f"INSERT INTO {table} SELECT {row} FROM {_NUMBERS}{_FIELDS}"
            owner.execute(statement, (first, last))
    with house.owner(key_store=True) as owner:
        owner.execute(
            "INSERT INTO epoch_keys VALUES ('epoch', 'kek', '', false, now())"
            " ON CONFLICT DO NOTHING"
        )
        for table, row in _KEYS.items():
            owner.execute(f"INSERT INTO {table} SELECT {row} FROM {_NUMBERS}", (first, last))


def _count(house: House) -> None:
    for key_store in (False, True):
        with house.owner(key_store=key_store) as owner:
            owner.execute("VACUUM ANALYZE")

# SPDX-License-Identifier: Apache-2.0
"""Ending people in a house, and looking for what is left of them anywhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

from qupia.vault.v1 import destruction_pb2, records_pb2, storing_pb2
from services.chassis.clock import SystemClock
from services.chassis.database import Database
from services.chassis.ids import new_uuid
from services.vault.destruction import End, Ending, KeySchedule
from services.vault.endings import Endings
from services.vault.keyring import Keyring
from services.vault.provider_file import FileKeyProvider
from services.vault.retention import Category
from services.vault.store_keys import EpochRows, KeyStore
from services.vault.store_tombstones import Tombstone
from tests.vault.person import Person
from tests.vault.vault_process import House, VaultProcess
from tests.vault.wire_client import Storefront

# Where the id of somebody who is gone may stand, with nothing but ids, times and counts beside it.
MEMORIALS = {
    ("vault", "subjects"),
    ("vault", "destructions"),
    ("vault", "proposal_verdicts"),
    # Kinds and times, by which the broker recalls what others hold; append-only.
    ("vault", "standing_changes"),
    ("key store", "tombstones"),
}


@contextmanager
def endings(house: House) -> Iterator[Endings]:
    """The steps of an end, to be run one by one beside whatever process there is."""
    with (
        closing(Database(house.vault.runtime_url, pool_size=2)) as database,
        closing(Database(house.key_store.runtime_url, pool_size=2)) as key_store,
    ):
        keyring = Keyring(FileKeyProvider(house.key_file), EpochRows(key_store))
        keys = KeyStore(key_store, keyring, SystemClock())
        schedule = KeySchedule(timedelta(days=7), timedelta(days=7))
        yield Endings(database, keys, schedule, SystemClock())


def buried(house: House, person: Person, end: End = End.DESTROYED) -> Tombstone:
    """Somebody whose end was cut short after the key was gone."""
    ending = Ending(end, new_uuid(), "DEMAND", "", "officer", "PRIVACY_OFFICER", new_uuid())
    rows = {Category.DATA: 5}
    subject = (person.site, person.subject_id)
    with endings(house) as steps:
        return steps.bury({subject: (ending, rows)}, datetime.now(UTC))[0]


@dataclass(frozen=True)
class Officer:
    """A privacy officer who ends people."""

    vault: VaultProcess
    site: str = "demo"

    @property
    def metadata(self) -> tuple[tuple[str, str | bytes], ...]:
        """The officer's token."""
        token = self.vault.house.premises.token("PRIVACY_OFFICER", self.site, "aliya")
        return (("authorization", f"Bearer {token}"),)

    def destroys(
        self, subject_id: str, ground: str = "DEMAND", **members: Any
    ) -> destruction_pb2.DestroySubjectResponse:
        """Destroy somebody. Raises Refused."""
        request = destruction_pb2.DestroySubjectRequest(
            subject_id=subject_id,
            ground=destruction_pb2.DestructionGround.Kind.Value(ground),
            request_id=members.pop("request_id", new_uuid()),
            **members,
        )
        answer = self.vault.as_process("gateway").call(request, self.metadata)
        assert isinstance(answer, destruction_pb2.DestroySubjectResponse)
        return answer

    def asks(self, subject_id: str) -> destruction_pb2.GetDestructionResponse:
        """Where somebody's destruction stands. Raises Refused."""
        request = destruction_pb2.GetDestructionRequest(subject_id=subject_id)
        answer = self.vault.as_process("gateway").call(request, self.metadata)
        assert isinstance(answer, destruction_pb2.GetDestructionResponse)
        return answer


def buys(shop: Storefront, subject_id: str) -> None:
    """Somebody buys something."""
    line = records_pb2.OrderLine(title="Кітап", quantity=1, amount="4990", currency="KZT")
    purchase = records_pb2.Purchase(order_id=f"B-{subject_id[:12]}", lines=[line])
    shop.call(
        storing_pb2.StorePurchaseRequest(
            subject_id=subject_id, purchase=purchase, request_id=new_uuid()
        )
    )


def tables_naming(house: House, *needles: str) -> set[tuple[str, str]]:
    """The tables of both databases with a row that holds any of the texts, in any column."""
    found = set()
    for name, key_store in (("vault", False), ("key store", True)):
        with house.owner(key_store=key_store) as owner:
            for table in _tables(owner):
                query = f'SELECT 1 FROM "{table}" t WHERE strpos(t::text, %s) > 0 LIMIT 1'
                if any(owner.execute(query, (needle,)).fetchone() for needle in needles):
                    found.add((name, table))
    return found


def _tables(owner: psycopg.Connection[Any]) -> list[str]:
    rows = owner.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    return [table for (table,) in rows.fetchall()]


def pseudonym(house: House, person: Person) -> str:
    """A person's name in the vault's evidence; empty where its key is gone."""
    query = "SELECT pseudonym FROM data_keys WHERE site_id = %s AND owner_id = %s"
    rows = house.rows(query, person.site, person.subject_id, key_store=True)
    return str(rows[0][0]) if rows else ""


def ciphertexts(house: House, person: Person) -> list[str]:
    """Every ciphertext of a person, as PostgreSQL prints it."""
    found = []
    for table in ("data", "data_history", "purchases"):
        query = f"SELECT ciphertext::text FROM {table} WHERE subject_id = %s"
        found += [text.removeprefix("\\x") for (text,) in house.rows(query, person.subject_id)]
    return found

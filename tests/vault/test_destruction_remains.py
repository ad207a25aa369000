# SPDX-License-Identifier: Apache-2.0
"""Nothing of whoever has ended is left anywhere, and nothing that is left leads back (T-5.1-b)."""

from collections.abc import Iterator
from typing import Any

import pytest

from qupia.vault.v1 import destruction_pb2
from services.chassis.ids import new_uuid
from services.vault.store_destruction import ENDING
from tests.vault.ending import (
    MEMORIALS,
    Officer,
    buys,
    ciphertexts,
    pseudonym,
    tables_naming,
)
from tests.vault.person import settled
from tests.vault.vault_process import House, Premises, VaultProcess
from tests.vault.wire_client import Storefront

# Tables with a subject's id that do not end by ENDING, and why not.
_OTHERS = {
    "subjects": "the row stays, as destroyed",
    "destructions": "the certificate",
    "proposal_verdicts": "ids and verdicts; append-only",
    "standing_changes": "kinds and times, for those who recall what others hold; append-only",
    "watched_blocks": "forgotten with the blocks",
    "provisional_blocks": "forgotten with the blocks",
}


@pytest.fixture(scope="module")
def house(premises: Premises) -> Iterator[House]:
    """A house of its own, whose every table is searched."""
    house = premises.house("remains")
    yield house
    house.close()


@pytest.fixture(scope="module")
def vault(house: House) -> VaultProcess:
    """Its vault."""
    process = house.start()
    house.open(process)
    return process


def test_every_table_that_names_a_subject_ends_with_it_or_says_why_not(house: House) -> None:
    query = (
        "SELECT DISTINCT table_name FROM information_schema.columns "
        "WHERE table_schema = 'public' AND column_name IN ('subject_id', 'owner_id')"
    )
    named = {table for (table,) in house.rows(query)}
    assert named == {ends.table.name for ends in ENDING} | _OTHERS.keys()


@pytest.mark.parametrize("how", ["DestroySubject", "DepersonalizeSubject"])
def test_nothing_that_is_left_leads_back(house: House, vault: VaultProcess, how: str) -> None:
    """T-5.1-b, I9, I20"""
    shop = Storefront(vault.as_process("gateway"))
    person = settled(vault, shop)
    buys(shop, person.subject_id)
    shop.read(person.subject_id)
    visitor = settled(vault, shop)
    assert visitor.links_to(person) == "APPLIED"
    assert ("vault", "links") in tables_naming(house, visitor.subject_id)
    name, sealed = pseudonym(house, person), ciphertexts(house, person)
    (index,) = zip(
        *house.rows(
            "SELECT digest::text FROM blind_index WHERE subject_id = %s", person.subject_id
        ),
        strict=True,
    )
    assert name
    assert sealed
    assert tables_naming(house, *sealed) == {("vault", "data"), ("vault", "purchases")}
    request: Any = getattr(destruction_pb2, f"{how}Request")(
        subject_id=person.subject_id,
        ground=destruction_pb2.DestructionGround.DEMAND,
        request_id=new_uuid(),
    )
    vault.as_process("gateway").call(request, Officer(vault).metadata)
    # The ciphertexts and the digests are gone; the id stands beside ids, times and counts only.
    assert not tables_naming(house, *sealed, *(d.removeprefix("\\x") for d in index))
    assert tables_naming(house, person.subject_id) <= MEMORIALS
    # Nor does anything tell that a visitor was the same person.
    assert tables_naming(house, visitor.subject_id) <= MEMORIALS
    # The pseudonym stands in evidence alone, and nothing gives it the person's name: no entry that
    # has it knows the destruction, and the entry of the destruction does not have it.
    assert tables_naming(house, name) <= {
        ("vault", "evidence_entries"),
        ("vault", "refusal_tallies"),
    }
    done = Officer(vault).asks(person.subject_id).certificate
    trail = house.entries(subject=name)
    assert trail
    assert all(done.destruction_id not in str(entry) for entry in trail)
    (entry,) = house.entries(entryId=done.entry_id)
    assert "subject" not in entry
    assert "slices" not in entry["decidedOn"]

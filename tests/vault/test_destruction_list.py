# SPDX-License-Identifier: Apache-2.0
"""The list of destructions: what holds each of them, at the cost of one (clause 5.1)."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from services.chassis.database import Database
from services.vault import store_destruction
from services.vault.destruction import HoldKind
from services.vault.destruction_holds import read_holds
from services.vault.retention import Category, Term
from services.vault.store_destruction import DestructionRow
from tests.vault.plans import Observed
from tests.vault.vault_process import House, Premises

NOW = datetime.now(UTC)
_MANY = 300
_PURCHASES = Category.PURCHASES
_TERMS = {
    category: Term(5, "Tax Code, article 48")
    for category in (Category.DATA, Category.VISITS, _PURCHASES, Category.DOCUMENTS)
}
_ROWS = {
    "subjects": "'demo', s, 'PRESENT', 1, now()",
    "slices": "'demo', s, 'consent', 1, 1, '', '', now()",
    "destructions": "'demo', s, s, 'DUE', 'DEMAND', 'claim', now(), NULL, '', '', '', ''",
    # Every second one long ago.
    "purchases": "'demo', s, 'o' || n, 1, '', now() - (1 - mod(n, 2)) * interval '20 years'",
    "visits (site_id, subject_id, visit_id, groups, store_time)": "'demo', s, 'v' || n, '', now()",
}
_EACH = "(SELECT n, 's' || lpad(n::text, 6, '0') AS s FROM generate_series(1, %s) n) AS each"


@pytest.fixture(scope="module")
def house(premises: Premises) -> Iterator[House]:
    """A house in which many wait for their destruction."""
    house = premises.house("destructions")
    with house.owner() as owner:
        for table, row in _ROWS.items():
            owner.execute(f"INSERT INTO {table} SELECT {row} FROM {_EACH}", (_MANY,))
    yield house
    house.close()


@pytest.fixture(scope="module")
def observed(house: House) -> Iterator[Observed]:
    """Its database, every statement of which is heard."""
    observed = Observed(house.premises.cluster, house.vault, generic=False)
    yield observed
    observed.close()


def _listed(observed: Observed, limit: int) -> list[DestructionRow]:
    with observed.database.transaction() as connection:
        return store_destruction.listed(connection, "demo", "DUE", None, limit)


def _statements(observed: Observed, rows: list[DestructionRow]) -> int:
    def read(database: Database) -> None:
        with database.transaction() as connection:
            read_holds(connection, rows, _TERMS, NOW)

    return len(observed.plans(read))


def test_a_list_of_many_costs_the_statements_of_one(observed: Observed) -> None:
    one, many = (_statements(observed, _listed(observed, number)) for number in (1, _MANY))
    assert one == many
    assert len(_TERMS) < one < 10


def test_each_of_a_list_is_told_what_holds_it_and_nobody_else(observed: Observed) -> None:
    """T-5.1-b"""
    rows = _listed(observed, _MANY)
    with observed.database.transaction() as connection:
        holds = read_holds(connection, rows, {_PURCHASES: _TERMS[_PURCHASES]}, NOW)
    assert holds.keys() == {row.subject for row in rows}
    bought_lately = {f"s{n:06d}" for n in range(1, _MANY + 1, 2)}
    assert {subject for subject, found in holds.items() if found} == bought_lately
    for subject in bought_lately:
        (hold,) = holds[subject]
        assert (hold.kind, hold.id) == (HoldKind.STATUTORY_TERM, _PURCHASES)

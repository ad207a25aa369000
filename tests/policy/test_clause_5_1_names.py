# SPDX-License-Identifier: Apache-2.0
"""Clause 5.1: whoever holds every database cannot say whose acts the evidence tells of."""

import pytest

from tests.harness.waiting import wait_until
from tests.policy.person import Person
from tests.policy.records import Records
from tests.policy.test_clause_5_1_destruction import end, ended

_DECIDERS = ("consent", "claims", "disclosure")
_DATABASES = (*_DECIDERS, "vault", "keystore")
_NAMED = "SELECT pseudonym FROM subject_pseudonyms WHERE site_id=:s AND subject_id=:p"
_OWNER = "SELECT pseudonym FROM data_keys WHERE site_id=:s AND owner_id=:p"
_TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"


def names_of(records: Records, person: Person) -> dict[str, str]:
    """What the person is called in the evidence of each service that has a name for them."""
    asked = {"s": person.site.site_id, "p": person.subject_id}
    found = {name: records.rows(name, _NAMED, **asked) for name in _DECIDERS}
    found["vault"] = records.rows("keystore", _OWNER, **asked)
    return {name: rows[0].pseudonym for name, rows in found.items() if rows}


def until_nameless(records: Records, person: Person) -> None:
    """Waits until every service has forgotten the name."""
    wait_until(
        lambda: not names_of(records, person),
        lambda: f"still known to {sorted(names_of(records, person))}",
    )


def tables_with(records: Records, *needles: str) -> set[tuple[str, str]]:
    """Every table of every database in which one row holds all of the texts, in any columns."""
    all_of = " AND ".join(f"strpos(t::text, :n{i}) > 0" for i in range(len(needles)))
    values = {f"n{i}": needle for i, needle in enumerate(needles)}
    return {
        (name, table)
        for name in _DATABASES
        for (table,) in records.rows(name, _TABLES)
        if records.rows(name, f'SELECT 1 FROM "{table}" t WHERE {all_of} LIMIT 1', **values)
    }


def with_a_name_everywhere(person: Person) -> None:
    """Acts at every service, none of which holds the person's end."""
    assert person.grant("NEWS").status == 200
    order_id = person.ordered()
    person.assigned(order_id=order_id)
    person.site.good("storefront", "POST", f"/v1/orders/{order_id}:close", {})
    claim_id = person.claimed("UNLAWFUL_ACTS")["claimId"]
    person.concluded(claim_id, "UNLAWFUL_CONFIRMED")


def test_no_service_knows_the_name_of_whoever_has_ended(person: Person, records: Records) -> None:
    """T-5.1-b: also those that have nothing to push, and so are told nothing by an answer."""
    with_a_name_everywhere(person)
    names = names_of(records, person)
    assert names.keys() == {*_DECIDERS, "vault"}
    for service, name in names.items():
        assert tables_with(records, person.subject_id, name) == {
            ("keystore", "data_keys") if service == "vault" else (service, "subject_pseudonyms")
        }
    ended(person, ground="UNLAWFUL_CONFIRMED")
    until_nameless(records, person)
    for service, name in names.items():
        assert not tables_with(records, person.subject_id, name)
        assert {table for _, table in tables_with(records, name)} <= {
            "evidence_entries",
            "refusal_tallies",
        }, service


@pytest.mark.parametrize("how", ["destroy", "depersonalize"])
def test_an_answer_to_a_push_is_enough_to_forget_the_name(
    person: Person, records: Records, how: str
) -> None:
    """T-5.1-b: and what is tried afterwards makes no name that stays."""
    former = names_of(records, person)["consent"]
    ended(person, how)
    assert person.reject().json["enforcement"] == "SUBJECT_DESTROYED"
    assert "consent" not in names_of(records, person)
    assert not tables_with(records, person.subject_id, former)


def test_a_rehearsed_or_refused_end_takes_nobodys_name(person: Person, records: Records) -> None:
    """T-5.1-b"""
    person.ordered()
    names = names_of(records, person)
    assert end(person, dryRun=True).status == 200
    assert end(person).status == 409
    other = person.site.person()
    ended(other)
    until_nameless(records, other)
    assert names_of(records, person) == names

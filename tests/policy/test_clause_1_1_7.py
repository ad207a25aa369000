# SPDX-License-Identifier: Apache-2.0
"""Clause 1.1.7: an IP address has one form, and stands nowhere in the clear."""

import secrets

import pytest

from tests.policy.person import Person
from tests.policy.records import Records
from tests.policy.test_clause_1_1_6 import PROCESSES
from tests.policy.visiting import visit, visited, visits


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("2001:0DB8:0000:0000:0000:0000:0000:0001", "2001:db8::1"),
        ("2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"),
        ("203.0.113.9", "203.0.113.9"),
        ("::FFFF:203.0.113.9", "::ffff:203.0.113.9"),
    ],
)
def test_an_address_is_kept_in_one_form(person: Person, given: str, kept: str) -> None:
    """T-1.1.7-a"""
    visited(person, visit(ip=given))
    assert person.read("SECURITY_LOCATION").json["visits"][0]["ip"] == kept


def test_an_address_stands_in_no_row_entry_log_or_problem(person: Person, records: Records) -> None:
    """T-1.1.7-a"""
    address = f"10.{secrets.randbelow(256)}.{secrets.randbelow(256)}.{200 + secrets.randbelow(50)}"
    visited(person, visit(ip=address))
    refused = visits(person, visit(ip=f"{address}.{address}"))
    assert (refused.status, refused.code) == (400, "INVALID_ARGUMENT")
    assert address.encode() not in refused.content
    assert address not in str(records.entries("vault", person))
    for table in ("visits", "blind_index", "idempotency_keys", "refusal_tallies"):
        assert address not in str(records.rows("vault", f"SELECT * FROM {table}"))
    for process in PROCESSES:
        assert address not in person.site.suite.log(process)

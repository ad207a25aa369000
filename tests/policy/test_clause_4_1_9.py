# SPDX-License-Identifier: Apache-2.0
"""Clause 4.1.9: support, for a case."""

from tests.policy.person import CONTACT, Person, is_refused
from tests.policy.records import Records


def test_support_without_a_case_is_refused(person: Person) -> None:
    """T-4.1.9-a"""
    # gRPC's INVALID_ARGUMENT, by the reason that says what is missing.
    assert is_refused(person.read("SUPPORT"), 400, "REFERENCE_REQUIRED", "4.1.9")
    assert is_refused(person.read("SUPPORT", reference=""), 400, "REFERENCE_REQUIRED", "4.1.9")


def test_support_for_a_case_is_recorded_with_the_case(person: Person, records: Records) -> None:
    """T-4.1.9-a"""
    assert set(person.data("SUPPORT", reference="case:2026-77")) == CONTACT
    [entry] = records.entries("vault", person, "data.read")
    assert entry["refs"]["reference"] == "case:2026-77"

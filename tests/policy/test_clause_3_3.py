# SPDX-License-Identifier: Apache-2.0
"""Clause 3.3: the six technical kinds are protected like everything else."""

import pytest

from services.vault.fields import TECHNICAL_FIELDS
from tests.policy.person import Person, is_refused
from tests.policy.records import Records
from tests.policy.visiting import COLUMNS, KINDS, visit, visited

_NAMES = dict(
    zip(("ip", "cookie", "userAgent", "accessTime", "page", "referrer"), COLUMNS, strict=True)
)
_FLIP = (
    "UPDATE visits SET {0} = set_byte({0}, 20, get_byte({0}, 20) # 1) "
    "WHERE site_id=:s AND subject_id=:p"
)


def test_the_six_kinds_are_a_closed_list() -> None:
    """T-3.3-a"""
    assert {str(field) for field in TECHNICAL_FIELDS} == {f"technical.{name}" for name in KINDS}


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_each_kind_is_a_ciphertext_of_its_own(person: Person, records: Records, kind: str) -> None:
    """T-3.3-a"""
    visited(person, visit())
    where = {"s": person.site.site_id, "p": person.subject_id}
    records.change("vault", _FLIP.format(_NAMES[kind]), **where)
    asked = person.read("SECURITY_LOCATION", fields=[f"technical.{kind}"])
    assert asked.code == "DATA_LOSS"
    for other in KINDS - {kind}:
        answer = person.read("SECURITY_LOCATION", fields=[f"technical.{other}"])
        assert [set(each) for each in answer.json["visits"]] == [{other}]
    records.change("vault", _FLIP.format(_NAMES[kind]), **where)


def test_they_are_blocked_with_the_rest(person: Person) -> None:
    """T-3.3-a"""
    visited(person, visit())
    person.claimed()
    assert is_refused(person.read("SECURITY_LOCATION"), 409, "SUBJECT_BLOCKED", "6.2.3")
    asked = person.read("SUPPORT", reference="case-1")
    assert is_refused(asked, 409, "SUBJECT_BLOCKED", "6.2.3")
    assert visited(person, visit()) == [{"problem": {"code": "SUBJECT_BLOCKED", "clause": "6.2.3"}}]


@pytest.mark.parametrize("how", ["destroy", "depersonalize"])
def test_they_are_destroyed_with_the_rest(person: Person, records: Records, how: str) -> None:
    """T-3.3-a"""
    visited(person, visit(), visit())
    rows = "SELECT 1 FROM visits WHERE site_id=:s AND subject_id=:p"
    where = {"s": person.site.site_id, "p": person.subject_id}
    assert len(records.rows("vault", rows, **where)) >= 2
    ended = person.ask("POST", f":{how}", {"ground": "DEMAND"}, who="privacyOfficer")
    assert ended.json["outcome"] == "DESTROYED"
    assert records.rows("vault", rows, **where) == []
    assert is_refused(person.read("SECURITY_LOCATION"), 410, "SUBJECT_DESTROYED", "5.1")


def test_nothing_is_collected_after_disagreement(person: Person) -> None:
    """T-2.2-a T-3.3-a"""
    assert person.reject().status == 200
    assert visited(person, visit()) == [{"problem": {"code": "POLICY_DISAGREED", "clause": "2.2"}}]

# SPDX-License-Identifier: Apache-2.0
"""Reads for a state body at the gate: what leaves, under which act, and who may know (5.3)."""

import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from qupia.contract.v1 import contract_pb2
from qupia.vault.v1 import authority_pb2, vault_pb2
from services.chassis.ids import new_uuid
from tests.vault.person import Person, at
from tests.vault.vault_process import House, VaultProcess
from tests.vault.wire_client import Refused

Category = authority_pb2.DataCategory
LATER = datetime.now(UTC) + timedelta(days=90)


def _question(
    person: Person,
    *categories: Category.Code.ValueType,
    compelled: bool = False,
    claim_id: str = "",
) -> authority_pb2.AuthorityQuestion:
    return authority_pb2.AuthorityQuestion(
        site_id=person.site,
        subject_id=person.subject_id,
        categories=list(categories) or [Category.PHONE],
        compelled=compelled,
        claim_id=claim_id,
    )


def _ask(vault: VaultProcess, question: authority_pb2.AuthorityQuestion, **members: Any) -> Any:
    request = authority_pb2.ReadForAuthorityRequest(
        question=question, request_id=new_uuid(), authority_id=new_uuid(), release_id=new_uuid()
    )
    for name, value in members.items():
        getattr(request, name).CopyFrom(at(value))
    return vault.as_process("disclosure").call(request)


def _check(vault: VaultProcess, question: authority_pb2.AuthorityQuestion) -> str:
    request = authority_pb2.CheckForAuthorityRequest(question=question)
    answer = vault.as_process("disclosure").call(request)
    reason = contract_pb2.Refusal.Reason.Name(answer.problem.code)
    return reason if answer.problem.code else "OK"


def test_a_state_body_gets_the_categories_named_and_no_other(
    vault: VaultProcess, house: House, person: Person
) -> None:
    """Clause 5.3"""
    answer = _ask(vault, _question(person, Category.PHONE, Category.NAME))
    assert answer.data.phone == person.own.phone
    assert answer.data.given_name == person.own.given_name
    assert not answer.data.HasField("email")
    assert not answer.data.HasField("address")
    assert list(answer.fields) == ["familyName", "givenName", "phone"]
    [entry] = house.entries(entryId=answer.entry_id)
    assert (entry["event"], entry["clause"]) == ("data.read_for_authority", "5.3")
    assert entry["decidedOn"]["fields"] == ["familyName", "givenName", "phone"]
    assert "releasedUnderBlock" not in entry["decidedOn"]


def test_a_category_that_is_none_is_refused(vault: VaultProcess, person: Person) -> None:
    question = _question(person)
    question.categories[:] = [Category.CODE_UNSPECIFIED]
    with pytest.raises(Refused) as refused:
        _ask(vault, question)
    assert refused.value.reason == "INVALID_ARGUMENT"


def test_a_block_holds_until_an_act_compels(
    vault: VaultProcess, house: House, person: Person
) -> None:
    """law.md 4.1"""
    claim_id = person.is_blocked()
    held = _question(person)
    assert _check(vault, held) == "SUBJECT_BLOCKED"
    with pytest.raises(Refused) as refused:
        _ask(vault, held)
    assert (refused.value.reason, refused.value.clause) == ("SUBJECT_BLOCKED", "6.2.3")
    strange = _question(person, compelled=True, claim_id=new_uuid())
    assert _check(vault, strange) == "SUBJECT_BLOCKED"
    for compelling in ("", claim_id):
        question = _question(person, compelled=True, claim_id=compelling)
        assert _check(vault, question) == "OK"
        answer = _ask(vault, question)
        since = answer.disputed_time.ToDatetime(tzinfo=UTC)
        assert since == person.claims.blocks[0].since_time.ToDatetime(tzinfo=UTC)
        [entry] = house.entries(entryId=answer.entry_id)
        told = entry["decidedOn"]["releasedUnderBlock"]
        assert datetime.fromisoformat(told) == since


def test_unlawful_acts_hold_too_and_a_destroyed_person_is_nobody(
    vault: VaultProcess, person: Person
) -> None:
    claim_id = person.is_blocked()
    assert person.outcome(claim_id, "UNLAWFUL_CONFIRMED").verdict == vault_pb2.SliceReceipt.APPLIED
    assert _check(vault, _question(person)) == "SUBJECT_RESTRICTED"
    assert _check(vault, _question(person, compelled=True)) == "OK"
    # The verification of a complaint has ended with its outcome.
    verifying = _question(person, compelled=True, claim_id=claim_id)
    assert _check(vault, verifying) == "SUBJECT_RESTRICTED"
    nobody = _question(Person(vault, subject_id=secrets.token_hex(16)), compelled=True)
    assert _check(vault, nobody) == "NOT_FOUND"


def test_what_is_secret_is_so_in_the_entry_of_a_read_and_of_a_refusal(
    vault: VaultProcess, house: House, person: Person
) -> None:
    answer = _ask(vault, _question(person), secret_until_time=LATER)
    person.is_blocked()
    with pytest.raises(Refused):
        _ask(vault, _question(person), secret_until_time=LATER)
    [read] = house.entries(entryId=answer.entry_id)
    pseudonym = read["subject"]
    rows = house.rows(
        "SELECT outcome, secret_until FROM evidence_entries "
        "WHERE subject = %s AND event = 'data.read_for_authority'",
        pseudonym,
    )
    assert sorted(outcome for outcome, _ in rows) == ["PERMITTED", "REFUSED"]
    assert {until for _, until in rows} == {LATER}


def test_a_check_opens_and_records_nothing(
    vault: VaultProcess, house: House, person: Person
) -> None:
    before = house.rows("SELECT count(*) FROM evidence_entries")
    assert _check(vault, _question(person)) == "OK"
    assert house.rows("SELECT count(*) FROM evidence_entries") == before


def test_the_broker_alone_may_ask(vault: VaultProcess, person: Person) -> None:
    request = authority_pb2.CheckForAuthorityRequest(question=_question(person))
    for process in ("claims", "consent", "gateway"):
        with pytest.raises(Refused) as refused:
            vault.as_process(process).call(request)
        assert refused.value.reason == "PEER_NOT_ALLOWED"

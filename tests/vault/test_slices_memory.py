# SPDX-License-Identifier: Apache-2.0
"""A decider that forgot does not undo a restriction; a policy's change acts by itself, in time."""

import secrets
from datetime import UTC, datetime, timedelta

from qupia.subject.v1 import subject_pb2
from qupia.vault.v1 import vault_pb2
from tests.harness.waiting import LEADS, sleep_past
from tests.vault.person import Person, ago, at, problem_of, release
from tests.vault.vault_process import House, VaultProcess
from tests.vault.wire_client import Storefront

Receipt = vault_pb2.SliceReceipt


def test_a_forgotten_block_stays_and_is_told(person: Person, shop: Storefront) -> None:
    claim = person.is_blocked()
    del person.claims.blocks[:]
    receipt = person.push_claims()
    assert receipt.verdict == Receipt.APPLIED
    assert list(receipt.carried) == [claim]
    assert shop.why_not(person.subject_id) == "SUBJECT_BLOCKED"


def test_a_forgotten_outcome_stays_and_is_told(person: Person, shop: Storefront) -> None:
    claim = person.is_blocked()
    person.outcome(claim, "NOT_CONFIRMED")
    person.claims.blocks[0].outcome = vault_pb2.Block.OUTCOME_UNSPECIFIED
    assert list(person.push_claims().carried) == [claim]
    assert shop.why_not(person.subject_id) == "OK"


def test_a_forgotten_withdrawal_stays_and_is_told(person: Person, shop: Storefront) -> None:
    assert person.grants("NEWS") == "APPLIED"
    person.withdraws("NEWS")
    fact = person.consent.consents[0]
    fact.ClearField("withdrawn_time")
    assert list(person.push_consent().carried) == [fact.proposal_id]
    assert shop.why_not(person.subject_id, "NEWS") == "CONSENT_WITHDRAWN"
    del person.consent.consents[:]
    assert list(person.push_consent().carried) == [fact.proposal_id]
    assert shop.why_not(person.subject_id, "NEWS") == "CONSENT_WITHDRAWN"


def test_a_forgotten_disagreement_stays_and_is_told(person: Person, shop: Storefront) -> None:
    person.disagrees()
    person.consent.ClearField("disagreed_time")
    assert list(person.push_consent().carried) == ["disagreement"]
    assert shop.why_not(person.subject_id) == "POLICY_DISAGREED"


def test_a_forgotten_closing_opens_no_order(person: Person, vault: VaultProcess) -> None:
    delivery = person.orders_goods("A-1")
    person.orders.orders[0].open = False
    person.push_orders()
    person.orders.orders[0].open = True
    assert list(person.push_orders().carried) == ["A-1"]
    assert [problem_of(o) for o in release(vault, delivery.item())] == ["NO_ACTIVE_ORDER"]


def test_a_book_that_forgot_nothing_is_told_of_nothing(person: Person) -> None:
    person.grants("NEWS")
    person.withdraws("NEWS")
    claim = person.is_blocked()
    person.outcome(claim, "NOT_CONFIRMED")
    person.orders_goods()
    assert not person.push_consent().carried
    assert not person.push_claims().carried
    assert not person.push_orders().carried


def test_a_permission_that_the_book_lacks_is_gone(person: Person, shop: Storefront) -> None:
    assert person.grants("NEWS") == "APPLIED"
    del person.consent.consents[:]
    assert not person.push_consent().carried
    assert shop.why_not(person.subject_id, "NEWS") == "CONSENT_REQUIRED"


def _schedule(
    house: House, vault: VaultProcess, site: str, *terms: vault_pb2.PolicyTerm
) -> vault_pb2.SliceReceipt:
    caller = vault.as_process("consent")
    rows = house.rows("SELECT counter FROM slices WHERE site_id = %s AND topic = 'schedule'", site)
    counter = rows[0][0] + 1 if rows else 1
    header = vault_pb2.SliceHeader(
        site_id=site,
        version=vault_pb2.SliceVersion(incarnation=caller.life.incarnation, counter=counter),
        vault_incarnation=caller.life.vault_incarnation,
    )
    request = vault_pb2.ApplyPolicyScheduleRequest(
        header=header, schedule=vault_pb2.PolicySchedule(terms=terms)
    )
    receipt: vault_pb2.SliceReceipt = caller.call(request).receipt
    return receipt


def _before_a_change(
    house: House, vault: VaultProcess, lead: timedelta
) -> tuple[Person, datetime] | None:
    """Somebody who is served now, and when a change ends that; None where it came too soon."""
    site = f"policies-{secrets.token_hex(6)}"
    first = vault_pb2.PolicyTerm(version=1, effective_time=ago(days=1))
    assert _schedule(house, vault, site, first).verdict == Receipt.APPLIED
    person = Person(vault, site)
    person.accepts()
    assert [person.grants(p) for p in ("NEWS", "ADVERTISING")] == ["APPLIED", "APPLIED"]
    effective = datetime.now(UTC) + lead
    second = vault_pb2.PolicyTerm(
        version=2, effective_time=at(effective), material_purposes=[subject_pb2.Purpose.NEWS]
    )
    assert _schedule(house, vault, site, first, second).verdict == Receipt.APPLIED
    told = Storefront(vault.as_process("gateway"), site=site).why_not(person.subject_id, "NEWS")
    if datetime.now(UTC) >= effective:
        return None
    assert told == "OK"
    return person, effective


def test_a_material_change_ends_its_consents_at_its_time_and_nobody_pushes_a_person(
    house: House, vault: VaultProcess
) -> None:
    looked = (_before_a_change(house, vault, lead) for lead in LEADS)
    person, effective = next(found for found in looked if found is not None)
    shop = Storefront(vault.as_process("gateway"), site=person.site)
    sleep_past(effective)
    assert shop.why_not(person.subject_id, "NEWS") == "CONSENT_REQUIRED"
    assert shop.why_not(person.subject_id, "ADVERTISING") == "OK"
    assert person.grants("NEWS", version=2) == "APPLIED"
    answer = shop.read(person.subject_id, "NEWS")
    [entry] = house.entries(entryId=answer.entry_id)
    assert entry["decidedOn"]["policyVersion"] == 2
    assert set(entry["decidedOn"]["slices"]) == {"consent", "schedule"}


def test_one_sites_schedule_says_nothing_of_another_site(
    house: House, vault: VaultProcess, person: Person, shop: Storefront
) -> None:
    assert person.grants("NEWS") == "APPLIED"
    term = vault_pb2.PolicyTerm(
        version=9, effective_time=ago(days=1), material_purposes=[subject_pb2.Purpose.NEWS]
    )
    assert _schedule(house, vault, "elsewhere", term).verdict == Receipt.APPLIED
    assert shop.why_not(person.subject_id, "NEWS") == "OK"

# SPDX-License-Identifier: Apache-2.0
"""Permitting acts are proposals: the vault applies or refuses them, once and for ever."""

from datetime import UTC, datetime, timedelta

from qupia.subject.v1 import subject_pb2
from qupia.vault.v1 import vault_pb2
from services.chassis.ids import new_uuid
from tests.vault.person import Person, ago, at, problem_of, release, verdict_of
from tests.vault.vault_process import VaultProcess
from tests.vault.wire_client import Storefront

Receipt = vault_pb2.SliceReceipt
NEWS = subject_pb2.Purpose.NEWS


def test_a_consent_of_a_blocked_person_is_refused_and_never_permits(
    person: Person, shop: Storefront
) -> None:
    claim = person.is_blocked()
    assert person.grants("NEWS") == "SUBJECT_BLOCKED"
    person.outcome(claim, "NOT_CONFIRMED")
    assert shop.why_not(person.subject_id, "NEWS") == "CONSENT_REQUIRED"
    # The refused fact is still in consent's book; asked again it stays refused.
    fact = person.consent.consents[0]
    assert verdict_of(person.push_consent(fact.proposal_id), fact.proposal_id) == "SUBJECT_BLOCKED"
    assert shop.why_not(person.subject_id, "NEWS") == "CONSENT_REQUIRED"


def test_a_verdict_once_given_is_repeated_whatever_happened_since(
    person: Person, vault: VaultProcess
) -> None:
    assert person.grants("NEWS") == "APPLIED"
    fact = person.consent.consents[0]
    person.is_blocked()
    assert verdict_of(person.push_consent(fact.proposal_id), fact.proposal_id) == "APPLIED"
    caller = vault.as_process("consent")
    header = person.header(caller, fact.proposal_id)
    request = vault_pb2.ApplyConsentSliceRequest(header=header, slice=person.consent)
    first, second = caller.call(request).receipt, caller.call(request).receipt
    assert second.verdict == Receipt.REPEAT
    assert first.proposals == second.proposals


def test_a_grant_that_was_withdrawn_before_it_was_decided_never_permits(
    person: Person, shop: Storefront
) -> None:
    proposal = new_uuid()
    person.consent.consents.add(
        purpose=NEWS,
        policy_version=1,
        granted_time=ago(minutes=1),
        withdrawn_time=at(),
        proposal_id=proposal,
    )
    assert verdict_of(person.push_consent(proposal), proposal) == "SUPERSEDED"
    assert shop.why_not(person.subject_id, "NEWS") == "CONSENT_WITHDRAWN"


def test_a_grant_without_a_verdict_yet_permits_nothing(
    vault: VaultProcess, person: Person, shop: Storefront
) -> None:
    vault.as_process("disclosure").open_incarnation()
    assert person.grants("NEWS") == "DEFERRED"
    vault.as_process("disclosure").complete()
    assert shop.why_not(person.subject_id, "NEWS") == "CONSENT_REQUIRED"
    fact = person.consent.consents[0]
    assert verdict_of(person.push_consent(fact.proposal_id), fact.proposal_id) == "APPLIED"
    assert shop.why_not(person.subject_id, "NEWS") == "OK"


def test_mere_use_does_not_undo_a_disagreement_and_express_acceptance_does(
    person: Person, shop: Storefront
) -> None:
    person.disagrees()
    assert person.accepts(explicit=False) == "POLICY_DISAGREED"
    assert shop.why_not(person.subject_id) == "POLICY_DISAGREED"
    assert person.grants("NEWS") == "POLICY_DISAGREED"
    assert person.accepts(2, explicit=True) == "APPLIED"
    assert shop.why_not(person.subject_id) == "OK"
    assert shop.standing(person.subject_id).accepted_policy_version == 2


def test_an_acceptance_and_a_consent_in_one_slice_are_decided_in_their_order(
    vault: VaultProcess, shop: Storefront
) -> None:
    person = Person(vault)
    accepted, granted = new_uuid(), new_uuid()
    person.consent.proposed_acceptance.CopyFrom(
        vault_pb2.ProposedAcceptance(version=1, time=at(), proposal_id=accepted)
    )
    person.consent.consents.add(
        purpose=NEWS, policy_version=1, granted_time=at(), proposal_id=granted
    )
    receipt = person.push_consent(accepted, granted)
    assert [verdict_of(receipt, each) for each in (accepted, granted)] == ["APPLIED", "APPLIED"]
    assert shop.why_not(person.subject_id, "NEWS") == "OK"


def test_an_order_after_disagreement_is_refused_and_releases_nothing(
    person: Person, vault: VaultProcess, shop: Storefront
) -> None:
    delivery = person.orders_goods("A-1")
    person.disagrees()
    proposal = new_uuid()
    order = person.orders.orders.add(
        order_id="A-2", placed_time=at(), open=True, proposal_id=proposal
    )
    order.assignments.add().CopyFrom(person.orders.orders[0].assignments[0])
    assert verdict_of(person.push_orders(proposal), proposal) == "POLICY_DISAGREED"
    outcomes = release(vault, delivery.item(), delivery.item(order_id="A-2"))
    assert [problem_of(o) for o in outcomes] == ["OK", "NO_ACTIVE_ORDER"]
    assert shop.standing(person.subject_id).open_orders == 1


def test_each_recipient_gets_the_fields_of_its_kind_of_its_own_order_only(
    person: Person, vault: VaultProcess
) -> None:
    courier = person.orders_goods("A-1", "COURIER")
    telecom = person.orders_goods("A-2", "TELECOM")
    one, two, crossed, expired = release(
        vault,
        courier.item(),
        telecom.item(),
        courier.item(recipient_id=telecom.recipient_id),
        courier.item(order_id="A-2"),
    )
    assert list(one.read.fields) == ["address", "familyName", "givenName", "phone"]
    assert not one.read.data.HasField("email")
    assert list(two.read.fields) == ["phone"]
    assert [problem_of(o) for o in (crossed, expired)] == ["ORDER_RECIPIENT_MISMATCH"] * 2


def test_an_assignment_ends_by_word_and_by_time(person: Person, vault: VaultProcess) -> None:
    ended, expiring = person.orders_goods("A-1"), person.orders_goods("A-2")
    soon = datetime.now(UTC) - timedelta(seconds=1)
    person.orders.orders[0].assignments[0].ended_time.CopyFrom(at())
    person.orders.orders[1].assignments[0].expires_time.CopyFrom(at(soon))
    assert person.push_orders().verdict == Receipt.APPLIED
    outcomes = release(vault, ended.item(), expiring.item())
    assert [problem_of(o) for o in outcomes] == ["ORDER_RECIPIENT_MISMATCH"] * 2
    for order in person.orders.orders:
        order.open = False
    person.push_orders()
    assert [problem_of(o) for o in release(vault, ended.item())] == ["NO_ACTIVE_ORDER"]


def test_a_release_is_entered_under_its_id_before_it_leaves(
    person: Person, vault: VaultProcess
) -> None:
    delivery, release_id = person.orders_goods(), new_uuid()
    [outcome] = release(vault, delivery.item(release_id))
    ask = vault_pb2.GetReleaseEntryRequest(site_id="demo", release_id=release_id)
    assert vault.as_process("disclosure").call(ask).entry_id == outcome.read.entry_id
    never = vault_pb2.GetReleaseEntryRequest(site_id="demo", release_id=new_uuid())
    assert vault.as_process("disclosure").call(never).entry_id == ""


def test_a_release_asked_for_twice_is_decided_again_and_recorded_again(
    person: Person, vault: VaultProcess, shop: Storefront
) -> None:
    delivery, release_id = person.orders_goods(), new_uuid()
    [first] = release(vault, delivery.item(release_id))
    [again] = release(vault, delivery.item(release_id))
    assert problem_of(again) == "OK"
    assert again.read.entry_id != first.read.entry_id
    in_one = release(vault, *[delivery.item(new_uuid())] * 2)
    assert [problem_of(o) for o in in_one] == ["OK", "OK"]
    ask = vault_pb2.GetReleaseEntryRequest(site_id="demo", release_id=release_id)
    assert vault.as_process("disclosure").call(ask).entry_id == first.read.entry_id
    person.is_blocked()
    assert [problem_of(o) for o in release(vault, delivery.item(release_id))] == ["SUBJECT_BLOCKED"]
    assert shop.why_not(person.subject_id) == "SUBJECT_BLOCKED"

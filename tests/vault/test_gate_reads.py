# SPDX-License-Identifier: Apache-2.0
"""Purpose-bound reads through a real vault over mutual TLS (clauses 4.1, 6.2.1, 2.3)."""

from collections.abc import Callable
from contextlib import closing

import pytest

from qupia.contract.v1 import contract_pb2
from qupia.subject.v1 import subject_pb2
from qupia.vault.v1 import vault_pb2
from services.vault.store import lock_key
from tests.vault.person import Person, new_data, problem_of, release, settled
from tests.vault.vault_process import House, VaultProcess
from tests.vault.wire_client import Refused, Storefront, read_request, reason_of

NAMES = {"family_name", "given_name"}
CONTACT = NAMES | {"phone", "email"}


def _set(data: subject_pb2.PersonalData) -> set[str]:
    return {field.name for field, _ in data.ListFields()}


@pytest.mark.parametrize(
    ("purpose", "reference", "reached"),
    [
        ("IDENTIFY_FOR_ORDER", "", CONTACT),
        ("PERSONAL_RESOURCES", "", NAMES | {"email"}),
        ("FEEDBACK", "SERVICE", CONTACT),
        ("SECURITY_LOCATION", "", set()),
        ("PAYMENT", "payment-77", CONTACT),
        ("SUPPORT", "case-12", CONTACT),
    ],
)
def test_a_purpose_reaches_its_data_and_no_more(
    shop: Storefront,
    person: Person,
    house: House,
    purpose: str,
    reference: str,
    reached: set[str],
) -> None:
    if purpose == "FEEDBACK":
        reference = shop.template(reference, house.premises.token("PRIVACY_OFFICER"))
    answer = shop.read(person.subject_id, purpose, reference=reference)
    assert _set(answer.data) == reached
    [entry] = house.entries(entryId=answer.entry_id)
    assert (entry["outcome"], entry["event"]) == ("PERMITTED", "data.read")
    assert entry["refs"] == {"purpose": purpose} | ({"reference": reference} if reference else {})
    assert set(entry["decidedOn"]["slices"]) == {"consent"}


def test_an_express_consent_opens_its_own_purpose_until_it_is_withdrawn(
    shop: Storefront, person: Person
) -> None:
    assert shop.why_not(person.subject_id, "NEWS") == "CONSENT_REQUIRED"
    assert person.grants("NEWS") == "APPLIED"
    assert shop.why_not(person.subject_id, "NEWS") == "OK"
    assert shop.why_not(person.subject_id, "ADVERTISING") == "CONSENT_REQUIRED"
    person.withdraws("NEWS")
    assert shop.why_not(person.subject_id, "NEWS") == "CONSENT_WITHDRAWN"
    assert shop.why_not(person.subject_id) == "OK"


def test_an_automated_credit_decision_needs_a_consent_of_its_own(
    shop: Storefront, person: Person
) -> None:
    asked = {"reference": "payment-1", "automated_decision": True}
    assert shop.why_not(person.subject_id, "PAYMENT", **asked) == "CONSENT_REQUIRED"
    assert person.grants("AUTOMATED_DECISION") == "APPLIED"
    assert shop.why_not(person.subject_id, "PAYMENT", **asked) == "OK"


def test_an_open_order_is_served_after_disagreement_and_never_under_a_block(
    vault: VaultProcess, shop: Storefront, person: Person
) -> None:
    asked = {"reference": "A-1001"}
    assert shop.why_not(person.subject_id, "ORDER_STATUS", **asked) == "NO_ACTIVE_ORDER"
    delivery = person.orders_goods("A-1001")
    person.disagrees()
    assert shop.why_not(person.subject_id, "ORDER_STATUS", **asked) == "OK"
    assert shop.why_not(person.subject_id) == "POLICY_DISAGREED"
    assert [problem_of(o) for o in release(vault, delivery.item())] == ["OK"]
    person.is_blocked()
    assert shop.why_not(person.subject_id, "ORDER_STATUS", **asked) == "SUBJECT_BLOCKED"
    assert [problem_of(o) for o in release(vault, delivery.item())] == ["SUBJECT_BLOCKED"]


def test_a_key_reads_for_its_own_purposes_only(vault: VaultProcess, person: Person) -> None:
    checkout = Storefront(
        vault.as_process("gateway"), name="checkout", purposes=("IDENTIFY_FOR_ORDER",)
    )
    assert checkout.why_not(person.subject_id) == "OK"
    assert checkout.why_not(person.subject_id, "PERSONAL_RESOURCES") == "PURPOSE_NOT_GRANTED"


@pytest.mark.parametrize("purpose", [0, 13, 99])
def test_a_read_without_a_purpose_of_the_policy_decrypts_nothing_and_is_recorded(
    shop: Storefront, person: Person, house: House, purpose: int
) -> None:
    name = f"nameless-{purpose}"
    caller = Storefront(shop.gateway, name=name)
    request = vault_pb2.ReadDataRequest(subject_id=person.subject_id)
    request.purpose = purpose  # type: ignore[assignment]
    with pytest.raises(Refused, match="PURPOSE_UNKNOWN"):
        caller.call(request)
    [entry] = house.entries(principal=f"key/{name}")
    assert (entry["outcome"], entry["reason"]) == ("REFUSED", "PURPOSE_UNKNOWN")


def test_fields_may_be_narrowed_and_never_widened(shop: Storefront, person: Person) -> None:
    assert _set(shop.read(person.subject_id, fields=["phone"]).data) == {"phone"}
    assert shop.why_not(person.subject_id, fields=["phone", "address"]) == "FIELD_NOT_PERMITTED"
    with pytest.raises(Refused) as caught:
        shop.read(person.subject_id, fields=["passport"])
    assert caught.value.fields == (("fields", "unknown_field"),)


def test_verification_is_the_officers_alone_and_only_under_its_claims_block(
    vault: VaultProcess, shop: Storefront, person: Person, house: House
) -> None:
    claim = person.is_blocked()
    assert shop.why_not(person.subject_id, "VERIFY_DATA") == "PERMISSION_DENIED"
    officer = (("authorization", f"Bearer {house.premises.token()}"),)
    request = vault_pb2.ReadForVerificationRequest(subject_id=person.subject_id, claim_id=claim)
    answer = vault.as_process("gateway").call(request, officer)
    assert answer.data == person.own
    [entry] = house.entries(entryId=answer.entry_id)
    assert entry["principal"].endswith("#aigerim")
    person.outcome(claim, "NOT_CONFIRMED")
    with pytest.raises(Refused, match="NOT_FOUND"):
        vault.as_process("gateway").call(request, officer)
    stranger = (("authorization", f"Bearer {house.premises.token(role='AUDITOR')}"),)
    with pytest.raises(Refused, match="PERMISSION_DENIED"):
        vault.as_process("gateway").call(request, stranger)


@pytest.mark.parametrize("size", [1, 2, 7])
def test_one_forbidden_member_of_a_batch_is_refused_wherever_it_stands(
    shop: Storefront, people: Callable[[int], list[Person]], size: int
) -> None:
    members = people(size)
    members[0].is_blocked()
    for place in range(size):
        ordered = [*members[1:]]
        ordered.insert(place, members[0])
        outcomes = shop.batch(*(read_request(p.subject_id) for p in ordered))
        assert [reason_of(o) for o in outcomes] == [
            "SUBJECT_BLOCKED" if n == place else "OK" for n in range(size)
        ]
        assert not outcomes[place].HasField("read")
        for member, outcome in zip(ordered, outcomes, strict=True):
            assert outcome.read.data.phone == ("" if member is members[0] else member.own.phone)


@pytest.mark.deep
def test_one_forbidden_member_is_refused_at_each_of_fifty_places(
    shop: Storefront, people: Callable[[int], list[Person]]
) -> None:
    test_one_forbidden_member_of_a_batch_is_refused_wherever_it_stands(shop, people, 50)


def test_every_member_of_a_batch_has_an_entry_of_its_own(
    shop: Storefront, people: Callable[[int], list[Person]], house: House
) -> None:
    one, two = people(2)
    two.is_blocked()
    caller = Storefront(shop.gateway, name="batch")
    asked = [read_request(p.subject_id) for p in (one, two, one)]
    outcomes = caller.batch(*asked)
    assert [reason_of(o) for o in outcomes] == ["OK", "SUBJECT_BLOCKED", "OK"]
    permits = house.entries(principal="key/batch", outcome="PERMITTED")
    assert {e["entryId"] for e in permits} == {outcomes[0].read.entry_id, outcomes[2].read.entry_id}
    assert len(house.entries(principal="key/batch", outcome="REFUSED")) == 1


@pytest.mark.parametrize("size", [300, pytest.param(1000, marks=pytest.mark.deep)])
def test_a_batch_larger_than_one_transaction_is_answered_whole(
    shop: Storefront, person: Person, size: int
) -> None:
    absent = read_request("f" * 32)
    items = [read_request(person.subject_id)] * (size - 1) + [absent]
    reasons = [reason_of(o) for o in shop.batch(*items)]
    assert reasons == ["OK"] * (size - 1) + ["NOT_FOUND"]


def test_a_batch_over_the_limit_is_refused_whole(shop: Storefront, person: Person) -> None:
    with pytest.raises(Refused) as caught:
        shop.batch(*[read_request(person.subject_id)] * 1001)
    assert caught.value.fields == (("items", "max_items"),)


@pytest.mark.parametrize(
    "ask",
    [
        lambda shop, subject: shop.read(subject),
        lambda shop, subject: shop.standing(subject),
        lambda shop, subject: shop.store(subject, new_data(), "same-key"),
    ],
    ids=["read", "standing", "store"],
)
def test_another_sites_person_looks_exactly_like_nobody(
    vault: VaultProcess, person: Person, ask: Callable[[Storefront, str], object]
) -> None:
    stranger = Storefront(vault.as_process("gateway"), site="other", name="stranger")
    answers = []
    for subject in (person.subject_id, "0" * 32):
        with pytest.raises(Refused, match="NOT_FOUND") as caught:
            ask(stranger, subject)
        answers.append((caught.value.code, caught.value.details, caught.value.clause))
    assert answers[0] == answers[1]


def test_in_a_batch_too_another_sites_person_looks_like_nobody(
    vault: VaultProcess, person: Person
) -> None:
    stranger = Storefront(vault.as_process("gateway"), site="other", name="stranger")
    known, nobody = stranger.batch(read_request(person.subject_id), read_request("0" * 32))
    assert known.SerializeToString() == nobody.SerializeToString()


def test_the_evidence_of_strangers_does_not_tell_that_the_person_exists(
    vault: VaultProcess, person: Person, house: House
) -> None:
    curious = Storefront(vault.as_process("gateway"), site="other", name="curious")
    for subject in (person.subject_id, "0" * 32):
        assert curious.why_not(subject) == "NOT_FOUND"
    assert all("subject" not in e for e in house.entries(principal="key/curious"))


def test_no_entry_of_the_evidence_holds_a_persons_data(
    vault: VaultProcess, shop: Storefront, house: House
) -> None:
    person = settled(vault, shop)
    shop.read(person.subject_id)
    person.is_blocked()
    shop.why_not(person.subject_id)
    text = "".join(body for (body,) in house.rows("SELECT body FROM evidence_entries"))
    assert text
    for canary in (*person.canaries, person.subject_id):
        assert canary not in text


def test_a_problem_in_a_batch_names_its_clause(shop: Storefront, person: Person) -> None:
    person.is_blocked()
    [outcome] = shop.batch(read_request(person.subject_id))
    assert outcome.problem.code == contract_pb2.Refusal.SUBJECT_BLOCKED
    assert outcome.problem.clause == "6.2.3"


def test_a_release_that_has_to_wait_leaves_its_neighbours_what_they_got(
    house: House, vault: VaultProcess, shop: Storefront
) -> None:
    """Nothing is told of it, so the broker asks later whether there is an entry."""
    busy, free = settled(vault, shop), settled(vault, shop)
    items = [busy.orders_goods().item(), free.orders_goods().item()]
    with closing(house.owner()) as owner:
        owner.execute("SELECT pg_advisory_lock(%s)", (lock_key("demo", busy.subject_id),))
        told, given = release(vault, *items)
    assert told.WhichOneof("outcome") is None
    assert given.read.entry_id

# SPDX-License-Identifier: Apache-2.0
"""Storing data of many subjects through a real vault (clauses 3.2, 6.1.2, 6.2.3)."""

import secrets
from collections.abc import Callable
from typing import Any

import pytest

from qupia.contract.v1 import contract_pb2
from qupia.subject.v1 import subject_pb2
from qupia.vault.v1 import search_pb2, storing_pb2
from services.vault.store import lock_key
from tests.harness.contacts import new_phone
from tests.vault.person import ADDRESS, NAME, Person, new_data
from tests.vault.vault_process import House, VaultProcess
from tests.vault.wire_client import Refused, Storefront

Data = subject_pb2.PersonalData


def batch(shop: Storefront, *items: tuple[str, Data], request_id: str = "") -> list[Any]:
    """Store data of (subject, data). Raises Refused."""
    request = storing_pb2.BatchStoreDataRequest(
        items=[storing_pb2.StoreItem(subject_id=s, data=d) for s, d in items],
        form="import",
        request_id=request_id or secrets.token_hex(8),
    )
    return list(shop.call(request).outcomes)


def told(outcome: Any) -> str:
    """Why an item was refused; its version where it was not."""
    if outcome.WhichOneof("outcome") == "stored":
        return str(outcome.stored.version)
    return contract_pb2.Refusal.Reason.Name(outcome.problem.code)


@pytest.fixture
def newcomers(vault: VaultProcess, shop: Storefront) -> Callable[[int], list[Person]]:
    """Persons who accepted the policy and gave no data."""

    def made(number: int) -> list[Person]:
        people = [Person(vault, shop.site) for _ in range(number)]
        assert {p.accepts() for p in people} == {"APPLIED"}
        return people

    return made


def test_what_a_batch_stores_is_read_found_and_recorded_like_a_single_store(
    shop: Storefront, newcomers: Callable[[int], list[Person]], house: House
) -> None:
    people = newcomers(3)
    emails = [f"{p.subject_id}@example.kz" for p in people]
    name = f"import-{secrets.token_hex(4)}"
    caller = Storefront(shop.gateway, name=name)
    names = Data(family_name=NAME["family_name"], given_name=NAME["given_name"], address=ADDRESS)
    phones = [new_phone() for _ in people]
    data = [Data(phone="8" + p[2:], email=e) for p, e in zip(phones, emails, strict=True)]
    for each in data:
        each.MergeFrom(names)
    outcomes = batch(caller, *zip((p.subject_id for p in people), data, strict=True))
    assert [told(o) for o in outcomes] == ["1", "1", "1"]
    for person, phone, email in zip(people, phones, emails, strict=True):
        answer = shop.read(person.subject_id).data
        assert (answer.phone, answer.email) == (phone, email)
        assert answer.family_name == NAME["family_name"]
        found = shop.call(search_pb2.FindSubjectsRequest(email=email)).subject_ids
        assert list(found) == [person.subject_id]
    entries = house.entries(principal=f"key/{name}")
    assert [(e["event"], e["verb"], e["clause"]) for e in entries] == [
        ("data.stored", "STORE", "3.2")
    ] * 3
    assert all(e["decidedOn"]["dataVersion"] == 1 for e in entries)
    forms = "SELECT DISTINCT form, supplier FROM data WHERE subject_id = %s"
    assert house.rows(forms, people[0].subject_id) == [("import", "SUBJECT")]


def test_a_change_is_a_new_version_that_keeps_the_rest_and_the_old(
    shop: Storefront, people: Callable[[int], list[Person]], house: House
) -> None:
    one, two = people(2)
    old, new = new_phone(), new_phone()
    shop.store(one.subject_id, Data(phone=old), f"old-{old}")
    outcomes = batch(shop, (one.subject_id, Data(phone=new)), (two.subject_id, Data(phone=new)))
    assert [told(o) for o in outcomes] == ["3", "2"]
    answer = shop.read(one.subject_id).data
    assert (answer.phone, answer.email) == (new, one.own.email)
    history = "SELECT version, end_version FROM data_history WHERE subject_id=%s AND field='phone'"
    assert sorted(house.rows(history, one.subject_id)) == [(1, 2), (2, 3)]
    request = search_pb2.FindSubjectsRequest
    assert not shop.call(request(phone=old)).subject_ids
    assert sorted(shop.call(request(phone=new)).subject_ids) == sorted(
        (one.subject_id, two.subject_id)
    )


def test_what_is_so_already_makes_no_version(shop: Storefront, person: Person) -> None:
    [outcome] = batch(shop, (person.subject_id, person.own))
    assert told(outcome) == "1"
    [outcome] = batch(shop, (person.subject_id, Data(phone=new_phone())))
    assert told(outcome) == "2"


def test_one_refused_member_leaves_its_neighbours_alone(
    shop: Storefront, newcomers: Callable[[int], list[Person]], house: House
) -> None:
    good, blocked, disagreed, last = newcomers(4)
    blocked.is_blocked()
    disagreed.disagrees()
    caller = Storefront(shop.gateway, name=f"mixed-{secrets.token_hex(4)}")
    ids = [good.subject_id, blocked.subject_id, "0" * 32, disagreed.subject_id, last.subject_id]
    outcomes = batch(caller, *((each, new_data()) for each in ids))
    reasons = ["1", "SUBJECT_BLOCKED", "NOT_FOUND", "POLICY_DISAGREED", "1"]
    assert [told(o) for o in outcomes] == reasons
    for held in (blocked, disagreed):
        assert not house.rows("SELECT 1 FROM data WHERE subject_id = %s", held.subject_id)
    refusals = house.entries(principal=f"key/{caller.name}", outcome="REFUSED")
    assert {e["reason"] for e in refusals} == {"SUBJECT_BLOCKED", "NOT_FOUND", "POLICY_DISAGREED"}


def test_what_only_the_whole_can_tell_refuses_the_one_item(
    shop: Storefront, newcomers: Callable[[int], list[Person]]
) -> None:
    one, two = newcomers(2)
    outcomes = batch(
        shop, (one.subject_id, Data(patronymic="Ғалымұлы")), (two.subject_id, new_data())
    )
    assert [told(o) for o in outcomes] == ["INVALID_ARGUMENT", "1"]


def test_a_repeat_stores_nothing_twice_and_never_over_what_came_later(
    shop: Storefront, newcomers: Callable[[int], list[Person]]
) -> None:
    new = new_phone()
    good, blocked = newcomers(2)
    claim = blocked.is_blocked()
    key = secrets.token_hex(8)
    items = [(p.subject_id, Data(phone=new_phone())) for p in (good, blocked)]
    first = batch(shop, *items, request_id=key)
    assert [told(o) for o in first] == ["1", "SUBJECT_BLOCKED"]
    shop.store(good.subject_id, Data(phone=new), f"later-{good.subject_id}")
    blocked.outcome(claim, "NOT_CONFIRMED")
    again = batch(shop, *items, request_id=key)
    assert [told(o) for o in again] == ["1", "1"]
    assert again[0] == first[0]
    assert shop.read(good.subject_id).data.phone == new
    with pytest.raises(Refused, match="IDEMPOTENCY_KEY_REUSED"):
        batch(shop, items[0], request_id=key)


def test_malformed_items_are_all_named_and_nothing_is_stored(
    shop: Storefront, newcomers: Callable[[int], list[Person]], house: House
) -> None:
    one, two, three = newcomers(3)
    with pytest.raises(Refused) as caught:
        batch(
            shop,
            (one.subject_id, new_data()),
            (two.subject_id, Data(phone="12", email="x")),
            (three.subject_id, Data()),
            (one.subject_id, new_data()),
        )
    assert caught.value.fields == (
        ("items[1].data.phone", "PHONE_NOT_IN_USE"),
        ("items[1].data.email", "EMAIL_MALFORMED"),
        ("items[2].data", "required"),
        ("items[3].subjectId", "unique"),
    )
    assert not house.rows("SELECT 1 FROM data WHERE subject_id = %s", one.subject_id)


def test_a_batch_larger_than_one_transaction_is_stored_whole(
    shop: Storefront, newcomers: Callable[[int], list[Person]]
) -> None:
    people = newcomers(120)
    outcomes = batch(shop, *((p.subject_id, new_data()) for p in people))
    assert {told(o) for o in outcomes} == {"1"}
    reads = [shop.why_not(p.subject_id) for p in (people[0], people[-1])]
    assert reads == ["OK", "OK"]


def test_whoever_is_locked_meanwhile_is_stored_after_the_others(
    shop: Storefront, newcomers: Callable[[int], list[Person]], house: House
) -> None:
    one, two = newcomers(2)
    request = storing_pb2.BatchStoreDataRequest(
        items=[storing_pb2.StoreItem(subject_id=p.subject_id, data=new_data()) for p in (one, two)],
        form="import",
        request_id="locked-one",
    )
    with house.owner() as owner, owner.transaction():
        owner.execute("SELECT pg_advisory_xact_lock(%s)", (lock_key("demo", one.subject_id),))
        with pytest.raises(Refused, match=r"UNAVAILABLE"):
            shop.call(request)
        assert shop.why_not(two.subject_id) == "OK"
    outcomes = shop.call(request).outcomes
    assert [told(o) for o in outcomes] == ["1", "1"]


def test_a_thousand_wrong_items_are_still_a_typed_refusal(shop: Storefront) -> None:
    items = [(f"{number:032x}", Data(phone="12", email="x")) for number in range(1000)]
    with pytest.raises(Refused, match="INVALID_ARGUMENT") as caught:
        batch(shop, *items)
    assert caught.value.fields[0] == ("items[0].data.phone", "PHONE_NOT_IN_USE")
    assert len(caught.value.fields) == 50

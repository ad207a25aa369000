# SPDX-License-Identifier: Apache-2.0
"""Placing and changing data (clauses 2.4, 3.2, 6.1.1, 6.1.2, 7.3)."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from qupia.subject.v1 import subject_pb2
from qupia.vault.v1 import vault_pb2
from tests.harness.contacts import new_email, new_phone
from tests.vault.person import ADDRESS, NAME, Person, new_data
from tests.vault.vault_process import House, VaultProcess
from tests.vault.wire_client import Refused, Storefront

Data = subject_pb2.PersonalData


class Shop(Storefront):
    """A storefront whose keys are its own in every test."""

    def store(
        self, subject_id: str, data: Data, request_id: str, **members: Any
    ) -> vault_pb2.StoreDataResponse:
        """Store data. Raises Refused."""
        own = f"{request_id}-{subject_id}" if request_id.isalpha() else request_id
        return super().store(subject_id, data, own, **members)


@pytest.fixture
def shop(vault: VaultProcess) -> Storefront:
    """A storefront of the site demo."""
    return Shop(vault.as_process("gateway"))


@pytest.fixture
def newcomer(vault: VaultProcess) -> Person:
    """Somebody who accepted the policy and gave nothing yet."""
    person = Person(vault)
    person.accepts()
    return person


def _account(shop: Storefront, person: Person) -> subject_pb2.PersonalData:
    """All that the account shows."""
    if "ACCOUNT" not in {subject_pb2.Purpose.Code.Name(f.purpose) for f in person.consent.consents}:
        assert person.grants("ACCOUNT") == "APPLIED"
    return shop.read(person.subject_id, "ACCOUNT").data


def test_what_is_placed_is_normalized_and_comes_back(shop: Storefront, newcomer: Person) -> None:
    phone, email = new_phone(), new_email()
    placed = Data(
        family_name="Әбілқайырұлы",
        given_name="І\u0306ңкәр",
        phone=f"8 {phone[2:5]} {phone[5:8]} {phone[8:10]} {phone[10:]}",
        email=email.replace("example.kz", "Example.KZ"),
        address=ADDRESS,
    )
    answer = shop.store(newcomer.subject_id, placed, "a", form="checkout")
    assert answer.version == 1
    kept = _account(shop, newcomer)
    assert kept.family_name == "Әбілқайырұлы"
    assert kept.phone == phone
    assert kept.email == email
    assert kept.address == ADDRESS


@pytest.mark.parametrize(
    ("data", "wrong"),
    [
        (Data(phone="123"), ("data.phone", "PHONE_NOT_IN_USE")),
        (Data(email="nobody"), ("data.email", "EMAIL_MALFORMED")),
        (Data(patronymic="Болатұлы"), ("data.patronymic", "NAME_MISSING")),
        (Data(given_name="7"), ("data.givenName", "LETTER_MISSING")),
        (
            Data(address=subject_pb2.Address(country="KZ", postal_code="x")),
            ("data.address.postalCode", "POSTAL_CODE_MALFORMED"),
        ),
    ],
)
def test_wrong_form_is_refused_by_field_and_nothing_is_kept(
    shop: Storefront, newcomer: Person, data: Data, wrong: tuple[str, str]
) -> None:
    with pytest.raises(Refused, match="INVALID_ARGUMENT") as caught:
        shop.store(newcomer.subject_id, data, "wrong")
    assert caught.value.fields == (wrong,)
    assert shop.standing(newcomer.subject_id).data_version == 0


def test_every_wrong_field_is_named_and_no_value_is(shop: Storefront, newcomer: Person) -> None:
    with pytest.raises(Refused) as caught:
        shop.store(newcomer.subject_id, Data(phone="unspeakable", email="secretive"), "two")
    assert {field for field, _ in caught.value.fields} == {"data.phone", "data.email"}
    assert b"secretive" not in caught.value.details
    assert b"unspeakable" not in caught.value.details


@pytest.mark.parametrize(
    ("mask", "wrong"),
    [
        ("technical.ip", "NOT_SETTABLE"),
        ("purchases", "NOT_SETTABLE"),
        ("passport", "UNKNOWN_FIELD"),
    ],
)
def test_only_what_the_policy_lists_may_be_placed(
    shop: Storefront, newcomer: Person, mask: str, wrong: str
) -> None:
    with pytest.raises(Refused) as caught:
        shop.store(newcomer.subject_id, Data(), "m", update_mask=FieldMask(paths=[mask]))
    assert [rule for _, rule in caught.value.fields] == [wrong]


def test_a_change_is_a_new_version_and_keeps_the_old_one(
    shop: Storefront, person: Person, house: House
) -> None:
    new = new_phone()
    answer = shop.store(
        person.subject_id,
        Data(phone=new),
        "change",
        update_mask=FieldMask(paths=["phone", "email"]),
        supplier=vault_pb2.Supplier.REPRESENTATIVE,
        form="profile",
    )
    assert answer.version == 2
    kept = _account(shop, person)
    assert kept.phone == new
    assert not kept.HasField("email")
    assert kept.family_name == NAME["family_name"]
    rows = house.rows(
        "SELECT field, version, end_version FROM data_history WHERE subject_id = %s ORDER BY field",
        person.subject_id,
    )
    assert rows == [("email", 1, 2), ("phone", 1, 2)]
    origin = house.rows(
        "SELECT supplier, form FROM data WHERE subject_id = %s AND field = 'phone'",
        person.subject_id,
    )
    assert origin == [("REPRESENTATIVE", "profile")]
    indexed = house.rows("SELECT field FROM blind_index WHERE subject_id = %s", person.subject_id)
    assert indexed == [("phone",)]


def test_part_of_an_address_changes_alone(shop: Storefront, person: Person) -> None:
    shop.store(
        person.subject_id,
        Data(address=subject_pb2.Address(flat="42")),
        "flat",
        update_mask=FieldMask(paths=["address.flat", "address.house"]),
    )
    kept = _account(shop, person).address
    assert (kept.flat, kept.street, kept.HasField("house")) == ("42", ADDRESS.street, False)


def test_what_changes_nothing_makes_no_version(shop: Storefront, person: Person) -> None:
    assert shop.store(person.subject_id, person.own, "again").version == 1
    assert shop.standing(person.subject_id).data_version == 1


def test_the_same_key_has_one_effect_and_one_answer(
    shop: Storefront, person: Person, house: House
) -> None:
    later = new_phone()
    change = Data(phone=new_phone())
    first = shop.store(person.subject_id, change, "once")
    shop.store(person.subject_id, Data(phone=later), "meanwhile")
    again = shop.store(person.subject_id, change, "once")
    assert (first.version, again.version) == (2, 2)
    assert _account(shop, person).phone == later
    with pytest.raises(Refused, match="IDEMPOTENCY_KEY_REUSED"):
        shop.store(person.subject_id, Data(phone=new_phone()), "once")
    text = str(house.rows("SELECT t::text FROM idempotency_keys t"))
    assert change.phone[2:] not in text


def test_the_answer_to_a_key_that_changed_nothing_stays_the_same(
    shop: Storefront, person: Person
) -> None:
    first = shop.store(person.subject_id, person.own, "idle")
    shop.store(person.subject_id, Data(phone=new_phone()), "meanwhile")
    assert shop.store(person.subject_id, person.own, "idle").version == first.version


def test_a_repeated_key_is_decided_again(shop: Storefront, person: Person) -> None:
    change = Data(phone=new_phone())
    shop.store(person.subject_id, change, "once")
    person.is_blocked()
    with pytest.raises(Refused, match="SUBJECT_BLOCKED"):
        shop.store(person.subject_id, change, "once")


def test_the_same_key_of_many_at_once_has_one_effect(
    shop: Storefront, person: Person, house: House
) -> None:
    change = Data(phone=new_phone())
    with ThreadPoolExecutor(8) as pool:
        answers = list(
            pool.map(lambda _: shop.store(person.subject_id, change, "together"), range(16))
        )
    assert {a.version for a in answers} == {2}
    assert shop.standing(person.subject_id).data_version == 2
    [(pseudonym,)] = house.rows(
        "SELECT pseudonym FROM data_keys WHERE owner_id = %s", person.subject_id, key_store=True
    )
    stored = house.entries(event="data.stored", subject=pseudonym, verb="CLARIFY")
    assert len(stored) == 1


def test_keys_of_two_storefronts_do_not_meet(vault: VaultProcess, person: Person) -> None:
    gateway = vault.as_process("gateway")
    one, two = Shop(gateway, name="one"), Shop(gateway, name="two")
    assert one.store(person.subject_id, Data(phone=new_phone()), "key").version == 2
    assert two.store(person.subject_id, Data(phone=new_phone()), "key").version == 3


def test_a_change_may_name_the_version_it_builds_on(shop: Storefront, person: Person) -> None:
    change = Data(phone=new_phone())
    with pytest.raises(Refused, match="VERSION_MISMATCH"):
        shop.store(person.subject_id, change, "stale", if_version=7)
    assert shop.store(person.subject_id, change, "current", if_version=1).version == 2


def test_writers_at_once_each_make_a_version(shop: Storefront, person: Person) -> None:
    phones = [new_phone() for _ in range(12)]
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda p: shop.store(person.subject_id, Data(phone=p), p), phones))
    assert sorted(a.version for a in answers) == list(range(2, 14))
    assert _account(shop, person).phone in phones


@pytest.mark.parametrize(
    ("befalls", "reason"),
    [("blocked", "SUBJECT_BLOCKED"), ("disagreed", "POLICY_DISAGREED")],
)
def test_a_person_who_is_blocked_or_disagrees_takes_no_data_and_it_is_recorded(
    vault: VaultProcess, person: Person, house: House, befalls: str, reason: str
) -> None:
    person.is_blocked() if befalls == "blocked" else person.disagrees()
    shop = Storefront(vault.as_process("gateway"), name=f"late-{befalls}")
    with pytest.raises(Refused, match=reason):
        shop.store(person.subject_id, Data(phone=new_phone()), "late")
    [entry] = house.entries(principal=f"key/late-{befalls}")
    assert (entry["event"], entry["outcome"], entry["reason"]) == ("data.stored", "REFUSED", reason)
    assert entry["subject"]


def test_who_only_ever_disagreed_gives_no_data(vault: VaultProcess, shop: Storefront) -> None:
    person = Person(vault)
    person.consent.disagreed_time.GetCurrentTime()
    person.push_consent()
    with pytest.raises(Refused, match="POLICY_DISAGREED"):
        shop.store(person.subject_id, new_data(), "never")


@pytest.mark.parametrize(
    ("members", "wrong"),
    [
        ({"request_id": ""}, "requestId"),
        ({"request_id": "a b"}, "requestId"),
        ({"form": "Нысан"}, "form"),
        ({"supplier": 9}, "supplier"),
        ({"if_version": -1}, "ifVersion"),
    ],
)
def test_the_rest_of_a_request_has_its_form_too(
    shop: Storefront, person: Person, members: dict[str, Any], wrong: str
) -> None:
    whole = {"request_id": "form", **members}
    with pytest.raises(Refused, match="INVALID_ARGUMENT") as caught:
        shop.store(person.subject_id, Data(phone=new_phone()), **whole)
    assert [field for field, _ in caught.value.fields] == [wrong]

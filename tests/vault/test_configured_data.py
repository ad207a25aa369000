# SPDX-License-Identifier: Apache-2.0
"""Configured data through a real vault: like every other datum, at every door (T-3.2.4-a)."""

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from qupia.subject.v1 import subject_pb2
from qupia.vault.v1 import fields_pb2, storing_pb2, vault_pb2
from services.chassis.ids import new_uuid
from tests.vault.person import Person, problem_of, release, settled
from tests.vault.vault_process import House, Premises, VaultProcess
from tests.vault.wire_client import Refused, Storefront

Data = subject_pb2.PersonalData
LISTED = """
[fields.loyaltyCard]
label = { kk = "Адалдық картасы", ru = "Карта лояльности", en = "Loyalty card" }
purposes = ["SUPPORT", "NEWS"]
personal = true
policyVersion = 2
form = "CODE"
maxLength = 20

[sites.demo.fields.birthDate]
label = { kk = "Туған күні", ru = "Дата рождения", en = "Date of birth" }
purposes = ["IDENTIFY_FOR_ORDER"]
personal = true
policyVersion = 1
form = "DATE"
"""
GONE = LISTED.partition("[sites.demo")[2].join(("[sites.demo", ""))
CARD, BORN = "KZ-7788", "1990-02-28"


@pytest.fixture(scope="module")
def house(premises: Premises) -> Iterator[House]:
    house = premises.house("configured")
    yield house
    house.close()


@pytest.fixture(scope="module")
def fields(house: House) -> Path:
    path = house.keys / "fields.toml"
    path.write_text(LISTED, "utf-8")
    return path


@pytest.fixture(scope="module")
def vault(house: House, fields: Path) -> VaultProcess:
    process = house.start(fields=fields)
    house.open(process)
    return process


@pytest.fixture
def known(vault: VaultProcess, shop: Storefront) -> Person:
    """Somebody whose configured data were placed."""
    person = settled(vault, shop)
    placed = Data(configured={"loyaltyCard": CARD, "birthDate": BORN})
    assert shop.store(person.subject_id, placed, new_uuid()).version == 2
    return person


def _added(answer: vault_pb2.ReadDataResponse) -> dict[str, str]:
    return dict(answer.data.configured)


def _named(refused: Refused) -> list[str]:
    return [name for name, _ in refused.fields]


def _support(shop: Storefront, person: Person, **more: object) -> dict[str, str]:
    return _added(shop.read(person.subject_id, "SUPPORT", reference="CASE-1", **more))


def test_each_purpose_gets_the_added_data_that_name_it(known: Person, shop: Storefront) -> None:
    """T-3.2.4-a"""
    assert _support(shop, known) == {"loyaltyCard": CARD}
    assert _added(shop.read(known.subject_id)) == {"birthDate": BORN}
    assert _support(shop, known, fields=["configured.loyaltyCard"]) == {"loyaltyCard": CARD}
    wrong = {"purpose": "SUPPORT", "reference": "CASE-1", "fields": ["configured.birthDate"]}
    assert shop.why_not(known.subject_id, **wrong) == "FIELD_NOT_PERMITTED"  # type: ignore[arg-type]
    unknown = {"purpose": "SUPPORT", "reference": "CASE-1", "fields": ["configured.shoeSize"]}
    assert shop.why_not(known.subject_id, **unknown) == "INVALID_ARGUMENT"  # type: ignore[arg-type]


def test_a_consent_given_before_the_datum_was_listed_does_not_reach_it(
    vault: VaultProcess, shop: Storefront
) -> None:
    """T-9.1-b"""
    person = settled(vault, shop)
    shop.store(person.subject_id, Data(configured={"loyaltyCard": CARD}), new_uuid())
    assert person.grants("NEWS", version=1) == "APPLIED"
    assert _added(shop.read(person.subject_id, "NEWS")) == {}
    asked = {"purpose": "NEWS", "fields": ["configured.loyaltyCard"]}
    assert shop.why_not(person.subject_id, **asked) == "FIELD_NOT_PERMITTED"  # type: ignore[arg-type]
    assert person.grants("NEWS", version=2) == "APPLIED"
    assert _added(shop.read(person.subject_id, "NEWS")) == {"loyaltyCard": CARD}


def test_it_is_kept_encrypted_and_evidence_names_it_without_its_value(
    known: Person, shop: Storefront, house: House
) -> None:
    """T-1.1.2-a"""
    rows = house.rows(
        "SELECT field, ciphertext, supplier FROM data WHERE subject_id=%s AND field ~ '^conf'",
        known.subject_id,
    )
    assert {field for field, _, _ in rows} == {"configured.loyaltyCard", "configured.birthDate"}
    assert all(CARD.encode() not in bytes(each) for _, each, _ in rows)
    name = f"shop-{secrets.token_hex(4)}"
    _support(Storefront(shop.gateway, name=name), known)
    [entry] = house.entries(principal=f"key/{name}")
    assert "configured.loyaltyCard" in entry["decidedOn"]["fields"]
    assert CARD not in str(house.entries())


def test_every_change_is_a_version_and_null_clears(
    known: Person, shop: Storefront, house: House
) -> None:
    """T-6.1.2-a"""
    shop.store(known.subject_id, Data(configured={"loyaltyCard": "KZ-9"}), new_uuid())
    assert _support(shop, known) == {"loyaltyCard": "KZ-9"}
    cleared = FieldMask(paths=["configured.loyaltyCard"])
    assert shop.store(known.subject_id, Data(), new_uuid(), update_mask=cleared).version == 4
    assert _support(shop, known) == {}
    assert _added(shop.read(known.subject_id)) == {"birthDate": BORN}
    former = house.rows(
        "SELECT version, end_version FROM data_history WHERE subject_id=%s ORDER BY version",
        known.subject_id,
    )
    assert former == [(2, 3), (3, 4)]


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"shoeSize": "43"}, "data.configured.shoeSize"),
        ({"birthDate": "30.02.1990"}, "data.configured.birthDate"),
        ({"loyaltyCard": "KZ 1"}, "data.configured.loyaltyCard"),
        ({"Иванов": "x"}, "data.configured.?"),
    ],
)
def test_what_is_not_listed_or_not_in_its_form_is_refused_by_name(
    known: Person, shop: Storefront, given: dict[str, str], named: str
) -> None:
    """T-3.2-a"""
    with pytest.raises(Refused) as refused:
        shop.store(known.subject_id, Data(given_name="Әсел", configured=given), new_uuid())
    assert refused.value.reason == "INVALID_ARGUMENT"
    assert _named(refused.value) == [named]
    assert shop.standing(known.subject_id).data_version == 2


def test_another_site_has_its_own_list(vault: VaultProcess, shop: Storefront) -> None:
    """T-2.3-a"""
    other = Storefront(shop.gateway, site="elsewhere")
    person = Person(vault, "elsewhere")
    assert person.accepts() == "APPLIED"
    other.store(person.subject_id, Data(configured={"loyaltyCard": CARD}), new_uuid())
    with pytest.raises(Refused) as refused:
        other.store(person.subject_id, Data(configured={"birthDate": BORN}), new_uuid())
    assert _named(refused.value) == ["data.configured.birthDate"]


def test_a_batch_stores_it_too(vault: VaultProcess, shop: Storefront) -> None:
    people = [settled(vault, shop) for _ in range(2)]
    items = [
        storing_pb2.StoreItem(
            subject_id=p.subject_id, data=Data(configured={"loyaltyCard": f"B-{n}"})
        )
        for n, p in enumerate(people)
    ]
    request = storing_pb2.BatchStoreDataRequest(items=items, request_id=new_uuid())
    assert [o.stored.version for o in shop.call(request).outcomes] == [2, 2]
    assert [_support(shop, p) for p in people] == [{"loyaltyCard": f"B-{n}"} for n in range(2)]
    items[0].data.configured["shoeSize"] = "43"
    wrong = storing_pb2.BatchStoreDataRequest(items=items, request_id=new_uuid())
    with pytest.raises(Refused) as refused:
        shop.call(wrong)
    assert _named(refused.value) == ["items[0].data.configured.shoeSize"]


def test_a_block_holds_it_and_its_verification_corrects_it(
    known: Person, vault: VaultProcess, shop: Storefront
) -> None:
    """T-6.2.3-e"""
    claim = known.is_blocked()
    with pytest.raises(Refused) as refused:
        shop.store(known.subject_id, Data(configured={"loyaltyCard": "X"}), new_uuid())
    assert refused.value.reason == "SUBJECT_BLOCKED"
    officer = (("authorization", f"Bearer {vault.house.premises.token()}"),)
    read = vault_pb2.ReadForVerificationRequest(claim_id=claim, subject_id=known.subject_id)
    seen = vault.as_process("gateway").call(read, officer)
    assert dict(seen.data.configured) == {"loyaltyCard": CARD, "birthDate": BORN}
    correction = vault_pb2.StageCorrectionRequest(
        site_id=known.site,
        subject_id=known.subject_id,
        claim_id=claim,
        correction_id=new_uuid(),
        data=Data(configured={"birthDate": "1991-03-01"}),
    )
    vault.as_process("claims").call(correction)
    known.outcome(claim, "INACCURATE_CONFIRMED", correction.correction_id)
    assert _added(shop.read(known.subject_id)) == {"birthDate": "1991-03-01"}


@pytest.mark.parametrize("kind", ["COURIER", "POSTAL", "TELECOM"])
def test_no_recipient_gets_it(known: Person, vault: VaultProcess, kind: str) -> None:
    """T-5.2-a"""
    delivery = known.orders_goods("A-1", kind)
    [outcome] = release(vault, delivery.item())
    assert problem_of(outcome) == "OK"
    assert not outcome.read.data.configured
    assert not [name for name in outcome.read.fields if name.startswith("configured")]


def test_the_list_is_shown_with_labels_and_purposes(shop: Storefront) -> None:
    """T-3.2.4-a"""
    found = shop.call(fields_pb2.ListDataFieldsRequest()).fields
    names = [each.name for each in found]
    assert names[:6] == ["familyName", "givenName", "patronymic", "phone", "email", "address"]
    assert names[-2:] == ["configured.birthDate", "configured.loyaltyCard"]
    card = found[-1]
    assert {each.language: each.text for each in card.labels}["kk"] == "Адалдық картасы"
    purposes = {subject_pb2.Purpose.Code.Name(each) for each in card.purposes}
    assert purposes == {"SUPPORT", "NEWS", "VERIFY_DATA"}
    assert (card.form, card.max_length, card.policy_version) == (fields_pb2.DataField.CODE, 20, 2)
    elsewhere = Storefront(shop.gateway, site="elsewhere")
    first = elsewhere.call(fields_pb2.ListDataFieldsRequest(page_size=13))
    rest = elsewhere.call(
        fields_pb2.ListDataFieldsRequest(page_size=13, page_token=first.next_page_token)
    )
    assert [each.name for each in rest.fields] == ["configured.loyaltyCard"]


def test_what_was_taken_off_the_list_is_kept_and_read_for_nothing(
    own_house: House, tmp_path: Path
) -> None:
    """T-3.2.4-a"""
    path = tmp_path / "fields.toml"
    path.write_text(LISTED, "utf-8")
    vault = own_house.start(fields=path)
    own_house.open(vault)
    shop = Storefront(vault.as_process("gateway"))
    person = settled(vault, shop)
    placed = Data(configured={"loyaltyCard": CARD, "birthDate": BORN})
    shop.store(person.subject_id, placed, new_uuid())
    vault.stop()
    path.write_text(GONE, "utf-8")
    vault = own_house.start(fields=path)
    own_house.open(vault)
    shop = Storefront(vault.as_process("gateway"))
    assert _support(shop, person) == {}
    assert _added(shop.read(person.subject_id)) == {"birthDate": BORN}
    with pytest.raises(Refused):
        shop.store(person.subject_id, Data(configured={"loyaltyCard": "X"}), new_uuid())
    shop.store(person.subject_id, Data(given_name="Әсел"), new_uuid())
    held = "SELECT version FROM data WHERE subject_id=%s AND field='configured.loyaltyCard'"
    assert own_house.rows(held, person.subject_id) == [(2,)]


def test_a_list_that_is_wrong_stops_the_start(own_house: House, tmp_path: Path) -> None:
    """T-3.2.4-a"""
    path = tmp_path / "fields.toml"
    path.write_text(LISTED.replace("loyaltyCard", "other"), "utf-8")
    vault = own_house.spawn(fields=path)
    assert vault.exit_code() not in (0, None)
    assert "there is no datum OTHER" in vault.output

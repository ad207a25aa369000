# SPDX-License-Identifier: Apache-2.0
"""A ciphertext opens in its own place only (invariant I10, threat T13)."""

from collections.abc import Callable

import pytest

from qupia.subject.v1 import subject_pb2
from qupia.vault.v1 import vault_pb2
from tests.harness.contacts import new_phone
from tests.vault.person import Person, new_data, problem_of, release, settled
from tests.vault.vault_process import House, VaultProcess
from tests.vault.wire_client import Refused, Storefront, read_request, reason_of

_COPY = (
    "UPDATE data SET ciphertext = theirs.ciphertext, version = theirs.version FROM data theirs"
    " WHERE data.site_id = %s AND data.subject_id = %s AND data.field = %s"
    " AND theirs.site_id = %s AND theirs.subject_id = %s AND theirs.field = %s"
)


def _copy(house: House, to: Person, field: str, source: Person, source_field: str) -> None:
    with house.owner() as owner:
        done = owner.execute(
            _COPY, (to.site, to.subject_id, field, source.site, source.subject_id, source_field)
        )
        assert done.rowcount == 1


def _from_a_neighbour(house: House, person: Person, neighbour: Person) -> None:
    _copy(house, person, "phone", neighbour, "phone")


def _from_another_field(house: House, person: Person, _: Person) -> None:
    _copy(house, person, "phone", person, "email")


def _from_before(house: House, person: Person, _: Person) -> None:
    _rewrite(
        house,
        person,
        "ciphertext = (SELECT ciphertext FROM data_history h WHERE"
        " h.subject_id = data.subject_id AND h.field = 'phone')",
    )


def _as_another_version(house: House, person: Person, _: Person) -> None:
    _rewrite(house, person, "version = 1")


def _flipped(house: House, person: Person, _: Person) -> None:
    _rewrite(house, person, "ciphertext = set_byte(ciphertext, 20, 255 - get_byte(ciphertext, 20))")


def _cut(house: House, person: Person, _: Person) -> None:
    _rewrite(house, person, "ciphertext = substr(ciphertext, 1, 10)")


def _empty(house: House, person: Person, _: Person) -> None:
    _rewrite(house, person, "ciphertext = ''")


def _with_the_neighbours_key(house: House, person: Person, neighbour: Person) -> None:
    """The whole row and the key go with it: the key's own name tells."""
    _copy(house, person, "phone", neighbour, "phone")
    with house.owner(key_store=True) as owner:
        owner.execute(
            "UPDATE data_keys SET wrapped = theirs.wrapped FROM data_keys theirs"
            " WHERE data_keys.owner_id = %s AND theirs.owner_id = %s",
            (person.subject_id, neighbour.subject_id),
        )


def _without_a_key(house: House, person: Person, _: Person) -> None:
    with house.owner(key_store=True) as owner:
        owner.execute("DELETE FROM data_keys WHERE owner_id = %s", (person.subject_id,))


def _rewrite(house: House, person: Person, change: str) -> None:
    with house.owner() as owner:
        done = owner.execute(
            f"UPDATE data SET {change} WHERE subject_id = %s AND field = 'phone'",
            (person.subject_id,),
        )
        assert done.rowcount == 1


@pytest.mark.parametrize(
    "misplace",
    [
        _from_a_neighbour,
        _from_another_field,
        _from_before,
        _as_another_version,
        _flipped,
        _cut,
        _empty,
        _without_a_key,
    ],
)
def test_a_misplaced_ciphertext_is_data_loss_and_an_alarm_and_never_data(
    vault: VaultProcess,
    shop: Storefront,
    house: House,
    people: Callable[[int], list[Person]],
    misplace: Callable[[House, Person, Person], None],
) -> None:
    person, neighbour = people(2)
    other_phone = subject_pb2.PersonalData(phone=new_phone())
    shop.store(person.subject_id, other_phone, f"second-{person.subject_id}")
    delivery = person.orders_goods()
    misplace(house, person, neighbour)
    alarms = vault.metric("qupia_alarms_total", kind="ciphertext_misplaced")
    with pytest.raises(Refused, match="DATA_LOSS") as caught:
        shop.read(person.subject_id)
    assert not any(canary.encode() in caught.value.details for canary in person.canaries)
    outcomes = shop.batch(read_request(person.subject_id), read_request(neighbour.subject_id))
    assert [reason_of(o) for o in outcomes] == ["DATA_LOSS", "OK"]
    assert [problem_of(o) for o in release(vault, delivery.item())] == ["DATA_LOSS"]
    assert vault.metric("qupia_alarms_total", kind="ciphertext_misplaced") >= alarms + 3
    with pytest.raises(Refused, match="DATA_LOSS"):
        shop.store(person.subject_id, other_phone, f"third-{person.subject_id}")
    if misplace is not _without_a_key:
        # What does not touch the damaged datum is still served.
        assert shop.read(person.subject_id, fields=["email"]).data.email


def test_a_key_that_was_moved_to_another_person_opens_nothing(
    vault: VaultProcess, shop: Storefront, house: House, people: Callable[[int], list[Person]]
) -> None:
    person, neighbour = people(2)
    alarms = vault.metric("qupia_alarms_total", kind="ciphertext_misplaced")
    _with_the_neighbours_key(house, person, neighbour)
    assert shop.why_not(person.subject_id) == "DATA_LOSS"
    assert vault.metric("qupia_alarms_total", kind="ciphertext_misplaced") == alarms + 1
    with pytest.raises(Refused, match="DATA_LOSS"):
        shop.store(person.subject_id, new_data(), f"moved-{person.subject_id}")
    assert shop.why_not(neighbour.subject_id) == "OK"


def test_a_ciphertext_does_not_open_on_another_site(
    vault: VaultProcess, shop: Storefront, house: House
) -> None:
    elsewhere = Storefront(shop.gateway, site="other")
    person = settled(vault, shop)
    # The same id on both sites, row and key alike.
    twin = Person(vault, "other", person.subject_id)
    assert twin.accepts() == "APPLIED"
    elsewhere.store(twin.subject_id, new_data(), "twin")
    _copy(house, twin, "phone", person, "phone")
    assert elsewhere.why_not(twin.subject_id) == "DATA_LOSS"
    assert shop.why_not(person.subject_id) == "OK"


def test_a_database_thief_finds_no_datum_in_the_tables(
    vault: VaultProcess, shop: Storefront, house: House
) -> None:
    person = settled(vault, shop)
    for key_store in (False, True):
        tables = house.rows(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public'", key_store=key_store
        )
        for (table,) in tables:
            text = str(house.rows(f"SELECT t::text FROM {table} t", key_store=key_store))
            for canary in person.canaries:
                assert canary not in text
                assert canary.encode().hex() not in text


def test_the_verifier_too_gets_no_damaged_datum(
    vault: VaultProcess, person: Person, house: House
) -> None:
    claim = person.is_blocked()
    _flipped(house, person, person)
    officer = (("authorization", f"Bearer {house.premises.token()}"),)
    request = vault_pb2.ReadForVerificationRequest(subject_id=person.subject_id, claim_id=claim)
    with pytest.raises(Refused, match="DATA_LOSS"):
        vault.as_process("gateway").call(request, officer)

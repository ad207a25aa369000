# SPDX-License-Identifier: Apache-2.0
"""What a recipient sees without personal data, and the person's own ledger (6.2.2)."""

import pytest

from qupia.disclosure.v1 import disclosure_pb2 as d
from services.chassis.identity import Principal
from services.chassis.refusal import Unavailable
from tests.disclosure.house import (
    NOBODY,
    OTHER_SITE,
    OTHER_SUBJECT,
    SITE,
    STOREFRONT,
    SUBJECT,
    House,
    release,
    storefront,
)

AUDITOR = Principal("person/https://id.example#a", SITE, frozenset({"AUDITOR"}))


def test_a_recipient_sees_its_own_live_deliveries_only(house: House) -> None:
    mine, other = house.recipient(), house.recipient(number=1)
    delivery_id = house.delivery(mine, "A-1")
    house.delivery(other, "A-2")
    house.delivery(mine, "A-3")
    house.call(STOREFRONT, d.CloseOrderRequest(order_id="A-3"))
    (found,) = house.call(mine, d.ListDeliveriesRequest()).deliveries
    assert (found.delivery_id, found.order_id) == (delivery_id, "A-1")
    assert {f.name for f, _ in found.ListFields()} == {
        "delivery_id",
        "order_id",
        "recipient_id",
        "recipient_kind",
        "state",
        "assign_time",
        "fetch_limit",
    }


def test_deliveries_are_listed_page_by_page(house: House) -> None:
    mine, other = house.recipient(), house.recipient(number=1)
    ids = [house.delivery(mine, f"A-{number}") for number in range(5)]
    found: list[str] = []
    token = ""
    for size in (2, 2, 1):
        page = house.call(mine, d.ListDeliveriesRequest(page_size=2, page_token=token))
        assert len(page.deliveries) == size
        found += [x.delivery_id for x in page.deliveries]
        if size == 2:
            token = page.next_page_token
            stolen = d.ListDeliveriesRequest(page_token=token)
            assert house.refused(other, stolen) == "INVALID_ARGUMENT"
    assert found == ids


def test_the_ledger_is_listed_newest_first_page_by_page(house: House) -> None:
    recipient = house.recipient()
    delivery_id = house.delivery(recipient)
    released = []
    for _ in range(5):
        # Two lines of the same instant: the place of a page names both time and id.
        released.append(house.call(recipient, release(delivery_id)).release_id)
        released.append(house.call(recipient, release(delivery_id)).release_id)
        house.pass_time(0.000_001)
    found: list[str] = []
    token = ""
    while True:
        request = d.ListDisclosuresRequest(subject_id=SUBJECT, page_size=3, page_token=token)
        page = house.call(STOREFRONT, request)
        found += [line.disclosure_id for line in page.disclosures]
        token = page.next_page_token
        if not token:
            break
    assert found == released[::-1]


def test_the_ledger_of_an_unknown_another_sites_and_a_new_subject_look_the_same(
    house: House,
) -> None:
    recipient = house.recipient()
    house.call(recipient, release(house.delivery(recipient)))
    shop = storefront(OTHER_SITE)
    answers = [
        house.call(shop, d.ListDisclosuresRequest(subject_id=subject_id)).SerializeToString()
        for subject_id in (SUBJECT, OTHER_SUBJECT, NOBODY)
    ]
    assert answers == [b"", b"", b""]
    assert len(house.ledger()) == 1


def test_who_looks_into_a_ledger_is_in_evidence(house: House) -> None:
    house.order()
    assert house.ledger(principal=AUDITOR) == []
    (entry,) = house.rows("SELECT * FROM evidence_entries WHERE event = 'disclosures.listed'")
    assert AUDITOR.name in entry.body
    assert entry.subject
    assert SUBJECT not in entry.body


def test_no_evidence_row_can_be_changed_by_the_service(house: House) -> None:
    recipient = house.recipient()
    house.call(recipient, release(house.delivery(recipient)))
    for statement in (
        "UPDATE disclosures SET clause = ''",
        "DELETE FROM disclosures",
        "DELETE FROM evidence_entries",
    ):
        with pytest.raises(Unavailable):
            house.rows(statement)

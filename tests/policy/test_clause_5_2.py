# SPDX-License-Identifier: Apache-2.0
"""Clause 5.2: couriers, post and telecom get what their order needs, and only for it."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

import pytest

from cli.conversation import Answered
from services.chassis.ids import new_uuid
from tests.harness.waiting import LEADS, sleep_past
from tests.policy.person import ADDRESS, DATA, FULL_NAME, Person, is_refused, release
from tests.policy.records import Records
from tests.policy.site import Site

PARCEL = {"name": FULL_NAME, "address": ADDRESS}
DETAILS: Mapping[str, Mapping[str, object]] = {"courier": PARCEL, "post": PARCEL, "telecom": {}}


@pytest.mark.parametrize("recipient", DETAILS)
def test_a_recipient_of_an_open_order_gets_the_fields_of_its_kind(
    person: Person, recipient: str
) -> None:
    """T-5.2-a"""
    order_id = person.ordered()
    released = release(person.site, person.assigned(recipient, order_id), recipient)
    assert released.status == 200
    assert released.json["details"] == {
        "orderId": order_id,
        "phone": person.own["phone"],
        **DETAILS[recipient],
    }


@pytest.mark.parametrize("recipient", DETAILS)
def test_a_release_stands_in_the_books_of_broker_and_vault(
    person: Person, records: Records, recipient: str
) -> None:
    """T-5.2-a"""
    released = release(person.site, person.assigned(recipient), recipient).json
    [line] = person.disclosures()
    assert (line["disclosureId"], line["outcome"]) == (released["releaseId"], "RELEASED")
    [broker] = records.entries("disclosure", person, "delivery.released")
    [vault] = records.entries("vault", person, "data.read_for_release")
    assert broker["refs"]["release_id"] == released["releaseId"]
    assert broker["refs"]["entry_id"] == vault["entryId"]
    assert vault["decidedOn"]["fields"] == sorted(line["fields"])


@pytest.mark.parametrize("book", ["disclosure", "vault"])
def test_no_byte_leaves_before_the_release_is_recorded(
    person: Person, records: Records, book: str
) -> None:
    """T-5.2-a"""
    delivery_id = person.assigned()
    with records.unwritable(book, "evidence_entries", delivery_id):
        refused = release(person.site, delivery_id)
        assert is_refused(refused, 503, "UNAVAILABLE")
        text = refused.content.decode()
        assert not [told for told in (FULL_NAME, person.own["phone"], "Алматы") if told in text]
    assert person.disclosures() == []
    assert release(person.site, delivery_id).status == 200


# -- T-5.2-b: whoever has no open order of their own ------------------------------------------


def _of_another_recipient(person: Person) -> Answered:
    return release(person.site, person.assigned("courier"), "otherCourier")


def _of_another_kind(person: Person) -> Answered:
    return release(person.site, person.assigned("post"), "courier")


def _of_an_order_that_was(closing: str) -> Callable[[Person], Answered]:
    def asked(person: Person) -> Answered:
        order_id = person.ordered()
        delivery_id = person.assigned("courier", order_id)
        path = f"/v1/orders/{order_id}:close"
        person.site.good("storefront", "POST", path, {"closing": closing})
        return release(person.site, delivery_id)

    return asked


def _after_another_took_its_place(person: Person) -> Answered:
    order_id = person.ordered()
    delivery_id = person.assigned("courier", order_id)
    assert release(person.site, person.assigned("otherCourier", order_id), "otherCourier").json
    return release(person.site, delivery_id)


def _after_the_assignment_expired(person: Person) -> Answered:
    path, courier = f"/v1/orders/{person.ordered()}:assign", person.site.recipients["courier"]

    def assigned(lead: timedelta) -> tuple[Answered, datetime]:
        end = datetime.now(UTC) + lead
        body = {"recipientId": courier, "expireTime": end.isoformat()}
        return person.site.ask("storefront", "POST", path, body), end

    made, end = next(each for each in map(assigned, LEADS) if each[0].status == 200)
    sleep_past(end)
    return release(person.site, made.json["delivery"]["deliveryId"])


def _by_somebody_unregistered(person: Person) -> Answered:
    return release(person.site, person.assigned(), person.site.stranger())


REFUSALS: Mapping[str, tuple[Callable[[Person], Answered], str, str]] = {
    "another recipient's": (_of_another_recipient, "ORDER_RECIPIENT_MISMATCH", "5.2"),
    "another kind's": (_of_another_kind, "ORDER_RECIPIENT_MISMATCH", "5.2"),
    "delivered": (_of_an_order_that_was("DELIVERED"), "NO_ACTIVE_ORDER", "5.2"),
    "cancelled": (_of_an_order_that_was("CANCELLED"), "NO_ACTIVE_ORDER", "5.2"),
    "given to another": (_after_another_took_its_place, "ORDER_RECIPIENT_MISMATCH", "5.2"),
    "expired": (_after_the_assignment_expired, "ORDER_RECIPIENT_MISMATCH", "5.2"),
    "an outsider's": (_by_somebody_unregistered, "RECIPIENT_NOT_PERMITTED", "6.2.2"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_whoever_has_no_open_order_of_their_own_is_refused_and_recorded(
    person: Person, records: Records, case: str
) -> None:
    """T-5.2-b"""
    asked, reason, clause = REFUSALS[case]
    assert is_refused(asked(person), 404, "NOT_AVAILABLE")
    line = person.disclosures()[0]
    assert (line["outcome"], line["reason"], line["clause"]) == ("REFUSED", reason, clause)
    refusals = records.refusals("disclosure", person, "delivery.released")
    assert refusals == [(reason, clause)]


def test_a_delivery_that_never_was_is_refused_and_recorded(
    own_site: Site, records: Records
) -> None:
    """T-5.2-b"""
    own_site.person(DATA).assigned()
    assert is_refused(release(own_site, new_uuid()), 404, "NOT_AVAILABLE")
    [entry] = records.of_site("disclosure", own_site.site_id, "delivery.released")
    assert (entry["outcome"], entry["reason"]) == ("REFUSED", "NOT_FOUND")


def test_a_suspended_recipient_loses_its_next_release(own_site: Site) -> None:
    """T-5.2-b"""
    person = own_site.person(DATA)
    delivery_id = person.assigned()
    path = f"/v1/recipients/{own_site.recipients['courier']}:suspend"
    own_site.good("privacyOfficer", "POST", path, {})
    assert is_refused(release(own_site, delivery_id), 404, "NOT_AVAILABLE")
    assert person.disclosures()[0]["reason"] == "RECIPIENT_NOT_PERMITTED"


@pytest.mark.parametrize("kind", ["BANK", "PARTNER", "STATE_BODY", "KIND_UNSPECIFIED", ""])
def test_a_recipient_of_any_other_kind_cannot_even_be_registered(site: Site, kind: str) -> None:
    """T-5.2-b"""
    body = {"legalName": "АО «Банк»", "bin": "181140010008", "agreement": "Д-1", "kind": kind}
    refused = site.ask("privacyOfficer", "POST", "/v1/recipients", {"recipient": body})
    assert (refused.status, refused.code) == (400, "INVALID_ARGUMENT")
    assert refused.fields == ("recipient.kind",)


# -- T-5.2-c ----------------------------------------------------------------------------------


def test_of_a_blocked_person_a_partner_gets_nothing_and_no_reason(
    person: Person, records: Records
) -> None:
    """T-5.2-c"""
    delivery_id = person.assigned()
    assert release(person.site, delivery_id).status == 200
    person.claimed()
    blocked = release(person.site, delivery_id)
    assert is_refused(blocked, 404, "NOT_AVAILABLE")
    unknown = release(person.site, new_uuid())
    assert blocked.content_but_reference == unknown.content_but_reference
    assert set(blocked.headers) == set(unknown.headers)
    assert person.disclosures()[0]["reason"] == "SUBJECT_BLOCKED"
    refusals = records.refusals("disclosure", person, "delivery.released")
    assert refusals == [("SUBJECT_BLOCKED", "6.2.3")]

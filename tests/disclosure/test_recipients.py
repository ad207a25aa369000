# SPDX-License-Identifier: Apache-2.0
"""Who may receive (clauses 5.2, 6.2.2): a closed list, let in by two people."""

import pytest

from qupia.disclosure.v1 import disclosure_pb2 as d
from services.chassis.refusal import InvalidArgument
from tests.disclosure.house import (
    OTHER_SITE,
    SITE,
    STOREFRONT,
    House,
    courier,
    officer,
    registration,
    release,
    storefront,
)

ONE, TWO = officer("one"), officer("two")


def _registered(house: House) -> str:
    answer = house.call(ONE, d.RegisterRecipientRequest(recipient=registration()))
    return str(answer.recipient.recipient_id)


def test_a_recipient_is_registered_by_one_person_and_activated_by_another(house: House) -> None:
    answer = house.call(ONE, d.RegisterRecipientRequest(recipient=registration("POSTAL", 1)))
    assert answer.recipient.state == d.Recipient.REGISTERED
    request = d.ActivateRecipientRequest(recipient_id=answer.recipient.recipient_id)
    assert house.refused(ONE, request) == "AWAITING_SECOND_APPROVAL"
    activated = house.call(TWO, request).recipient
    assert activated.state == d.Recipient.ACTIVE
    assert (activated.kind, activated.legal_name) == (d.Recipient.POSTAL, "Жеткізу 1")


def test_the_same_key_registers_one_recipient(house: House) -> None:
    request = d.RegisterRecipientRequest(recipient=registration(), request_id="k1")
    first, second = house.call(ONE, request), house.call(ONE, request)
    assert first == second
    assert len(house.rows("SELECT 1 FROM recipients")) == 1
    request.recipient.legal_name = "Басқа"
    assert house.refused(ONE, request) == "IDEMPOTENCY_KEY_REUSED"


@pytest.mark.parametrize(
    ("field", "value", "path"),
    [
        ("bin", "971240001316", "recipient.bin"),
        ("bin", "ABC", "recipient.bin"),
        ("legal_name", "  ", "recipient.legalName"),
        ("agreement", " ", "recipient.agreement"),
        ("kind", 0, "recipient.kind"),
        ("kind", 4, "recipient.kind"),
    ],
)
def test_what_is_no_recipient_of_clause_5_2_cannot_be_registered(
    house: House, field: str, value: object, path: str
) -> None:
    asked = registration()
    setattr(asked, field, value)
    with pytest.raises(InvalidArgument) as refused:
        house.call(ONE, d.RegisterRecipientRequest(recipient=asked))
    assert [fault.field for fault in refused.value.fields] == [path]
    assert house.rows("SELECT 1 FROM recipients") == []


def test_no_key_registers_a_recipient(house: House) -> None:
    request = d.RegisterRecipientRequest(recipient=registration())
    assert house.refused(STOREFRONT, request) == "PERMISSION_DENIED"


def test_another_sites_recipient_is_absent(house: House) -> None:
    recipient_id = _registered(house)
    elsewhere = officer("two", OTHER_SITE)
    for request in (
        d.ActivateRecipientRequest(recipient_id=recipient_id),
        d.SuspendRecipientRequest(recipient_id=recipient_id),
    ):
        assert house.refused(elsewhere, request) == "NOT_FOUND"
    assert not house.call(elsewhere, d.ListRecipientsRequest()).recipients


def test_suspension_stops_the_next_release(house: House) -> None:
    recipient = house.recipient()
    delivery_id = house.delivery(recipient)
    house.call(recipient, release(delivery_id))
    request = d.SuspendRecipientRequest(recipient_id=recipient.recipient_id)
    assert house.call(ONE, request).recipient.state == d.Recipient.SUSPENDED
    assert house.refused(recipient, release(delivery_id)) == "NOT_AVAILABLE"
    assert house.ledger()[0].reason == 34  # RECIPIENT_NOT_PERMITTED
    assert house.ledger()[0].clause == "6.2.2"
    assert not house.call(recipient, d.ListDeliveriesRequest()).deliveries


def test_a_suspended_recipient_comes_back_by_another_person_only(house: House) -> None:
    recipient = house.recipient()
    house.call(ONE, d.SuspendRecipientRequest(recipient_id=recipient.recipient_id))
    request = d.ActivateRecipientRequest(recipient_id=recipient.recipient_id)
    assert house.refused(ONE, request) == "AWAITING_SECOND_APPROVAL"
    assert house.call(TWO, request).recipient.state == d.Recipient.ACTIVE
    again = d.ActivateRecipientRequest(recipient_id=recipient.recipient_id)
    assert house.refused(TWO, again) == "STATE_CONFLICT"


def test_recipients_are_listed_page_by_page(house: House) -> None:
    ids = [house.recipient(number=number).recipient_id for number in range(5)]
    found: list[str] = []
    token = ""
    for size in (2, 2, 1):
        page = house.call(ONE, d.ListRecipientsRequest(page_size=2, page_token=token))
        assert len(page.recipients) == size
        found += [r.recipient_id for r in page.recipients]
        token = page.next_page_token
    assert (found, token) == (ids, "")
    assert house.refused(ONE, d.ListRecipientsRequest(page_token="A" * 40)) == "INVALID_ARGUMENT"
    assert house.refused(ONE, d.ListRecipientsRequest(page_size=101)) == "INVALID_ARGUMENT"


def test_every_act_on_a_recipient_is_in_evidence(house: House) -> None:
    recipient = house.recipient()
    house.call(ONE, d.SuspendRecipientRequest(recipient_id=recipient.recipient_id))
    events = house.rows("SELECT event FROM evidence_entries ORDER BY entry_id")
    assert [row.event for row in events] == [
        "recipient.registered",
        "recipient.activated",
        "recipient.suspended",
    ]


def test_a_credential_of_no_recipient_gets_nothing(house: House) -> None:
    delivery_id = house.delivery(house.recipient())
    assert house.refused(courier(""), d.ListDeliveriesRequest()) == "PERMISSION_DENIED"
    assert house.refused(courier(""), release(delivery_id)) == "PERMISSION_DENIED"
    assert house.refused(storefront(SITE), release(delivery_id)) == "PERMISSION_DENIED"

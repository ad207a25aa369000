# SPDX-License-Identifier: Apache-2.0
"""Who may receive (clauses 5.2, 6.2.2): a closed list, let in by two people."""

from dataclasses import replace

import pytest

from qupia.disclosure.v1 import disclosure_pb2 as d
from qupia.disclosure.v1 import recipients_pb2 as r
from services.chassis.refusal import InvalidArgument, Refusal
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


def _renewed(house: House, recipient_id: str, person: str, **terms: str) -> d.Recipient:
    asked = r.RenewRecipientRequest(recipient_id=recipient_id, terms=d.Terms(**terms))
    renewed: d.Recipient = house.call(officer(person), asked).recipient
    return renewed


def test_the_lapse_of_the_agreement_stops_the_next_release(house: House) -> None:
    """T-5.2-b"""
    asked = registration()
    asked.begin_date, asked.end_date = "2026-11-01", "2026-11-23"
    added = house.call(officer("one"), d.RegisterRecipientRequest(recipient=asked)).recipient
    house.call(officer("two"), d.ActivateRecipientRequest(recipient_id=added.recipient_id))
    mine = courier(added.recipient_id)
    delivery_id = house.delivery(mine)
    assert house.call(mine, release(delivery_id)).details.phone
    house.pass_time(11 * 3600)
    assert house.refused(mine, release(delivery_id)) == "NOT_AVAILABLE"
    assert house.ledger()[0].rule == "agreement-lapsed"
    house.order("A-2")
    again = d.AssignOrderRequest(order_id="A-2", recipient_id=mine.recipient_id)
    assert house.refused(STOREFRONT, again) == "RECIPIENT_NOT_PERMITTED"


def test_new_terms_come_into_force_by_a_second_person(house: House) -> None:
    mine = house.recipient()
    renewed = _renewed(
        house, mine.recipient_id, "one", agreement="Agreement 8", end_date="2027-12-31"
    )
    assert (renewed.agreement, renewed.renewal.agreement) == ("Agreement 7 of 2026", "Agreement 8")
    activate = d.ActivateRecipientRequest(recipient_id=mine.recipient_id)
    assert house.refused(officer("one"), activate) == "AWAITING_SECOND_APPROVAL"
    known = house.call(officer("two"), activate).recipient
    assert (known.agreement, known.end_date) == ("Agreement 8", "2027-12-31")
    assert not known.HasField("renewal")
    assert house.refused(officer("two"), activate) == "STATE_CONFLICT"


def test_terms_of_another_let_nobody_in_whom_one_registered(house: House) -> None:
    """T-6.2.2-a"""
    recipient_id = _registered(house)
    _renewed(house, recipient_id, "two", agreement="Agreement 8")
    activate = d.ActivateRecipientRequest(recipient_id=recipient_id)
    for person in ("one", "two"):
        assert house.refused(officer(person), activate) == "AWAITING_SECOND_APPROVAL"
    assert house.call(officer("three"), activate).recipient.state == d.Recipient.ACTIVE


def test_keys_bound_to_a_certificate_open_nothing_over_another_connection(house: House) -> None:
    mine = house.recipient()
    delivery_id = house.delivery(mine)
    _renewed(house, mine.recipient_id, "one", agreement="A", certificate_sha256="a" * 64)
    house.call(officer("two"), d.ActivateRecipientRequest(recipient_id=mine.recipient_id))
    assert house.refused(mine, release(delivery_id)) == "NOT_AVAILABLE"
    assert house.ledger()[0].rule == "certificate-another"
    certified = replace(mine, certificate_sha256="a" * 64)
    assert house.call(certified, release(delivery_id)).details.phone


@pytest.mark.parametrize(
    ("terms", "field"),
    [
        ({"agreement": " "}, "terms.agreement"),
        ({"agreement": "A", "begin_date": "2026-13-01"}, "terms.beginDate"),
        ({"agreement": "A", "begin_date": "2026-12-02", "end_date": "2026-12-01"}, "terms.endDate"),
        ({"agreement": "A", "contact": "ask Aigul"}, "terms.contact"),
        ({"agreement": "A", "certificate_sha256": "AB"}, "terms.certificateSha256"),
    ],
)
def test_terms_that_are_none_are_refused_by_their_field(
    house: House, terms: dict[str, str], field: str
) -> None:
    mine = house.recipient()
    with pytest.raises(Refusal) as refused:
        _renewed(house, mine.recipient_id, "one", **terms)
    assert [f.field for f in refused.value.fields] == [field]


def test_a_recipient_fetches_as_often_as_it_may_and_repeats_do_not_count(house: House) -> None:
    mine = house.recipient()
    house.order()
    asked = d.AssignOrderRequest(order_id="A-1001", recipient_id=mine.recipient_id, fetch_limit=2)
    delivery_id = house.call(STOREFRONT, asked).delivery.delivery_id
    for _ in range(2):
        for _ in range(3):
            assert house.call(mine, release(delivery_id)).details.phone
        house.pass_time(601)
    assert house.refused(mine, release(delivery_id)) == "NOT_AVAILABLE"
    line = house.ledger()[0]
    assert (line.rule, line.clause) == ("fetches-used-up", "5.2")
    order = house.call(STOREFRONT, d.GetOrderRequest(order_id="A-1001"))
    assert [(x.fetch_limit, x.fetches) for x in order.deliveries] == [(2, 2)]
    for wrong in (0, -1, 1001):
        asked.fetch_limit = wrong
        assert house.refused(STOREFRONT, asked) == "INVALID_ARGUMENT"


def test_an_order_keeps_the_policy_version_it_was_placed_under(house: House) -> None:
    house.vault.down = True
    assert house.order().order.policy_version == 0
    house.vault.down = False
    house.push()
    order = house.call(STOREFRONT, d.GetOrderRequest(order_id="A-1001")).order
    assert order.policy_version == 3

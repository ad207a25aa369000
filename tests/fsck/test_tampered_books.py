# SPDX-License-Identifier: Apache-2.0
"""Policies, histories, claims and orders, tampered with one thing at a time."""

import pytest

from tests.fsck.books import Books
from tests.fsck.tampering import Case, name_of, require_named

# Each case copies a database; data and standing are tampered with in every run.
pytestmark = pytest.mark.deep

_ORDERED = (
    "SELECT max(d.subject_id) FROM deliveries d JOIN orders o"
    " USING (site_id, registration_id)"
    " WHERE o.state = 'OPEN' AND d.ended_time IS NULL"
)
_NEWS = "SELECT subject_id FROM consents WHERE slot = 'standing' AND withdraw_time IS NULL"

BOOKS = [
    Case(
        "a policy's text was altered",
        "consent",
        "UPDATE policy_texts SET body = body || ' ' WHERE site_id = 'demo' AND version = 1",
        "policies",
        "consent.policies",
        "SELECT 1",
    ),
    Case(
        "a policy's texts were deleted",
        "consent",
        "DELETE FROM policy_texts WHERE site_id = 'demo' AND version = 2",
        "policies",
        "consent.policies",
        "SELECT 2",
    ),
    Case(
        "a policy version was deleted",
        "consent",
        "DELETE FROM policies WHERE site_id = 'demo' AND version = 1",
        "policies",
        "consent.policies",
        "SELECT 2",
    ),
    Case(
        "a policy takes effect earlier than the one before",
        "consent",
        "UPDATE policies SET effective_time = publish_time - interval '1 year'"
        " WHERE site_id = 'demo' AND version = 2",
        "policies",
        "consent.policies",
        "SELECT 2",
    ),
    Case(
        "a policy's time of effect was moved",
        "consent",
        "UPDATE policies SET effective_time = effective_time + interval '1 day'"
        " WHERE site_id = 'demo' AND version = 2",
        "policies",
        "consent.slices",
        "SELECT 'schedule'",
    ),
    Case(
        "a link's end was lost",
        "consent",
        "UPDATE links SET end_time = NULL WHERE end_time IS NOT NULL",
        "consents",
        "consent.links",
        "SELECT max(subject_id) FROM links WHERE end_time IS NOT NULL",
    ),
    Case(
        "an event of a person's history was deleted",
        "consent",
        f"DELETE FROM consent_events WHERE kind = 'WITHDRAWN' AND subject_id = ({_NEWS})",
        "consents",
        "consent.consent_events",
        _NEWS,
    ),
    Case(
        "a disagreement was made a use",
        "consent",
        "UPDATE consent_events SET kind = 'USED' WHERE kind = 'REJECTED'",
        "consents",
        "consent.agreements",
        "SELECT subject_id FROM consent_events WHERE kind = 'REJECTED'",
    ),
    Case(
        "an event is of a kind that nobody knows",
        "consent",
        "UPDATE consent_events SET kind = 'FORGED' WHERE kind = 'REJECTED'",
        "consents",
        "consent.consent_events",
        "SELECT subject_id FROM consent_events WHERE kind = 'REJECTED'",
    ),
    Case(
        "a withdrawal was taken back",
        "consent",
        "UPDATE consents SET withdraw_time = NULL WHERE withdraw_time IS NOT NULL",
        "consents",
        "consent.consents",
        "SELECT subject_id FROM consents WHERE withdraw_time IS NOT NULL LIMIT 1",
    ),
    Case(
        "a disagreement was deleted",
        "consent",
        "DELETE FROM agreements WHERE slot = 'disagreement'",
        "consents",
        "consent.agreements",
        "SELECT subject_id FROM agreements WHERE slot = 'disagreement'",
    ),
    Case(
        "the wording of a consent was altered",
        "consent",
        "UPDATE wordings SET wording = wording || ' и звонки'",
        "consents",
        "consent.wordings",
        "SELECT min(sha256) FROM wordings",
    ),
    Case(
        "a consent slice was altered",
        "consent",
        f"UPDATE slices SET body = '' WHERE subject_id = ({_NEWS})",
        "consents",
        "consent.slices",
        _NEWS,
    ),
    Case(
        "a claim was renumbered",
        "claims",
        "UPDATE claims SET number = '2026-000099' WHERE number = (SELECT max(number) FROM claims)",
        "claims",
        "claims.claims",
        "SELECT max(number) FROM claims",
    ),
    Case(
        "the last number given was altered",
        "claims",
        "UPDATE claim_numbers SET last = last + 1 WHERE site_id = 'demo'",
        "claims",
        "claims.claim_numbers",
        "SELECT 'demo'",
    ),
    Case(
        "a due date was moved",
        "claims",
        "UPDATE claims SET due_date = due_date + 7 WHERE number = (SELECT max(number) FROM claims)",
        "claims",
        "claims.claims",
        "SELECT claim_id FROM claims ORDER BY number DESC LIMIT 1",
    ),
    Case(
        "nobody watches a term",
        "claims",
        "UPDATE claims SET alarm_time = NULL WHERE state = 'RECEIVED'",
        "claims",
        "claims.claims",
        "SELECT min(claim_id) FROM claims WHERE state = 'RECEIVED'",
    ),
    Case(
        "an outcome was forged",
        "claims",
        "UPDATE claims SET outcome = 'NOT_CONFIRMED', state = 'VERIFIED' WHERE outcome IS NULL"
        " AND kind = 'INACCURATE_DATA' AND site_id = 'demo'",
        "claims",
        "claims.claims",
        "SELECT min(claim_id) FROM claims WHERE outcome IS NULL AND kind = 'INACCURATE_DATA'"
        " AND site_id = 'demo'",
    ),
    Case(
        "an outcome was forged as one that the vault had told",
        "claims",
        "INSERT INTO mended_outcomes SELECT site_id, claim_id, 'UNLAWFUL_CONFIRMED', now()"
        " FROM claims WHERE outcome = 'INACCURATE_CONFIRMED' AND site_id = 'demo'",
        "claims",
        "claims.claims",
        "SELECT min(claim_id) FROM claims WHERE outcome = 'INACCURATE_CONFIRMED'",
    ),
    Case(
        "an answer was deleted",
        "claims",
        "DELETE FROM answers",
        "claims",
        "claims.claims",
        "SELECT min(claim_id) FROM answers",
    ),
    Case(
        "the decision of a letter was altered",
        "claims",
        "UPDATE answer_letters SET decision = 'REJECTED' WHERE decision = 'SATISFIED'",
        "claims",
        "claims.claims",
        "SELECT min(claim_id) FROM answers WHERE decision = 'SATISFIED'",
    ),
    Case(
        "an order was opened again",
        "disclosure",
        "UPDATE orders SET state = 'OPEN' WHERE state = 'CLOSED'",
        "orders",
        "disclosure.orders",
        "SELECT min(registration_id) FROM orders WHERE state = 'CLOSED'",
    ),
    Case(
        "a delivery was given to another recipient",
        "disclosure",
        "UPDATE deliveries SET recipient_id = '00000000-0000-7000-8000-000000000000'"
        f" WHERE subject_id = ({_ORDERED})",
        "orders",
        "disclosure.slices",
        _ORDERED,
    ),
    Case(
        "a delivery belongs to no order",
        "disclosure",
        "UPDATE deliveries SET order_id = 'X' WHERE delivery_id ="
        " (SELECT min(delivery_id) FROM deliveries)",
        "orders",
        "disclosure.deliveries",
        "SELECT min(delivery_id) FROM deliveries",
    ),
]


@pytest.mark.parametrize("case", BOOKS, ids=name_of)
def test_fsck_names_it(books: Books, case: Case) -> None:
    require_named(books, case)

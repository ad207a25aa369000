# SPDX-License-Identifier: Apache-2.0
"""The last five steps of the acceptance story: a claim from its filing to its written answer."""

import secrets
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from cli.conversation import Answered
from cli.story import Step, Story
from cli.story_steps import PHONE
from services.chassis.ids import new_subject_id, new_uuid

NEW_PHONE = "+77017654321"
_ZONE = ZoneInfo("Asia/Almaty")
_ANSWER_DAYS = 30
# The longest row of days off in the calendar, with room.
_MOST_DAYS_OFF = 10


def file_claim(story: Story) -> None:
    """A claim of inaccurate data blocks the data from the moment of the appeal."""
    claim = {
        "subjectIds": [story.subject_id],
        "kind": "INACCURATE_DATA",
        "claimant": "SUBJECT",
        "statement": "Телефон указан неверно: номер принадлежит другому человеку.",
        "demand": f"Исправить телефон на {NEW_PHONE}.",
        "language": "ru",
    }
    answer = story.granted("storefront", "POST", "/v1/claims", {"claim": claim}).json
    filed = answer["claim"]
    story.claim_id = filed["claimId"]
    story.require(filed["state"] == "RECEIVED", f"claim {filed['number']} is received", "8.1")
    story.require(answer["enforcement"] == "IN_FORCE", "the block is in force", "6.2.3")
    _require_due_date(story, filed)
    subject = f"/v1/subjects/{story.subject_id}"
    asked = story.ask(
        "storefront", "POST", f"{subject}/data:read", {"purpose": "IDENTIFY_FOR_ORDER"}
    )
    story.refused(asked, 409, "SUBJECT_BLOCKED", "6.2.3")
    changed = story.ask("storefront", "PATCH", f"{subject}/data", {"data": {"phone": NEW_PHONE}})
    story.refused(changed, 409, "SUBJECT_BLOCKED", "6.2.3")
    released = story.ask("courier", "POST", f"/v1/deliveries/{story.delivery_id}:release", {})
    story.refused(released, 404, "NOT_AVAILABLE")


def conclude_verification(story: Story) -> None:
    """The outcome of the verification corrects the data and lifts the block in one step."""
    outcome = {
        "outcome": "INACCURATE_CONFIRMED",
        "correction": {"phone": NEW_PHONE},
        "evidence": "Абонентский договор заявителя сверен с оригиналом.",
    }
    path = f"/v1/claims/{story.claim_id}:concludeVerification"
    answer = story.granted("claimsOfficer", "POST", path, outcome).json
    story.require(answer["enforcement"] == "IN_FORCE", "the block is lifted", "6.2.3")
    story.require(answer["version"] == 2, "the correction is version 2 of the data", "6.2.3")
    path = f"/v1/subjects/{story.subject_id}/data:read"
    read = story.granted("storefront", "POST", path, {"purpose": "IDENTIFY_FOR_ORDER"}).json
    story.require(read["data"]["phone"] == NEW_PHONE, f"{PHONE} became {NEW_PHONE}", "6.1.2")


def answer_claim(story: Story) -> None:
    """The claim is answered in writing, with proof that the answer left."""
    answer = {
        "decision": "SATISFIED",
        "text": "Ваше требование удовлетворено: номер телефона исправлен, блокирование снято.",
        "dispatch": {
            "channel": "EMAIL",
            "time": datetime.now(UTC).isoformat(),
            "proof": f"Message-ID: <{secrets.token_hex(8)}@example.kz>",
        },
    }
    path = f"/v1/claims/{story.claim_id}:answer"
    claim = story.granted("claimsOfficer", "POST", path, answer).json["claim"]
    story.require(claim["state"] == "ANSWERED", f"claim {claim['number']} is answered", "8.2")


def show_disclosures(story: Story) -> None:
    """The person's ledger has every release and every refusal."""
    path = f"/v1/subjects/{story.subject_id}/disclosures"
    lines = story.granted("storefront", "GET", path).json["disclosures"]
    courier = story.conversation.credentials["courier"]["recipientId"]
    given = [line for line in lines if line["outcome"] == "RELEASED"]
    story.require(len(given) == 1, "one release left the house", "6.2.2")
    story.require(given[0]["recipientId"] == courier, "to the courier", "5.2")
    story.require("email" not in given[0]["fields"], "without the e-mail", "5.2")
    refused = [line for line in lines if line["outcome"] == "REFUSED"]
    story.require(len(refused) >= 3, f"{len(refused)} refusals stand beside it", "6.2.2")
    reasons = {line["reason"] for line in refused}
    story.require("SUBJECT_BLOCKED" in reasons, "one because of the block", "6.2.3")
    whole = all(line["clause"] and line["recipientId"] and line["discloseTime"] for line in lines)
    story.require(whole, "each with clause, recipient and time", "6.2.2")


def show_nothing_to_others(story: Story) -> None:
    """For another site the subject, the order and the claim do not exist."""
    known = _foreign_requests(story, story.subject_id, story.order_id, story.claim_id)
    unknown = _foreign_requests(story, new_subject_id(), f"A-{secrets.token_hex(4)}", new_uuid())
    for (what, ours), (_, nobodys) in zip(known, unknown, strict=True):
        alike = (ours.status, ours.content_but_reference) == (
            nobodys.status,
            nobodys.content_but_reference,
        )
        story.require(alike, f"{what}: the same bytes as for what never existed", "2.3", ours)


def _foreign_requests(
    story: Story, subject_id: str, order_id: str, claim_id: str
) -> Iterator[tuple[str, Answered]]:
    """What another site asks, in words, and what it gets."""
    subject = f"/v1/subjects/{subject_id}"
    order = {"orderId": f"A-{secrets.token_hex(4)}", "subjectId": subject_id}
    recipient = {"recipientId": story.conversation.credentials["courier"]["recipientId"]}
    requests: tuple[tuple[str, str, str, Any], ...] = (
        ("a read", "POST", f"{subject}/data:read", {"purpose": "IDENTIFY_FOR_ORDER"}),
        ("a change", "PATCH", f"{subject}/data", {"data": {"givenName": "Нұрлан"}}),
        ("the standing", "GET", f"{subject}/standing", None),
        ("the consents", "GET", f"{subject}/consents", None),
        ("the ledger", "GET", f"{subject}/disclosures", None),
        ("a withdrawal", "POST", f"{subject}/consents/NEWS:withdraw", {}),
        ("an order", "POST", "/v1/orders", {"order": order}),
        ("the order", "GET", f"/v1/orders/{order_id}", None),
        ("its assignment", "POST", f"/v1/orders/{order_id}:assign", recipient),
        ("its closing", "POST", f"/v1/orders/{order_id}:close", {}),
        ("the claim", "GET", f"/v1/claims/{claim_id}", None),
    )
    for what, verb, path, body in requests:
        yield what, story.ask("otherStorefront", verb, path, body)


def _require_due_date(story: Story, claim: dict[str, Any]) -> None:
    received = datetime.fromisoformat(claim["receiptTime"]).astimezone(_ZONE).date()
    due = date.fromisoformat(claim["dueDate"])
    earliest = received + timedelta(days=_ANSWER_DAYS)
    story.require(
        earliest <= due <= earliest + timedelta(days=_MOST_DAYS_OFF),
        f"the answer is due {due}: {_ANSWER_DAYS} days from {received}, and a working day",
        "8.2",
    )


LAST_STEPS = (
    Step(8, "The visitor claims that the phone is wrong: the data are blocked", file_claim),
    Step(9, "The claim is verified, the data corrected", conclude_verification),
    Step(10, "The claim is answered in writing", answer_claim),
    Step(11, "The visitor sees who was given what", show_disclosures),
    Step(12, "Another site sees nothing at all", show_nothing_to_others),
)

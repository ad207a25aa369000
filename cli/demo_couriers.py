# SPDX-License-Identifier: Apache-2.0
"""`qupia demo couriers`: a morning of three partners against a running suite (clause 5.2).

Persons are placed with an order each; every partner fetches its manifest page by page, as it would
of a day. One person complains beforehand, one order goes to another courier, one is cancelled: the
table shows that nobody got what was not theirs to deliver.
"""

import secrets
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track
from rich.table import Table

from cli.conversation import Conversation
from services.chassis.start_error import StartError

PARTNERS = ("courier", "post", "telecom")
_PAGE = 10
_USE = {"kind": "FORM_SUBMIT", "page": "/checkout", "language": "kk", "noticeShown": True}


@dataclass
class Morning:
    """What became of one partner's deliveries."""

    partner: str
    assigned: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0


def demo_couriers(path: Path, per_partner: int) -> int:
    """Play it; returns 0, or 1 where a partner got what it should not, or did not what it should.

    Raises StartError where the suite does not answer.
    """
    console = Console()
    with Conversation.of_file(path) as conversation:
        _ensure_policy(conversation)
        mornings = [Morning(partner) for partner in PARTNERS]
        held = {"complaint": 0, "given to another": 0, "cancelled": 0}
        steps = [(m, n) for n in range(per_partner) for m in mornings]
        for morning, number in track(steps, "placing orders", console=console):
            _place(conversation, morning, number, held)
        for morning in track(mornings, "fetching manifests", console=console):
            _fetch(conversation, morning)
    _show(console, mornings, held)
    wrong = [m for m in mornings if m.outcomes["released"] != m.assigned]
    return 1 if wrong else 0


def _place(conversation: Conversation, morning: Morning, number: int, held: dict[str, int]) -> None:
    subject = _good(conversation, "storefront", "/v1/subjects", {"use": _USE})["subjectId"]
    data = {
        "familyName": "Сейтқали",
        "givenName": "Айгерім",
        "phone": f"+7701{secrets.randbelow(10**7):07d}",
        "address": {"country": "KZ", "locality": "Алматы", "street": "Абай", "house": str(number)},
    }
    path = f"/v1/subjects/{subject}/data"
    _good(conversation, "storefront", path, {"data": data}, verb="PATCH")
    order_id = f"D-{secrets.token_hex(6)}"
    order = {"orderId": order_id, "subjectId": subject}
    if morning.partner == "telecom":
        order["messageText"] = "Тапсырысыңыз бүгін жеткізіледі."
    _good(conversation, "storefront", "/v1/orders", {"order": order})
    who = {"recipientId": conversation.credentials[morning.partner]["recipientId"]}
    _good(conversation, "storefront", f"/v1/orders/{order_id}:assign", who)
    if morning.partner == "courier" and number in (0, 1, 2):
        _hold(conversation, number, subject, order_id, held)
        return
    morning.assigned += 1


def _hold(
    conversation: Conversation, number: int, subject: str, order_id: str, held: dict[str, int]
) -> None:
    if number == 0:
        claim = {
            "subjectIds": [subject],
            "kind": "INACCURATE_DATA",
            "claimant": "SUBJECT",
            "statement": "Неверный номер",
            "demand": "Исправить",
            "language": "ru",
        }
        _good(conversation, "storefront", "/v1/claims", {"claim": claim})
        held["complaint"] += 1
    elif number == 1:
        who = {"recipientId": conversation.credentials["otherCourier"]["recipientId"]}
        _good(conversation, "storefront", f"/v1/orders/{order_id}:assign", who)
        held["given to another"] += 1
    else:
        body = {"closing": "CANCELLED"}
        _good(conversation, "storefront", f"/v1/orders/{order_id}:close", body)
        held["cancelled"] += 1


def _fetch(conversation: Conversation, morning: Morning) -> None:
    """Page by page, of all that the partner has to deliver; what is not of today counts apart."""
    begun, token = time.perf_counter(), ""
    while True:
        body: dict[str, object] = {"pageSize": _PAGE}
        if token:
            body["pageToken"] = token
        path = "/v1/deliveries:releaseManifest"
        page = _good(conversation, morning.partner, path, body)
        for outcome in page.get("outcomes", ()):
            released = outcome.get("released")
            today = released and released["details"]["orderId"].startswith("D-")
            kind = "of earlier days"
            if not released:
                kind = outcome["problem"]["code"]
            elif today:
                kind = "repeated" if released.get("firstReleaseId") else "released"
            morning.outcomes[kind] += 1
        token = page.get("nextPageToken", "")
        if not token:
            break
    morning.seconds = time.perf_counter() - begun


def _ensure_policy(conversation: Conversation) -> None:
    if conversation.ask("storefront", "GET", "/v1/policies:inForce").status == 200:
        return
    text = {"language": "kk", "title": "Құпиялылық саясаты", "body": "Мәтін"}
    _good(conversation, "privacyOfficer", "/v1/policies", {"texts": [text]})


def _good(
    conversation: Conversation, who: str, path: str, body: object, verb: str = "POST"
) -> dict[str, Any]:
    answered = conversation.ask(who, verb, path, body)
    if answered.status != 200:
        raise StartError(f"{who} {verb} {path} was answered {answered.status} {answered.code}")
    return dict(answered.json)


def _show(console: Console, mornings: list[Morning], held: dict[str, int]) -> None:
    table = Table(title="a morning of three partners")
    columns = ("partner", "to deliver", "released", "repeated", "not available", "earlier", "s")
    for column in columns:
        table.add_column(column, justify="left" if column == "partner" else "right")
    for each in mornings:
        table.add_row(
            each.partner,
            str(each.assigned),
            str(each.outcomes["released"]),
            str(each.outcomes["repeated"]),
            str(each.outcomes["NOT_AVAILABLE"]),
            str(each.outcomes["of earlier days"]),
            f"{each.seconds:.2f}",
        )
    console.print(table)
    told = ", ".join(f"{name}: {count}" for name, count in held.items())
    console.print(f"held back from the courier: {told}")

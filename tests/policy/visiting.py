# SPDX-License-Identifier: Apache-2.0
"""Visits and purchases of a person, as a storefront records them."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from cli.conversation import Answered
from tests.policy.person import Person

BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:131.0) Gecko/20100101 Firefox/131.0"
KINDS = {"ip", "cookie", "userAgent", "accessTime", "page", "referrer"}
COLUMNS = ("ip", "cookie", "user_agent", "access_time", "page", "referrer")


def visit(cookie: str = "sid-1", ip: str = "2001:DB8:0:0::7", **more: object) -> dict[str, object]:
    """A visit with all six kinds."""
    return {
        "ip": ip,
        "cookie": cookie,
        "userAgent": BROWSER,
        "accessTime": datetime.now(UTC).isoformat(),
        "page": "/cart",
        "referrer": "https://search.example.kz/",
        **more,
    }


def visits(person: Person, *made: Mapping[str, object]) -> Answered:
    """Records visits of a person."""
    items = [{"subjectId": person.subject_id, "visit": dict(each)} for each in made]
    return person.site.ask("storefront", "POST", "/v1/visits", {"items": items})


def visited(person: Person, *made: Mapping[str, object]) -> list[dict[str, Any]]:
    """The same, to be answered 200; what became of each."""
    answered = visits(person, *made)
    assert answered.status == 200, answered.content.decode()
    found: list[dict[str, Any]] = answered.json["outcomes"]
    return found


def bought(person: Person, order_id: str, *titles: str) -> dict[str, Any]:
    """Stores what was bought with an order; the purchase."""
    lines = [
        {"title": title, "quantity": 1, "amount": "12990", "currency": "KZT"} for title in titles
    ]
    purchase = {"orderId": order_id, "lines": lines}
    answered = person.ask("POST", "/purchases", {"purchase": purchase})
    assert answered.status == 200, answered.content.decode()
    return purchase

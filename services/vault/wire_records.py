# SPDX-License-Identifier: Apache-2.0
"""Visits and purchases between messages and the domain."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from qupia.vault.v1 import records_pb2
from services.vault.fields import Field
from services.vault.purchases import OrderLine
from services.vault.visits import Visit

_TEXTS = {
    Field.IP: "ip",
    Field.COOKIE: "cookie",
    Field.USER_AGENT: "user_agent",
    Field.PAGE: "page",
    Field.REFERRER: "referrer",
}


def visit_from(message: records_pb2.Visit) -> dict[Field, str]:
    """The texts of a visit as they came."""
    return {field: text for field, name in _TEXTS.items() if (text := getattr(message, name))}


def access_time(message: records_pb2.Visit) -> datetime | None:
    """The time of a visit; None where it is absent."""
    if not message.HasField("access_time"):
        return None
    return message.access_time.ToDatetime(tzinfo=UTC)


def visit_to(visit: Visit) -> records_pb2.Visit:
    """A visit in the clear as a message."""
    message = records_pb2.Visit()
    for field, name in _TEXTS.items():
        setattr(message, name, visit.get(field, ""))
    if Field.ACCESS_TIME in visit:
        message.access_time.FromDatetime(datetime.fromisoformat(visit[Field.ACCESS_TIME]))
    return message


def line_from(message: records_pb2.OrderLine) -> OrderLine:
    """A line as it came."""
    return OrderLine(message.title, message.quantity, message.amount, message.currency)


def purchases_to(lines: Iterable[tuple[str, OrderLine]]) -> list[records_pb2.Purchase]:
    """Lines in the clear, by their orders."""
    orders: dict[str, records_pb2.Purchase] = {}
    for order_id, line in lines:
        purchase = orders.setdefault(order_id, records_pb2.Purchase(order_id=order_id))
        purchase.lines.add(
            title=line.title, quantity=line.quantity, amount=line.amount, currency=line.currency
        )
    return list(orders.values())

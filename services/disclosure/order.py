# SPDX-License-Identifier: Apache-2.0
"""Orders placed under the public offer and who delivers them (clause 5.2)."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from services.disclosure.recipient import Kind

# How long the slice goes on telling the vault that an order was closed.
CLOSED_KEPT: Final = timedelta(days=90)
# The contract's own bounds of a slice, and room in its 262,144 bytes for the header.
MOST_ORDERS: Final = 1000
MOST_DELIVERIES: Final = 100
# How often a recipient may fetch, where the storefront does not say.
FETCH_LIMIT: Final = 20
MOST_FETCHES: Final = 1000
MOST_BYTES: Final = 200_000
_ORDER_BYTES: Final = 140
_DELIVERY_BYTES: Final = 120
_MESSAGE_BYTES: Final = 120


class OrderState(StrEnum):
    """Where an order stands; REFUSED: the vault refused it, it was never open."""

    PENDING = "PENDING"
    OPEN = "OPEN"
    CLOSED = "CLOSED"
    REFUSED = "REFUSED"


class Closing(StrEnum):
    """How an order ended."""

    DELIVERED = "DELIVERED"
    CANCELLED = "CANCELLED"


@dataclass(frozen=True, slots=True)
class SealedMessage:
    """The text for a telecom operator, sealed to the vault: nobody here can read it."""

    document_id: str
    key_id: str
    sealed: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Order:
    """An order of a site.

    `registration_id` names this registration: a refused order's id may be
    registered anew. `act_id` is the proposal that opens it, `close_act_id` the
    act that closed it (empty while open). `policy_version` is the one in force
    when the vault let it be placed; 0 until then. `snapshot`: it goes to the
    address that stood when it was placed. `message` is kept while it is under way.
    """

    site_id: str
    registration_id: str
    order_id: str
    subject_id: str
    policy_version: int
    state: OrderState
    register_time: datetime
    act_id: str
    closing: Closing | None = None
    close_time: datetime | None = None
    close_act_id: str = ""
    snapshot: bool = False
    message: SealedMessage | None = None


@dataclass(frozen=True, slots=True)
class Delivery:
    """An assignment of an order to one recipient; it has no personal data.

    `fetch_limit`: so often may the recipient fetch the details.
    """

    site_id: str
    delivery_id: str
    registration_id: str
    order_id: str
    subject_id: str
    recipient_id: str
    kind: Kind
    assign_time: datetime
    act_id: str
    expire_time: datetime | None = None
    ended_time: datetime | None = None
    fetch_limit: int = FETCH_LIMIT

    def live(self, now: datetime) -> bool:
        """Whether the recipient may still fetch by it, as far as the assignment goes."""
        return self.ended_time is None and (self.expire_time is None or now < self.expire_time)


@dataclass(frozen=True, slots=True)
class OrderFacts:
    """An order with all its assignments, ended ones too."""

    order: Order
    deliveries: tuple[Delivery, ...]

    @property
    def closed(self) -> bool:
        """Whether nothing of it is to be delivered any more."""
        return self.order.state is OrderState.CLOSED

    @property
    def most_bytes(self) -> int:
        """At most so many bytes of a slice."""
        sealed = len(self.order.message.sealed) + _MESSAGE_BYTES if self.order.message else 0
        return _ORDER_BYTES + _DELIVERY_BYTES * len(self.deliveries) + sealed


def sliced(facts: Iterable[OrderFacts]) -> list[OrderFacts]:
    """What a subject's slice holds, in the order of placing.

    All that are open or proposed; then the closed ones, the latest first, as
    far as a slice has room. An order that a slice no longer names is not open
    either, so that leaving out a closed one permits nothing.
    """
    known = sorted(facts, key=lambda f: (f.order.register_time, f.order.registration_id))
    kept = [f for f in known if not f.closed]
    room = MOST_BYTES - sum(f.most_bytes for f in kept)
    closed = sorted((f for f in known if f.closed), key=_closed_since, reverse=True)
    for fact in closed:
        room -= fact.most_bytes
        if room < 0 or len(kept) >= MOST_ORDERS:
            break
        kept.append(fact)
    return sorted(kept, key=lambda f: (f.order.register_time, f.order.registration_id))


def overfull(facts: Iterable[OrderFacts]) -> bool:
    """Whether a subject has more under way than a slice can tell; permitting acts are refused."""
    under_way = [f for f in facts if not f.closed]
    return (
        len(under_way) > MOST_ORDERS
        or any(len(f.deliveries) > MOST_DELIVERIES for f in under_way)
        or sum(f.most_bytes for f in under_way) > MOST_BYTES
    )


def _closed_since(fact: OrderFacts) -> datetime:
    return fact.order.close_time or fact.order.register_time

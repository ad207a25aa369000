# SPDX-License-Identifier: Apache-2.0
"""SQL of what releases are decided on: many deliveries with their orders, in few statements.

The lock comes first, in a statement of its own; what is decided on is read in
a later one, because one that locks and joins returns what stood before it
waited. Nothing here reads more than the rows of the deliveries asked for,
however many orders are open.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import Text, and_, func, literal_column, select, true
from sqlalchemy.engine import Connection

from services.chassis.arrays import Texts
from services.chassis.prepared import Prepared, given
from services.chassis.pseudonym import subject_pseudonyms
from services.disclosure.order import Delivery, OrderState
from services.disclosure.permission import Fetches
from services.disclosure.recipient import Kind
from services.disclosure.tables import HAS_LEFT, MAY_HAVE_LEFT, deliveries, orders, releases

Key = tuple[str, str]
"""(site, delivery)"""


@dataclass(frozen=True, slots=True)
class Place:
    """A delivery as it stands: its order's state, its fetches that count, its first release.

    `first_release_id` is empty where nothing of it has left yet, `pseudonym` where its subject has
    no name in this service's evidence yet.
    """

    delivery: Delivery
    order: OrderState
    fetches: Fetches
    first_release_id: str
    pseudonym: str


_asked = given("asked", site_id=Text, delivery_id=Text)
_named = and_(
    deliveries.c.site_id == _asked.c.site_id, deliveries.c.delivery_id == _asked.c.delivery_id
)
_LOCK = Prepared(
    select(deliveries.c.delivery_id)
    .join_from(_asked, deliveries, _named)
    .order_by(deliveries.c.site_id, deliveries.c.delivery_id)
    .with_for_update(of=deliveries),
)

_of_it = and_(
    releases.c.site_id == deliveries.c.site_id, releases.c.delivery_id == deliveries.c.delivery_id
)
_fetched = (
    select(func.count().label("fetches"), func.max(releases.c.prepare_time).label("last_fetch"))
    .where(_of_it, releases.c.counted, MAY_HAVE_LEFT)
    .correlate(deliveries)
    .lateral("fetched")
)
_first = (
    select(releases.c.release_id)
    .where(_of_it, HAS_LEFT, releases.c.first_release_id == literal_column("''"))
    .order_by(releases.c.end_time)
    .limit(1)
    .correlate(deliveries)
    .scalar_subquery()
)
_PLACES = Prepared(
    select(
        deliveries.c.site_id,
        deliveries.c.delivery_id,
        deliveries.c.registration_id,
        deliveries.c.order_id,
        deliveries.c.subject_id,
        deliveries.c.recipient_id,
        deliveries.c.kind,
        deliveries.c.assign_time,
        deliveries.c.act_id,
        deliveries.c.expire_time,
        deliveries.c.ended_time,
        deliveries.c.fetch_limit,
        orders.c.state,
        _first,
        _fetched.c.fetches,
        _fetched.c.last_fetch,
        subject_pseudonyms.c.pseudonym,
    ).select_from(
        _asked.join(deliveries, _named)
        .join(
            orders,
            and_(
                orders.c.site_id == deliveries.c.site_id,
                orders.c.registration_id == deliveries.c.registration_id,
            ),
        )
        .join(_fetched, true())
        .outerjoin(
            subject_pseudonyms,
            and_(
                subject_pseudonyms.c.site_id == deliveries.c.site_id,
                subject_pseudonyms.c.subject_id == deliveries.c.subject_id,
            ),
        )
    ),
)


def lock(connection: Connection, wanted: Collection[Key]) -> None:
    """Hold the deliveries until the transaction ends, in one order everywhere."""
    _LOCK.run(connection, **_places(wanted))


def read(connection: Connection, wanted: Collection[Key]) -> dict[Key, Place]:
    """Those of the deliveries that there are."""
    found: dict[Key, Place] = {}
    for *members, state, first, count, last, pseudonym in _PLACES.rows(
        connection, **_places(wanted)
    ):
        members[6] = Kind(members[6])
        delivery = Delivery(*members)
        found[delivery.site_id, delivery.delivery_id] = Place(
            delivery, OrderState(state), Fetches(count, last), first or "", pseudonym or ""
        )
    return found


def _places(wanted: Collection[Key]) -> dict[str, Texts]:
    keys = sorted(set(wanted))
    return {
        "site_id": Texts([site for site, _ in keys]),
        "delivery_id": Texts([each for _, each in keys]),
    }

# SPDX-License-Identifier: Apache-2.0
"""The disclosure process: its parts put together."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path

from pydantic import Field

from services.chassis.assembly import Parts, prepare, serve
from services.chassis.client import Client
from services.chassis.config import load_settings
from services.chassis.decider.dispatcher import Dispatcher
from services.chassis.decider.pusher import Pusher, Topic
from services.chassis.idempotency import IdempotencyKeys
from services.chassis.paging import PageTokens
from services.chassis.pipeline import Handler
from services.chassis.process import ProcessSettings, run
from services.chassis.pseudonym import known_pseudonym
from services.disclosure import store_orders, wire
from services.disclosure.reconciler import Reconciler
from services.disclosure.servicer_acts import Acts
from services.disclosure.servicer_lists import ListServicer
from services.disclosure.servicer_orders import OrderServicer
from services.disclosure.servicer_recipients import RecipientServicer
from services.disclosure.servicer_releases import ReadForRelease, ReleaseServicer
from services.disclosure.servicer_vault import Vault

PROCESS = "disclosure"
MIGRATIONS = Path(__file__).parent / "migrations"
_SERVICE = "/qupia.disclosure.v1.DisclosureService/"


class DisclosureSettings(ProcessSettings):
    """What the disclosure process is told besides.

    `vault` is where the vault listens, ``host:port`` or ``unix:/path``. A
    release is reconciled `reconcile_after_seconds` after it was prepared: at
    least ten, longer than a release can take.
    """

    vault: str
    reconcile_after_seconds: float = Field(default=10.0, ge=10.0)


def main(ready: Callable[[], None] = lambda: None) -> int:
    """Serve until told to stop; `ready` is called once calls are answered."""
    return run(PROCESS, lambda stop: _serve(stop, ready))


def _serve(stop: threading.Event, ready: Callable[[], None]) -> None:
    settings = load_settings(DisclosureSettings, PROCESS)
    parts = prepare(PROCESS, settings, MIGRATIONS)
    client = Client("vault", settings.vault, parts.certificate)
    vault = Vault(client)
    pusher = _pusher(parts, vault)
    dispatcher = Dispatcher(
        parts.database, pusher, vault.complete_resync, parts.clock, parts.metrics, parts.log
    )
    reconciler = Reconciler(
        parts.database,
        vault.find_release_entry,
        parts.clock,
        parts.metrics,
        parts.log,
        timedelta(seconds=settings.reconcile_after_seconds),
    )
    handlers = handlers_of(parts, pusher, vault.read_for_release)
    serve(parts, handlers, known_pseudonym, [dispatcher, reconciler], stop, ready)
    client.close()


def _pusher(parts: Parts, vault: Vault) -> Pusher:
    topic = Topic(
        store_orders.TOPIC,
        vault.apply_order_slice,
        lambda connection, ended, _receipt: store_orders.settle(
            connection, ended, wire.slice_bytes, parts.clock.now()
        ),
    )
    return Pusher(
        PROCESS,
        parts.database,
        [topic],
        vault.open_incarnation,
        parts.clock,
        parts.metrics,
        parts.log,
    )


def handlers_of(
    parts: Parts, pusher: Pusher, read_for_release: ReadForRelease
) -> Mapping[str, Handler]:
    """The handler of every RPC, by its path."""
    database, clock = parts.database, parts.clock
    keys, tokens = IdempotencyKeys(parts.secret), PageTokens(parts.secret)
    acts = Acts(database, pusher)
    recipients = RecipientServicer(database, clock, keys, tokens)
    orders = OrderServicer(database, clock, keys, acts)
    lists = ListServicer(database, clock, tokens)
    releases = ReleaseServicer(database, clock, keys, parts.refusals, read_for_release)
    handlers: dict[str, Handler] = {
        "RegisterRecipient": recipients.register_recipient,
        "ActivateRecipient": recipients.activate_recipient,
        "SuspendRecipient": recipients.suspend_recipient,
        "ListRecipients": recipients.list_recipients,
        "RegisterOrder": orders.register_order,
        "AssignOrder": orders.assign_order,
        "CloseOrder": orders.close_order,
        "GetOrder": orders.get_order,
        "ListDeliveries": lists.list_deliveries,
        "ReleaseDelivery": releases.release_delivery,
        "ListDisclosures": lists.list_disclosures,
        "GetAct": acts.get_act,
    }
    return {_SERVICE + name: handler for name, handler in handlers.items()}


if __name__ == "__main__":
    raise SystemExit(main())

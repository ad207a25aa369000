# SPDX-License-Identifier: Apache-2.0
"""The disclosure process: its parts put together."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path

from pydantic import Field

from services.chassis.assembly import Background, Parts, prepare, serve
from services.chassis.calendar import CalendarFileError, WorkingCalendar, load_calendar
from services.chassis.client import Client
from services.chassis.config import ConfigError, load_settings
from services.chassis.decider.dispatcher import Dispatcher
from services.chassis.decider.pusher import Pusher, Topic
from services.chassis.decider.settings import DeciderSettings
from services.chassis.forgetting import Forgetting, asking
from services.chassis.idempotency import IdempotencyKeys
from services.chassis.lane import Lane
from services.chassis.paging import PageTokens
from services.chassis.peer_sessions import PeerSessions
from services.chassis.pipeline import Handler
from services.chassis.process import run
from services.chassis.pseudonym import known_pseudonym
from services.chassis.rounds import Rounds
from services.chassis.sealed.courier import Courier
from services.chassis.sealed.keeper import SealingKeyKeeper
from services.chassis.signing import Signer
from services.chassis.sites import Sites, load_sites
from services.chassis.together import Together
from services.disclosure import store_orders, store_receipts, wire
from services.disclosure.authority_reconciler import AuthorityReconciler
from services.disclosure.naming import Naming
from services.disclosure.overdue import Overdue
from services.disclosure.recaller import Recaller
from services.disclosure.reconciler import Reconciler
from services.disclosure.servicer_acts import Acts
from services.disclosure.servicer_attempt import Attempt, Released
from services.disclosure.servicer_authorities import AuthorityServicer
from services.disclosure.servicer_authority_desk import AuthorityVault, Desk
from services.disclosure.servicer_authority_reading import AuthorityReadingServicer
from services.disclosure.servicer_authority_release import AuthorityReleaseServicer
from services.disclosure.servicer_authority_requests import AuthorityRequestServicer
from services.disclosure.servicer_concluding import Concluding
from services.disclosure.servicer_lists import ListServicer
from services.disclosure.servicer_notices import NoticeServicer
from services.disclosure.servicer_orders import OrderServicer
from services.disclosure.servicer_pick_up import PickUpServicer
from services.disclosure.servicer_preparing import Preparing
from services.disclosure.servicer_receipts import ReceiptServicer
from services.disclosure.servicer_recipients import RecipientServicer
from services.disclosure.servicer_releases import ReleaseServicer
from services.disclosure.servicer_releasing import ReadForRelease, Releasing
from services.disclosure.servicer_vault import Vault

PROCESS = "disclosure"
MIGRATIONS = Path(__file__).parent / "migrations"
_VAULT_SECONDS = 2.0
# A batch that waits for a lock holds up the others no longer than this.
_LANE_SECONDS = 0.1


class DisclosureSettings(DeciderSettings):
    """What the disclosure process is told besides.

    A release is reconciled `reconcile_after_seconds` after it was prepared: at
    least ten, longer than a release can take. `sites` is the file that says who operates each site
    (`services.chassis.sites`); without it no package of a state body can be picked up. `calendar`
    is the override file of the working calendar (`services.chassis.calendar`).
    """

    # Releases share transactions: most of those who are here only wait for theirs.
    workers: int = 32
    sites: Path | None = None
    calendar: Path | None = None
    reconcile_after_seconds: float = Field(default=10.0, ge=10.0)


def main(ready: Callable[[], None] = lambda: None) -> int:
    """Serve until told to stop; `ready` is called once calls are answered."""
    return run(PROCESS, lambda stop: _serve(stop, ready))


def _serve(stop: threading.Event, ready: Callable[[], None]) -> None:
    settings = load_settings(DisclosureSettings, PROCESS)
    calendar = _calendar(settings.calendar)
    parts = prepare(PROCESS, settings, MIGRATIONS)
    client = Client("vault", settings.vault, parts.certificate)
    vault = Vault(client)
    pusher = _pusher(parts, vault, settings.push_seconds)
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
    with parts.database.transaction() as connection:
        store_receipts.keep(connection, Signer.of_secret(parts.secret), parts.clock.now())
    releasing = releasing_of(parts, vault.read_for_release)
    single = together(releasing)
    courier = Courier(parts.database, vault.put_document, parts.clock, parts.metrics, parts.log)
    sites = load_sites(settings.sites) if settings.sites else None
    desk = desk_of(parts, courier, vault, sites, calendar)
    after = timedelta(seconds=settings.reconcile_after_seconds)
    authorities = AuthorityReconciler(desk, parts.metrics, parts.log, after)
    handlers = handlers_of(parts, pusher, releasing, single, desk)
    sealing = SealingKeyKeeper(parts.database, vault.get_sealing_key, parts.clock)
    keeper = Rounds("sealing_key", sealing.round, parts.metrics, parts.log)
    recaller = Recaller(parts.database, vault.list_standing_changes, parts.clock)
    recalls = Rounds("recall", recaller.round, parts.metrics, parts.log)
    forgetting = Forgetting(parts.database, asking(client))
    forget = Rounds("forgetting", forgetting.round, parts.metrics, parts.log)
    deliveries = Rounds("reconciler", reconciler.round, parts.metrics, parts.log)
    beside: list[Background] = [recalls, forget, dispatcher, deliveries, keeper]
    couriers = Rounds("courier", courier.round, parts.metrics, parts.log)
    reconciling = Rounds("authority_releases", authorities.round, parts.metrics, parts.log)
    overdue = Overdue(parts.database, calendar, parts.clock, parts.metrics)
    counting = Rounds("overdue", overdue.round, parts.metrics, parts.log)
    naming = Naming(parts.database, vault.name_recipients, parts.clock)
    names = Rounds("naming", naming.round, parts.metrics, parts.log)
    beside += [couriers, reconciling, counting, names]
    serve(parts, handlers, known_pseudonym, beside, stop, ready, PeerSessions(client))
    client.close()


def _calendar(override: Path | None) -> WorkingCalendar:
    """The calendar. Raises ConfigError."""
    # In this thread: another that is still loading it when the process ends would hold that up.
    try:
        return load_calendar(override)
    except CalendarFileError as error:
        raise ConfigError(str(error)) from None


def _pusher(parts: Parts, vault: Vault, push_seconds: float) -> Pusher:
    topic = Topic(
        store_orders.TOPIC,
        vault.apply_order_slice,
        lambda connection, ended, receipt: store_orders.settle(
            connection, ended, wire.versions(receipt), wire.slice_bytes, parts.clock.now()
        ),
        send_together=vault.apply_order_slices,
    )
    return Pusher(
        PROCESS,
        parts.database,
        [topic],
        vault.open_incarnation,
        parts.clock,
        parts.metrics,
        parts.log,
        push_seconds,
    )


def releasing_of(parts: Parts, read_for_release: ReadForRelease) -> Releasing:
    """What releases, with the vault behind it."""
    keys, lane = IdempotencyKeys(parts.secret), Lane(_LANE_SECONDS)
    return Releasing(
        Preparing(parts.database, parts.clock, keys, parts.refusals, lane),
        read_for_release,
        Concluding(parts.database, parts.clock, parts.refusals, lane),
        Signer.of_secret(parts.secret),
    )


def desk_of(
    parts: Parts,
    courier: Courier,
    vault: AuthorityVault,
    sites: Sites | None,
    calendar: WorkingCalendar,
) -> Desk:
    """What the handlers of state bodies' requests work with."""
    return Desk(
        parts.database,
        parts.clock,
        IdempotencyKeys(parts.secret),
        PageTokens(parts.secret),
        parts.refusals,
        courier,
        vault,
        Signer.of_secret(parts.secret),
        sites,
        calendar,
    )


def together(releasing: Releasing) -> Together[Attempt, Released]:
    """Single releases that come in at the same moment; whatever fails is not tried again, because
    the vault may have given the data away already."""
    return Together(
        lambda attempts: releasing.release(attempts, _VAULT_SECONDS),
        may_be_of_one=lambda _: False,
    )


def handlers_of(
    parts: Parts,
    pusher: Pusher,
    releasing: Releasing,
    single: Together[Attempt, Released],
    desk: Desk,
) -> Mapping[str, Handler]:
    """The handler of every RPC, by its path."""
    database, clock = parts.database, parts.clock
    keys, tokens = IdempotencyKeys(parts.secret), PageTokens(parts.secret)
    acts = Acts(database, pusher)
    recipients = RecipientServicer(database, clock, keys, tokens)
    orders = OrderServicer(database, clock, keys, acts)
    lists = ListServicer(database, clock, tokens)
    releases = ReleaseServicer(database, clock, keys, tokens, releasing, single)
    receipts = ReceiptServicer(database)
    reading = AuthorityReadingServicer(database, clock)
    notices = NoticeServicer(database, clock, keys, tokens, desk.calendar)
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
        "GetDisclosure": lists.get_disclosure,
        "GetAct": acts.get_act,
        "RenewRecipient": recipients.renew_recipient,
        "ReleaseManifest": releases.release_manifest,
        "GetSigningKeys": receipts.get_signing_keys,
        "ListNotices": notices.list_notices,
        "AcknowledgeNotice": notices.acknowledge_notice,
        "ReadAuthorityRequestState": reading.read_authority_request_state,
    }
    handlers |= AuthorityServicer(database, clock, keys, tokens).handlers()
    handlers |= AuthorityRequestServicer(desk).handlers()
    handlers |= AuthorityReleaseServicer(desk).handlers() | PickUpServicer(desk).handlers()
    return {m.path: handlers[m.name] for m in parts.contract.of_process(PROCESS)}


if __name__ == "__main__":
    raise SystemExit(main())

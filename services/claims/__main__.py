# SPDX-License-Identifier: Apache-2.0
"""Composition of the claims process: ``python -m services.claims``, QUPIA_CLAIMS_<KEY>."""

import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from pydantic import Field, field_validator

from services.chassis import assembly, process
from services.chassis.assembly import Background, Parts
from services.chassis.calendar import CalendarFileError, WorkingCalendar, load_calendar
from services.chassis.client import Client
from services.chassis.config import load_settings
from services.chassis.decider.dispatcher import Dispatcher
from services.chassis.decider.pusher import Pusher, Topic
from services.chassis.decider.settings import DeciderSettings
from services.chassis.forgetting import Forgetting, asking
from services.chassis.idempotency import IdempotencyKeys
from services.chassis.mail import MailSettings, is_address, mailer_of
from services.chassis.paging import PageTokens
from services.chassis.peer_sessions import PeerSessions
from services.chassis.pseudonym import known_pseudonym
from services.chassis.rounds import Rounds
from services.chassis.sealed.courier import Courier
from services.chassis.sealed.keeper import SealingKeyKeeper
from services.chassis.signing import Signer
from services.chassis.sites import load_sites
from services.chassis.start_error import StartError
from services.claims import flooding, store_acts, wire
from services.claims.clock import ClaimClock
from services.claims.correspondence import Correspondence
from services.claims.flooding import Limits
from services.claims.incident_clock import IncidentClock
from services.claims.intake import FAR_BACK_WORKING_DAYS
from services.claims.mending import Mender
from services.claims.notifier import Notifier
from services.claims.overdue import Overdue
from services.claims.recovering import Recovering
from services.claims.same_contact import SameContacts
from services.claims.sender import Sender
from services.claims.servicer import handlers
from services.claims.servicer_answer import Answering
from services.claims.servicer_bundle import Bundles
from services.claims.servicer_common import Office
from services.claims.servicer_court import Disputes
from services.claims.servicer_filing import Filing
from services.claims.servicer_flooding import FloodGate
from services.claims.servicer_incident_reading import IncidentReading
from services.claims.servicer_incidents import Incidents
from services.claims.servicer_letters import Letters
from services.claims.servicer_notices import Notices
from services.claims.servicer_papers import Papers
from services.claims.servicer_reading import Reading
from services.claims.servicer_recovery import Describing
from services.claims.servicer_settling import Settling
from services.claims.servicer_site_claims import SiteClaims
from services.claims.servicer_tasks import Tasks
from services.claims.servicer_verification import Verifying
from services.claims.servicer_work import Working
from services.claims.wire_consent import Consents, Policies
from services.claims.wire_disclosure import AuthorityRequests
from services.claims.wire_recovery import with_receipts
from services.claims.wire_vault import Vault

PROCESS = "claims"
MIGRATIONS = Path(__file__).parent / "migrations"


class ClaimsSettings(DeciderSettings, MailSettings):
    """What the claims process is told besides.

    `consent` and `disclosure` are where these listen, `sites` the file that says who
    operates each site (`services.chassis.sites`), `calendar` is the override file of the working
    calendar (`services.chassis.calendar`). A time of receipt that lies more than
    `far_back_working_days` back waits for a second officer. `officers_email` is reminded before a
    term ends; where it is empty the task stands in the list only. The three limits are those of
    `services.claims.flooding`; 0: none. Those who file wait for each other's turn and hold nothing
    meanwhile: the more of them may wait, the more are filed at once.
    """

    critical_workers: int = 64
    consent: str
    disclosure: str
    sites: Path
    calendar: Path | None = None
    far_back_working_days: int = Field(FAR_BACK_WORKING_DAYS, ge=0, le=250)
    officers_email: str = ""
    open_claims_per_subject: int = Field(flooding.OPEN_PER_SUBJECT, ge=0)
    daily_claims_per_subject: int = Field(flooding.DAILY_PER_SUBJECT, ge=0)
    daily_subjects_per_credential: int = Field(flooding.DAILY_SUBJECTS_PER_CREDENTIAL, ge=0)

    @field_validator("officers_email")
    @classmethod
    def _is_an_address(cls, value: str) -> str:
        if value and not is_address(value):
            raise ValueError("is no e-mail address")
        return value

    @property
    def limits(self) -> Limits:
        """How many claims a storefront may file."""
        return Limits(
            self.open_claims_per_subject,
            self.daily_claims_per_subject,
            self.daily_subjects_per_credential,
        )


def main(ready: Callable[[], None] = lambda: None) -> int:
    """Run until SIGTERM or SIGINT; `ready` is called when it serves. Returns the exit code."""
    return process.run(PROCESS, lambda stop: _serve(stop, ready))


def _serve(stop: threading.Event, ready: Callable[[], None]) -> None:
    settings = load_settings(ClaimsSettings, PROCESS)
    calendar, sites = _calendar(settings.calendar), load_sites(settings.sites)
    parts = assembly.prepare(PROCESS, settings, MIGRATIONS)
    client = Client("vault", settings.vault, parts.certificate)
    consent = Client("consent", settings.consent, parts.certificate)
    disclosure = Client("disclosure", settings.disclosure, parts.certificate)
    vault = Vault(client)
    mender = Mender(wire.slice_bytes, calendar, parts.clock)
    pusher = _pusher(parts, vault, mender, settings.push_seconds)
    courier = Courier(
        parts.database,
        vault.put_document,
        parts.clock,
        parts.metrics,
        parts.log,
        put_together=vault.put_documents,
    )
    office = Office(
        parts.database,
        IdempotencyKeys(parts.secret),
        parts.clock,
        pusher,
        courier,
        vault,
        parts.secret,
        calendar,
    )
    pages = PageTokens(parts.secret)
    signer = Signer.of_secret(parts.secret)
    mailer = mailer_of(settings, parts.clock, development=settings.development)
    correspondence = Correspondence(signer, sites, mailer, settings.officers_email)
    rpcs = handlers(
        Filing(
            office,
            FloodGate(office, parts.refusals, settings.limits),
            settings.far_back_working_days,
        ),
        Verifying(office),
        Answering(office, correspondence),
        Letters(office, signer),
        Reading(parts.database, pages, parts.clock),
        Settling(office, settings.far_back_working_days),
        Tasks(office, pages),
        Disputes(office),
        Bundles(office, correspondence, Policies(consent).in_force_at),
        Notices(office),
        Working(office),
        Papers(office),
        Incidents(office, Consents(consent), AuthorityRequests(disclosure)),
        IncidentReading(office, pages, correspondence),
        SiteClaims(office),
        Describing(office),
    )
    sender = Sender(
        parts.database,
        vault,
        correspondence,
        parts.secret,
        parts.clock,
        parts.metrics,
        parts.log,
    )
    same_contacts = SameContacts(
        parts.database,
        vault,
        pusher,
        wire.slice_bytes,
        calendar,
        parts.clock,
        parts.metrics,
        parts.log,
    )
    beside = (parts.clock, parts.metrics, parts.log)
    recovering = Recovering(parts.database, vault, pusher, mender, wire.slice_bytes, *beside)
    claim_clock = ClaimClock(parts.database, calendar, correspondence, *beside)
    notifier = Notifier(parts.database, vault, correspondence, calendar, *beside)
    rounds = {
        "same_contact": same_contacts.round,
        "recovering": recovering.round,
        "sender": sender.round,
        "claim_clock": claim_clock.round,
        "notifier": notifier.round,
        "incident_clock": IncidentClock(parts.database, *beside).round,
        "overdue": Overdue(parts.database, parts.clock, parts.metrics).round,
        "forgetting": Forgetting(parts.database, asking(client)).round,
    }
    backgrounds = _backgrounds(parts, vault, pusher, courier, rounds)
    assembly.serve(parts, rpcs, known_pseudonym, backgrounds, stop, ready, PeerSessions(client))
    client.close()
    consent.close()
    disclosure.close()


def _calendar(override: Path | None) -> WorkingCalendar:
    try:
        return load_calendar(override)
    except CalendarFileError as error:
        raise StartError(str(error)) from None


def _pusher(parts: Parts, vault: Vault, mender: Mender, push_seconds: float) -> Pusher:
    topic = Topic(
        store_acts.TOPIC,
        vault.apply_slice,
        lambda connection, ended, receipt: store_acts.settle(
            connection, ended, {c.correction_id: c.version for c in receipt.corrections}
        ),
        with_receipts(mender),
        send_together=vault.apply_slices,
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


def _backgrounds(
    parts: Parts,
    vault: Vault,
    pusher: Pusher,
    courier: Courier,
    more: Mapping[str, Callable[[], float]],
) -> list[Background]:
    keeper = SealingKeyKeeper(parts.database, vault.sealing_key, parts.clock)

    def rounds(name: str, round_: Callable[[], float]) -> Rounds:
        return Rounds(name, round_, parts.metrics, parts.log)

    dispatcher = Dispatcher(
        parts.database, pusher, vault.complete_resync, parts.clock, parts.metrics, parts.log
    )
    return [
        dispatcher,
        rounds("sealing_key", keeper.round),
        rounds("courier", courier.round),
        *(rounds(name, round_) for name, round_ in more.items()),
    ]


if __name__ == "__main__":
    raise SystemExit(main())

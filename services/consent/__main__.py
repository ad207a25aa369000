# SPDX-License-Identifier: Apache-2.0
"""The consent process: puts its parts together and serves."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from services.chassis.assembly import Background, Parts, prepare, serve
from services.chassis.client import Client
from services.chassis.config import load_settings
from services.chassis.configured_fields import load_configured_fields
from services.chassis.decider.dispatcher import Dispatcher
from services.chassis.decider.pusher import Pusher, Topic
from services.chassis.decider.settings import DeciderSettings
from services.chassis.forgetting import Forgetting, asking
from services.chassis.idempotency import IdempotencyKeys
from services.chassis.paging import PageTokens
from services.chassis.peer_sessions import PeerSessions
from services.chassis.process import run
from services.chassis.pseudonym import known_pseudonym
from services.chassis.refusal import PolicyDisagreed, SubjectLinked, SubjectRestricted
from services.chassis.rounds import Rounds
from services.chassis.sealed.courier import Courier
from services.chassis.sealed.keeper import SealingKeyKeeper
from services.chassis.sites import load_sites
from services.consent import store_journal, store_publication
from services.consent.servicer import SERVICE, handlers
from services.consent.servicer_acts import ActServicer
from services.consent.servicer_consents import ConsentServicer
from services.consent.servicer_links import LinkServicer
from services.consent.servicer_partner import PartnerServicer
from services.consent.servicer_policies import PolicyServicer
from services.consent.servicer_proof import ProofServicer
from services.consent.servicer_recording import Enforcer, Recording
from services.consent.servicer_states import StateServicer
from services.consent.servicer_subjects import SubjectServicer
from services.consent.wire_carried import Mender
from services.consent.wire_vault import Vault, schedule_body, slice_body

PROCESS = "consent"
_REJECT = f"{SERVICE}/RejectPolicy"
MIGRATIONS = Path(__file__).parent / "migrations"


class ConsentSettings(DeciderSettings):
    """What the consent process is told besides.

    `sites` is the TOML file that says who operates each site, `fields` the TOML file of the data
    that sites have added to the list.
    """

    sites: Path
    fields: Path | None = None


def main(ready: Callable[[], None] = lambda: None) -> int:
    """Serve until told to stop; the exit code. `ready` is called once it serves."""
    return run(PROCESS, lambda stop: _serve(stop, ready))


def _serve(stop: threading.Event, ready: Callable[[], None]) -> None:
    settings = load_settings(ConsentSettings, PROCESS)
    sites = load_sites(settings.sites)
    fields = load_configured_fields(settings.fields)
    parts = prepare(PROCESS, settings, MIGRATIONS)
    client = Client("vault", settings.vault, parts.certificate)
    journal = store_journal.Journal(parts.clock, slice_body)
    vault = Vault(client)
    pusher = _pusher(parts, vault, journal, settings.push_seconds)
    dispatcher = Dispatcher(
        parts.database, pusher, vault.complete_resync, parts.clock, parts.metrics, parts.log
    )
    keys = IdempotencyKeys(parts.secret)
    enforcer = Enforcer(parts.database, pusher)
    recording = Recording(parts.database, keys, journal, enforcer, parts.clock)
    press = store_publication.Press(parts.clock, schedule_body)
    tokens = PageTokens(parts.secret)
    table = handlers(
        PolicyServicer(parts.database, keys, press, enforcer, tokens, parts.clock),
        SubjectServicer(recording, parts.secret),
        ConsentServicer(parts.database, recording, parts.clock),
        StateServicer(parts.database, parts.clock),
        ProofServicer(parts.database, sites, fields, parts.clock),
        PartnerServicer(parts.database, keys, parts.secret, parts.clock),
        ActServicer(parts.database),
        LinkServicer(parts.database, recording, tokens, parts.clock),
    )
    forgetting = Forgetting(parts.database, asking(client))
    forget = Rounds("forgetting", forgetting.round, parts.metrics, parts.log)
    backgrounds: list[Background] = [dispatcher, forget, *_deliveries(parts, vault)]
    serve(parts, table, known_pseudonym, backgrounds, stop, ready, PeerSessions(client))
    client.close()


def _deliveries(parts: Parts, vault: Vault) -> list[Background]:
    """What brings the personal data of uses to the vault."""
    keeper = SealingKeyKeeper(parts.database, vault.sealing_key, parts.clock)
    courier = Courier(
        parts.database,
        vault.put_use,
        parts.clock,
        parts.metrics,
        parts.log,
        final=(SubjectRestricted, SubjectLinked, PolicyDisagreed),
        kept=False,
    )
    return [
        Rounds("sealing_key", keeper.round, parts.metrics, parts.log),
        Rounds("courier", courier.round, parts.metrics, parts.log),
    ]


def _pusher(
    parts: Parts, vault: Vault, journal: store_journal.Journal, push_seconds: float
) -> Pusher:
    mender = Mender(journal, parts.contract.methods[_REJECT].evidence)
    return Pusher(
        PROCESS,
        parts.database,
        [
            Topic(
                store_journal.TOPIC,
                vault.apply_slice,
                journal.settle,
                mender.mend,
                vault.apply_slices,
            ),
            Topic(store_publication.TOPIC, vault.apply_schedule, store_publication.settle_nothing),
        ],
        vault.open_incarnation,
        parts.clock,
        parts.metrics,
        parts.log,
        push_seconds,
    )


if __name__ == "__main__":
    raise SystemExit(main())

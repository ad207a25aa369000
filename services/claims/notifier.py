# SPDX-License-Identifier: Apache-2.0
"""Sends what the clock of claims tells: to the claimant's sealed address, to the officers (8.2).

The mail server's acceptance is the proof; a process that dies before its record sends the letter
once more under the same Message-ID. What can never be delivered becomes a task for an officer.
"""

from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from services.chassis.calendar import WorkingCalendar
from services.chassis.clock import Clock
from services.chassis.database import Database
from services.chassis.mail import Letter, LetterNotSent, Mailer
from services.chassis.metrics import Metrics
from services.chassis.refusal import DataLoss, Refusal, SubjectDestroyed
from services.chassis.sealed import store as sealed_store
from services.chassis.sealed.document import StoredDocument
from services.claims import store, store_acts, store_clock
from services.claims.answer import Sending
from services.claims.claim import Claim
from services.claims.clock import give_to_tell, itself
from services.claims.correspondence import Correspondence, NoOperator
from services.claims.notice import (
    REMINDERS,
    Notice,
    NoticeKind,
    no_answer_message,
    reminder_message,
)
from services.claims.retry import next_try
from services.claims.store_clock import Place
from services.claims.wire_vault import Vault

TOLD: Final = "no_answer.told"
UNDELIVERABLE: Final = "no_answer.undeliverable"
_BATCH: Final = 20
_PAUSE_SECONDS: Final = 1.0
_VAULT_SECONDS: Final = 2.0
_MAIL_SECONDS: Final = 20.0
_DAYS: Final = {kind: days for days, kind in REMINDERS.items()}


class Notifier:
    """`round` is what runs beside the server."""

    def __init__(
        self,
        database: Database,
        vault: Vault,
        correspondence: Correspondence,
        calendar: WorkingCalendar,
        clock: Clock,
        metrics: Metrics,
        log: Any,
    ) -> None:
        self._database = database
        self._vault = vault
        self._correspondence = correspondence
        self._calendar = calendar
        self._clock = clock
        self._metrics = metrics
        self._log = log

    def round(self) -> float:
        """Send what is due; returns the seconds until the next round."""
        mailer = self._correspondence.mailer
        if mailer is not None:
            with self._database.transaction() as connection:
                due = store_clock.due_notices(connection, self._clock.now(), _BATCH)
            for place, kind in due:
                self._send(mailer, place, kind)
        return _PAUSE_SECONDS

    def _send(self, mailer: Mailer, place: Place, kind: NoticeKind) -> None:
        taken = self._take(place, kind)
        if taken is None:
            return
        claim, notice, address = taken
        try:
            mailer.send(self._letter(claim, notice, address), _MAIL_SECONDS)
        except (SubjectDestroyed, DataLoss):
            self._end(claim, notice, Sending.UNDELIVERABLE)
        except LetterNotSent as failure:
            self._log.warning("notice not sent", for_good=failure.for_good)
            if failure.for_good:
                self._end(claim, notice, Sending.UNDELIVERABLE)
        except (Refusal, NoOperator) as refusal:
            # It is due again when the lease ends.
            self._log.warning("notice not sent", error=type(refusal).__name__)
        else:
            self._end(claim, notice, Sending.SENT)

    def _take(
        self, place: Place, kind: NoticeKind
    ) -> tuple[Claim, Notice, StoredDocument | None] | None:
        """Take a notice that is due for one try; None where another has it, or it cannot go yet."""
        now = self._clock.now()
        with self._database.transaction() as connection:
            claim = store.read_claim(connection, *place, lock=True)
            notice = store_clock.read_notice(connection, place, kind, lock=True)
            if claim is None or notice is None or not _is_due(notice, now):
                return None
            address = None
            if notice.address_id is not None:
                address = sealed_store.stored_at(connection, *place, notice.address_id)
                if address is None:
                    # The courier has not brought it to the vault yet.
                    return None
            notice = replace(
                notice, attempts=notice.attempts + 1, next_time=next_try(notice.attempts, now)
            )
            store_clock.write_notice(connection, claim, notice)
        return claim, notice, address

    def _letter(self, claim: Claim, notice: Notice, address: StoredDocument | None) -> Letter:
        letter_id = f"{claim.claim_id}.{notice.kind.lower()}.{notice.create_time:%Y%m%d}"
        if address is None:
            subject, text = reminder_message(claim, _DAYS[notice.kind])
            return Letter(self._correspondence.officers, subject, text, letter_id=letter_id)
        operator = self._correspondence.operator_of(claim.site_id)
        subject, text = no_answer_message(claim, operator)
        to = self._vault.get_document(address, "process/claims", _VAULT_SECONDS).decode()
        return Letter(to, subject, text, letter_id=letter_id)

    def _end(self, claim: Claim, notice: Notice, sending: Sending) -> None:
        """Record that the mail server has it, or never will."""
        now = self._clock.now()
        sent = sending is Sending.SENT
        with self._database.transaction() as connection:
            claim = store.read_claim(connection, claim.site_id, claim.claim_id, lock=True) or claim
            place = (claim.site_id, claim.claim_id)
            if store_clock.read_notice(connection, place, notice.kind, lock=True) != notice:
                # An officer has told it meanwhile, or it is told of another term.
                return
            notice = replace(
                notice,
                sending=sending,
                channel="EMAIL" if sent else None,
                dispatch_time=now if sent else None,
            )
            store_clock.write_notice(connection, claim, notice)
            if notice.kind is not NoticeKind.NO_ANSWER:
                return
            by = itself(TOLD if sent else UNDELIVERABLE)
            store_acts.append_evidence(connection, claim, by, {}, {}, {}, now)
            if not sent:
                give_to_tell(connection, claim, self._calendar, now)
        if not sent:
            self._metrics.alarms.labels("no_answer_undeliverable").inc()


def _is_due(notice: Notice, now: datetime) -> bool:
    return notice.sending is Sending.UNDER_WAY and notice.next_time <= now

# SPDX-License-Identifier: Apache-2.0
"""The clock of claims: reminds officers, and lets a term that passed lapse (clauses 8.2, 8.3).

A lapse is NO_ANSWER, told to the claimant; the block and the verification go on (T-8.2-e). Several
processes may run the rounds: a claim's row lock and its alarm say who does it, once.
"""

from datetime import datetime, timedelta
from typing import Any, Final

from services.chassis.calendar import WorkingCalendar
from services.chassis.clock import Clock
from services.chassis.database import Connection, Database
from services.chassis.metrics import Metrics
from services.claims import store, store_acts, store_answers, store_clock, store_tasks
from services.claims.answer import Sending
from services.claims.claim import Attribution, Claim
from services.claims.correspondence import Correspondence
from services.claims.notice import REMINDERS, Notice, NoticeKind
from services.claims.reminders import next_alarm, reminder_days
from services.claims.state import WAITING, ClaimAct, Claimant, Verification, transition
from services.claims.store_clock import Place
from services.claims.store_tasks import Task, TaskKind
from services.claims.store_verification import Desk
from services.claims.wire import slice_bytes

LAPSED: Final = "claim.lapsed"
REMINDED: Final = "claim.reminded"
_BATCH: Final = 100
_PAUSE_SECONDS: Final = 2.0
_AFTER_DEFECT: Final = timedelta(minutes=1)


class ClaimClock:
    """`round` is what runs beside the server."""

    def __init__(
        self,
        database: Database,
        calendar: WorkingCalendar,
        correspondence: Correspondence,
        clock: Clock,
        metrics: Metrics,
        log: Any,
    ) -> None:
        self._database = database
        self._calendar = calendar
        self._correspondence = correspondence
        self._clock = clock
        self._metrics = metrics
        self._log = log

    def round(self) -> float:
        """Do all that is due; returns the seconds until the next round."""
        now = self._clock.now()
        with self._database.transaction() as connection:
            places = store_clock.list_due(connection, now, _BATCH)
        for place in places:
            try:
                with self._database.transaction() as connection:
                    self._look_at(connection, place, now)
            except Exception as error:  # noqa: BLE001 - one claim must not hold up the others
                self._metrics.alarms.labels("claim_clock").inc()
                self._log.error("clock failed", topic="clock", error=type(error).__name__)
                with self._database.transaction() as connection:
                    store_clock.put_off(connection, place, now + _AFTER_DEFECT)
        return 0.0 if len(places) == _BATCH else _PAUSE_SECONDS

    def _look_at(self, connection: Connection, place: Place, now: datetime) -> None:
        if not store_clock.take(connection, place, now):
            return
        claim = store.read_claim(connection, *place)
        if claim is None:
            return
        if claim.state not in WAITING:
            store.write_alarm(connection, claim, None)
        elif claim.deadline.has_passed(now):
            self._lapse(connection, claim, now)
        else:
            self._remind(connection, claim, now)

    def _lapse(self, connection: Connection, claim: Claim, now: datetime) -> None:
        state = transition(claim.state, ClaimAct.LET_LAPSE, claim.verification)
        store.write_state(connection, claim, state)
        store.write_alarm(connection, claim, None)
        address_id = self._claimants_address(connection, claim)
        by_email = Sending.UNDER_WAY if address_id else Sending.NOT_BY_EMAIL
        notice = Notice(NoticeKind.NO_ANSWER, by_email, address_id, 0, now, now)
        store_clock.give_notice(connection, claim, notice)
        store_tasks.done(connection, claim.site_id, claim.claim_id, TaskKind.ANSWER_CLAIM, now)
        if address_id is None and claim.claimant is not Claimant.SITE:
            give_to_tell(connection, claim, self._calendar, now)
        decided_on = {
            "dueDate": claim.deadline.due_date.isoformat(),
            "calendar": claim.deadline.calendar_version,
            "told": "EMAIL" if address_id else "BY_OFFICER",
            "verificationOpen": claim.verification is Verification.OPEN,
        }
        by = itself(LAPSED)
        store_acts.append_evidence(connection, claim, by, {}, decided_on, {}, now)

    def _claimants_address(self, connection: Connection, claim: Claim) -> str | None:
        """The sealed address to tell; None where an officer has to."""
        if self._correspondence.mailer is None or claim.claimant is Claimant.SITE:
            return None
        return store_answers.email_address_id(connection, claim.site_id, claim.claim_id)

    def _remind(self, connection: Connection, claim: Claim, now: datetime) -> None:
        store.write_alarm(connection, claim, next_alarm(claim.deadline, now))
        days = reminder_days(claim.deadline, now)
        if days is None or claim.claimant is Claimant.SITE:
            # Its user has to answer, and no officer.
            return
        task = Task(claim.site_id, claim.claim_id, "", TaskKind.ANSWER_CLAIM, claim.deadline, now)
        store_tasks.give(connection, task)
        by_email = self._correspondence.mailer is not None and self._correspondence.officers
        sending = Sending.UNDER_WAY if by_email else Sending.NOT_BY_EMAIL
        notice = Notice(REMINDERS[days], sending, None, 0, now, now)
        store_clock.give_notice(connection, claim, notice)
        decided_on = {"dueDate": claim.deadline.due_date.isoformat(), "daysBefore": days}
        by = itself(REMINDED)
        store_acts.append_evidence(connection, claim, by, {}, decided_on, {}, now)


def give_to_tell(
    connection: Connection, claim: Claim, calendar: WorkingCalendar, now: datetime
) -> None:
    """An officer has to tell the claimant, by the next working day."""
    desk = Desk(slice_bytes, calendar, now)
    store_tasks.give(connection, desk.task(claim, TaskKind.TELL_NO_ANSWER))


def itself(event: str) -> Attribution:
    """The process does it, and nobody asked."""
    return Attribution("process/claims", "", event, "RECORD", "8.2")

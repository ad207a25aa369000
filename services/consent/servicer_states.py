# SPDX-License-Identifier: Apache-2.0
"""What was true of consents at a time, as known at a time (clause 4.1)."""

from __future__ import annotations

from typing import cast

from qupia.consent.v1 import consent_pb2
from services.chassis import evidence
from services.chassis.call import Call
from services.chassis.clock import Clock
from services.chassis.database import Connection, Database
from services.chassis.evidence import Entry
from services.chassis.pseudonym import pseudonym_of
from services.chassis.refusal import NotFound
from services.consent.history import schedule_known
from services.consent.purposes import CLAUSE_OF_CONSENT
from services.consent.store_policies import read_schedule
from services.consent.store_states import consents_at, stance_at
from services.consent.store_subjects import read_last_time
from services.consent.wire import consent_message, moment_of, stance_message, timestamp

_PURPOSES = tuple(sorted(CLAUSE_OF_CONSENT))


class StateServicer:
    """Handles questions about the state of a subject's consents."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def list_consents(self, call: Call) -> consent_pb2.ListConsentsResponse:
        """Every purpose that was ever asked for, and the agreement. Raises NotFound."""
        request = cast(consent_pb2.ListConsentsRequest, call.request)
        site_id, subject_id, now = call.principal.site_id, request.subject_id, self._clock.now()
        with self._database.transaction() as connection:
            last_time = read_last_time(connection, site_id, subject_id)
            if last_time is None or not call.principal.concerns(subject_id):
                raise NotFound
            # What was recorded is known, also where the clock has stepped back since.
            moment = moment_of(request, max(now, last_time))
            schedule = schedule_known(read_schedule(connection, site_id), moment.known)
            found = consents_at(connection, site_id, subject_id, _PURPOSES, moment)
            stance = stance_at(connection, site_id, subject_id, moment)
            evidence.append(connection, entry_of(connection, call, subject_id), now)
        states = {p: f.known.state(p, schedule, moment.at) for p, f in sorted(found.items())}
        return consent_pb2.ListConsentsResponse(
            acceptance=stance_message(stance) if stance else None,
            consents=[consent_message(p, state) for p, state in states.items() if state],
            at_time=timestamp(moment.at),
            known_time=timestamp(moment.known),
        )


def entry_of(connection: Connection, call: Call, subject_id: str) -> Entry:
    """The evidence of a look into a subject's consents."""
    site_id = call.principal.site_id
    return Entry(
        event=call.method.evidence,
        verb=call.method.verb,
        outcome=evidence.PERMITTED,
        site_id=site_id,
        principal=call.principal.name,
        role=call.role,
        subject=pseudonym_of(connection, site_id, subject_id),
        clause=call.method.clauses[0],
    )

# SPDX-License-Identifier: Apache-2.0
"""What proves a consent (Law 25(2)(5); clauses 1.1.1, 2.1, 7.2.4)."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import cast

from qupia.consent.v1 import consent_pb2, consent_reading_pb2
from services.chassis import evidence
from services.chassis.call import Call
from services.chassis.clock import Clock
from services.chassis.configured_fields import ConfiguredFields, Fields
from services.chassis.database import Connection, Database
from services.chassis.decider.store import read_act
from services.chassis.pseudonym import pseudonym_of
from services.chassis.refusal import NotFound, StateConflict
from services.chassis.sites import Operator, Sites
from services.consent.book import Kind
from services.consent.consent import Fact, State
from services.consent.history import Moment, schedule_known
from services.consent.proof import Proof, Word, data_of
from services.consent.servicer_states import entry_of
from services.consent.store_events import read_numbered, read_words
from services.consent.store_evidence import read_records
from services.consent.store_policies import read_policy, read_schedule
from services.consent.store_states import Found, consents_at
from services.consent.store_subjects import read_last_time, read_wording
from services.consent.wire import express_purpose, moment_of, time_of
from services.consent.wire_proof import proof_message

_ENDS = (Kind.WITHDRAWN, Kind.DECLINED, Kind.REJECTED, Kind.CARRIED_DISAGREEMENT)


class ProofServicer:
    """Handles the proof of consents; `sites` says who operates them, `fields` what they add."""

    def __init__(
        self, database: Database, sites: Sites, fields: ConfiguredFields, clock: Clock
    ) -> None:
        self._database = database
        self._sites = sites
        self._fields = fields
        self._clock = clock

    def prove_consent(self, call: Call) -> consent_pb2.ProveConsentResponse:
        """The record of a consent, and a page for people. Raises NotFound, PurposeUnknown.

        Raises StateConflict where nobody has said who operates the site: a record without the
        operator proves nothing (T-1.1.1-b).
        """
        request = cast(consent_pb2.ProveConsentRequest, call.request)
        purpose = express_purpose(request.purpose)
        site_id, subject_id, now = call.principal.site_id, request.subject_id, self._clock.now()
        with self._database.transaction() as connection:
            last_time = read_last_time(connection, site_id, subject_id)
            if last_time is None or not call.principal.concerns(subject_id):
                raise NotFound
            operator = self._sites.operator_of(site_id)
            if operator is None:
                raise StateConflict(clause="1.1.1")
            moment = moment_of(request, max(now, last_time))
            found = consents_at(connection, site_id, subject_id, [purpose], moment)[purpose]
            place = (site_id, subject_id)
            fields = self._fields.of_site(site_id)
            proof = _proof(connection, place, purpose, moment, operator, fields, found)
            evidence.append(connection, entry_of(connection, call, subject_id), now)
        return proof_message(proof)

    def read_consent_at(self, call: Call) -> consent_reading_pb2.ReadConsentAtResponse:
        """Whether a consent was in force at a time, and what gave it. Raises NotFound,
        PurposeUnknown, InvalidArgument for a purpose that needs none."""
        request = cast(consent_reading_pb2.ReadConsentAtRequest, call.request)
        purpose = express_purpose(request.purpose)
        place, now = (request.site_id, request.subject_id), self._clock.now()
        with self._database.transaction() as connection:
            last_time = read_last_time(connection, *place)
            if last_time is None:
                raise NotFound
            moment = Moment(time_of(request.at_time), max(now, last_time))
            found = consents_at(connection, *place, [purpose], moment)[purpose]
            schedule = schedule_known(read_schedule(connection, place[0]), moment.known)
            stands = found.known.state(purpose, schedule, moment.at)
            entry = replace(
                entry_of(connection, call, request.subject_id),
                site_id=place[0],
                subject=pseudonym_of(connection, *place),
            )
            evidence.append(connection, entry, now)
        response = consent_reading_pb2.ReadConsentAtResponse()
        if stands is not None and stands[0] is State.GIVEN:
            response.given, response.act_id = True, stands[1].act_id
        return response


def _proof(
    connection: Connection,
    place: tuple[str, str],
    purpose: str,
    moment: Moment,
    operator: Operator,
    fields: Fields,
    found: Found,
) -> Proof:
    site_id, subject_id = place
    schedule = schedule_known(read_schedule(connection, site_id), moment.known)
    stands = found.known.state(purpose, schedule, moment.at)
    state, fact = stands or (None, None)
    words = _words(connection, place, fact, found, moment.known) if fact else ()
    version = fact.policy_version if fact else schedule.in_force(moment.at)
    acts = [word.event.act_id for word in words]
    wording = ""
    if fact and fact.wording_sha256:
        wording = read_wording(connection, site_id, fact.wording_sha256) or ""
    return Proof(
        subject_id,
        purpose,
        moment,
        operator,
        state,
        fact,
        words,
        wording,
        read_policy(connection, site_id, version) if version else None,
        data_of(purpose, version, fields),
        read_records(connection, site_id, acts, moment.known),
    )


def _words(
    connection: Connection, place: tuple[str, str], fact: Fact, found: Found, known: datetime
) -> tuple[Word, ...]:
    """The word behind a fact, and the one that ended it."""
    events = [read_words(connection, place[0], [fact.act_id])[fact.act_id]]
    if fact == found.known.standing and found.sequence is not None:
        last = read_numbered(connection, *place, found.sequence)
        if last is not None and last.kind in _ENDS and last.act_id != fact.act_id:
            events.append(last)
    words = []
    for event in events:
        act = read_act(connection, event.act_id, place[0])
        in_force = act.in_force_time if act else None
        words.append(Word(event, in_force if in_force and in_force <= known else None))
    return tuple(words)

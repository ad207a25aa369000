# SPDX-License-Identifier: Apache-2.0
"""The second transaction of releases: commit RELEASED, then the data may leave (I3).

The deliveries are locked again: what was closed, or given to somebody else,
while the vault was asked is withheld. So once such a change is acknowledged,
nothing leaves by it any more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from qupia.contract.v1 import contract_pb2
from services.chassis.clock import Clock
from services.chassis.database import Connection, Database
from services.chassis.evidence import RefusalLog
from services.chassis.lane import Lane
from services.chassis.pipeline import is_decision
from services.chassis.refusal import Unavailable, refusal_of
from services.disclosure import store_fetches, store_ledger, store_places, store_releases, wire
from services.disclosure.ledger import Disclosure, Outcome, left
from services.disclosure.permission import Denial, withheld
from services.disclosure.receipt import receipt_of
from services.disclosure.release import ReleaseState
from services.disclosure.servicer_attempt import (
    Against,
    Answered,
    OnRecord,
    Turned,
    permit,
    record_refusals,
)
from services.disclosure.store_places import Key, Place
from services.disclosure.store_releases import Left, Unleft


class Concluding:
    """Ends releases that the vault has answered."""

    def __init__(self, database: Database, clock: Clock, refusals: RefusalLog, lane: Lane) -> None:
        self._database = database
        self._clock = clock
        self._refusals = refusals
        self._lane = lane

    def conclude(self, answered: Sequence[Answered]) -> list[OnRecord | Exception]:
        """End all in one transaction; after its commit the data may leave."""
        now = self._clock.now()
        outcomes: dict[int, OnRecord | Exception] = {}
        with self._database.transaction() as connection, self._lane.entered():
            given = [each for each in answered if each.given]
            store_places.lock(connection, [each.key for each in answered])
            places = store_places.read(connection, [each.key for each in given])
            leaving = _leaving(given, places, now)
            staying = [each for each in answered if id(each) not in leaving]
            outcomes |= self._hold_back(connection, staying, places, now)
            outcomes |= self._let_go(connection, given, places, leaving, now)
        return [outcomes[id(each)] for each in answered]

    def _let_go(
        self,
        connection: Connection,
        given: Sequence[Answered],
        places: Mapping[Key, Place],
        leaving: Mapping[int, Left],
        now: datetime,
    ) -> dict[int, OnRecord | Exception]:
        ended = store_releases.end_left(
            connection, list(leaving.values()), ReleaseState.RELEASED, now
        )
        outcomes: dict[int, OnRecord | Exception] = {}
        lines = []
        for each in given:
            way = leaving.get(id(each))
            if way is None:
                continue
            if way.release.release_id not in ended:
                # The reconciler was faster and did not see them leave.
                outcomes[id(each)] = Turned(Unavailable(retry_after=1))
                continue
            outcomes[id(each)] = on_record = _on_record(each, way, now)
            pseudonym = places[each.key].pseudonym
            digest = on_record.receipt.digest
            proof = permit(each.prepared.attempt.call, way, digest, pseudonym)
            lines.append((_line(way, now), proof))
        store_ledger.record_left(connection, lines, now)
        return outcomes

    def _hold_back(
        self,
        connection: Connection,
        staying: Sequence[Answered],
        places: Mapping[Key, Place],
        now: datetime,
    ) -> dict[int, OnRecord | Exception]:
        """End releases by which nothing leaves: the vault refused, or they came too late."""
        ways = [_unleft(each, places, now) for each in staying]
        ended = store_releases.end_unleft(connection, ways, now)
        store_fetches.hand_on(
            connection, [w.release for w in ways if w.release.release_id in ended]
        )
        outcomes: dict[int, OnRecord | Exception] = {}
        refused = {}
        for each, way in zip(staying, ways, strict=True):
            if way.release.release_id not in ended:
                # The reconciler was faster, or the same was written before and not heard.
                outcomes[id(each)] = Turned(Unavailable(retry_after=1))
            elif way.state is ReleaseState.WITHDRAWN:
                outcomes[id(each)] = Turned(refusal_of(way.denial.reason, way.denial.clause))
            else:
                refused[id(each)] = Against(each.prepared.attempt, way.denial, each.release)
        turned = record_refusals(connection, self._refusals, list(refused.values()), now)
        return outcomes | dict(zip(refused, turned, strict=True))


def _on_record(each: Answered, way: Left, now: datetime) -> OnRecord:
    details = wire.details(way.release, each.outcome.read)
    receipt = receipt_of(
        way.release, way.first_release_id, way.fields, wire.details_json(details), now
    )
    return OnRecord(way.release.release_id, way.first_release_id, details, now, receipt)


def _leaving(
    given: Sequence[Answered], places: Mapping[Key, Place], now: datetime
) -> dict[int, Left]:
    """Those that leave, by the identity of the answer; each repeats its delivery's first."""
    leaving: dict[int, Left] = {}
    firsts: dict[Key, str] = {}
    for each in given:
        place = places[each.key]
        if withheld(place.delivery, place.order, now) is not None:
            continue
        first = place.first_release_id or firsts.get(each.key, "")
        firsts.setdefault(each.key, each.release.release_id)
        fields = wire.released_fields(each.release.kind, each.outcome.read)
        leaving[id(each)] = Left(each.release, each.outcome.read.entry_id, fields, first)
    return leaving


def _unleft(each: Answered, places: Mapping[Key, Place], now: datetime) -> Unleft:
    """How one by which nothing leaves ends, and why."""
    if each.given:
        place = places[each.key]
        against = withheld(place.delivery, place.order, now)
        assert against is not None, "only what is withheld is held back"
        return Unleft(each.release, ReleaseState.WITHHELD, against, each.outcome.read.entry_id)
    problem = each.outcome.problem
    refusal = refusal_of(contract_pb2.Refusal.Reason.Name(problem.code), problem.clause)
    state = ReleaseState.REFUSED if is_decision(refusal) else ReleaseState.WITHDRAWN
    return Unleft(each.release, state, Denial(refusal.reason, refusal.clause))


def _line(way: Left, now: datetime) -> Disclosure:
    outcome = Outcome.REPEAT if way.first_release_id else Outcome.RELEASED
    return left(way.release, outcome, now, way.fields, way.first_release_id)

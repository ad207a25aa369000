# SPDX-License-Identifier: Apache-2.0
"""Claims that come in at the same moment, filed in one transaction and pushed in one call (8.1).

As if they had come one after the other: two of one subject are filed in two turns, and none is
kept from being filed by another.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from math import inf

from qupia.claims.v1 import claims_pb2
from services.chassis.call import Call
from services.chassis.database import Connection
from services.chassis.ids import new_uuid
from services.chassis.refusal import NotFound, Refusal, StateConflict
from services.chassis.sealed import store as sealed_store
from services.claims import store, store_acts, store_filing, store_verification, wire
from services.claims.claim import Claim
from services.claims.documents import Text
from services.claims.flooding import TooManyFiled
from services.claims.servicer_common import RESERVE_SECONDS, Office, is_officer
from services.claims.servicer_flooding import FloodGate
from services.claims.store_filing import NewClaim
from services.claims.store_steps import TooManyClaims
from services.claims.store_verification import Desk

_LOOK_UP_SECONDS = 1.0
# A vault that did not answer a moment ago is asked once more, not waited for.
_PUSH_SECONDS_WITHOUT_VAULT = 0.3
_MOST_LOOKED_UP = 100


@dataclass(frozen=True, slots=True)
class Asked:
    """A claim that a call asks to file, without id and number; `email_ids` as in `NewClaim`.

    `recorded` makes it with its id, as it is when it is recorded at that time.
    """

    call: Call
    claim: Claim
    recorded: Callable[[str, datetime], Claim]
    texts: Sequence[Text]
    email_ids: Sequence[str]
    authority: claims_pb2.Authority | None


@dataclass(frozen=True, slots=True)
class Filed:
    """A claim as it stands, and the act that filed it, which is empty where it names nobody."""

    claim: Claim
    act_id: str


_Known = Mapping[str, frozenset[str] | None]
"""By site, those of the subjects asked for that it has; None where the vault cannot say."""
_Stood = str | Exception
"""The id of the claim that stands for a call, or why there is none."""


class Turn:
    """Files claims together."""

    def __init__(self, office: Office, gate: FloodGate) -> None:
        self._office = office
        self._gate = gate

    def file_all(self, asked: Sequence[Asked]) -> list[Filed | Exception]:
        """Record claims, then bring them into force as far as the vault and their time allow.

        TooManyFiled for one that is turned away: nothing of it is kept, and the caller records it.
        Whatever fails half-way may be done again: each is filed once per idempotency key. Raises
        Unavailable where nothing was recorded.
        """
        stood: list[_Stood] = [NotFound()] * len(asked)
        away = False
        for turn in _turns(asked):
            some = [asked[number] for number in turn]
            known = self._look_up(some)
            away = away or None in known.values()
            for number, outcome in zip(turn, self._record(some, known), strict=True):
                stood[number] = outcome
        self._bring_into_force(asked, stood, vault_away=away)
        return self._told(asked, stood)

    def stands(self, asked: Asked) -> Filed | None:
        """What stands under the call's idempotency key by now; None: nothing."""
        with self._office.database.transaction() as connection:
            claim_id = self._office.keys.standing(connection, asked.call)
        if claim_id is None:
            return None
        [filed] = self._told([asked], [claim_id])
        return filed if isinstance(filed, Filed) else None

    def _look_up(self, asked: Sequence[Asked]) -> _Known:
        named: dict[str, set[str]] = {}
        for each in asked:
            named.setdefault(each.claim.site_id, set()).update(each.claim.subject_ids)
        seconds = min(_LOOK_UP_SECONDS, max(each.call.remaining() for each in asked))
        reference = asked[0].call.reference
        return {
            site_id: self._known(site_id, sorted(subject_ids), seconds, reference)
            for site_id, subject_ids in named.items()
        }

    def _known(
        self, site_id: str, subject_ids: Sequence[str], seconds: float, reference: str
    ) -> frozenset[str] | None:
        known: frozenset[str] = frozenset()
        try:
            for first in range(0, len(subject_ids), _MOST_LOOKED_UP):
                some = subject_ids[first : first + _MOST_LOOKED_UP]
                known |= self._office.vault.look_up(site_id, some, seconds, reference)
        except Refusal:
            # Whatever keeps the vault from answering must not keep a person from claiming.
            return None
        return known

    def _record(self, asked: Sequence[Asked], known: _Known) -> list[_Stood]:
        """Write claims, no two of one subject, once per idempotency key. Raises Unavailable."""
        keys = self._office.keys
        # Of every attempt its own: what an earlier one has filed stands under another.
        ids = [new_uuid() for _ in asked]
        wanted = [(each.call, claim_id) for each, claim_id in zip(asked, ids, strict=True)]
        with self._office.database.transaction() as connection:
            now = self._office.clock.now()
            stood: list[_Stood] = list(keys.begin_each(connection, wanted, now))
            begun = [number for number, claim_id in enumerate(ids) if stood[number] == claim_id]
            for number in begun:
                there = known[asked[number].claim.site_id]
                if there is not None and not there.issuperset(asked[number].claim.subject_ids):
                    stood[number] = NotFound()
            fresh = [number for number in begun if isinstance(stood[number], str)]
            recorded = [
                replace(asked[number], claim=asked[number].recorded(ids[number], now))
                for number in fresh
            ]
            for number, outcome in zip(fresh, self._write(connection, recorded, now), strict=True):
                stood[number] = outcome
            refused = [asked[n].call for n in begun if not isinstance(stood[n], str)]
            keys.let_go(connection, refused)
        return stood

    def _write(self, connection: Connection, asked: Sequence[Asked], now: datetime) -> list[_Stood]:
        if not asked:
            return []
        key = sealed_store.current_key(connection)
        steps = [self._office.step(each.call, key, each.claim, each.texts) for each in asked]
        wanted = [
            NewClaim(each.claim, step, not is_officer(each.call), each.email_ids)
            for each, step in zip(asked, steps, strict=True)
        ]
        outcomes = store_filing.file_all(
            connection,
            wanted,
            lambda limited: self._gate.require_room(connection, limited),
            wire.slice_bytes,
            now,
        )
        return [
            self._written(connection, each, outcome)
            for each, outcome in zip(asked, outcomes, strict=True)
        ]

    def _written(
        self, connection: Connection, asked: Asked, outcome: Claim | store_filing.Refused
    ) -> _Stood:
        if isinstance(outcome, TooManyClaims):
            return StateConflict()
        if isinstance(outcome, TooManyFiled):
            return outcome
        paper = wire.authority(asked.authority) if asked.authority is not None else None
        desk = Desk(wire.slice_bytes, self._office.calendar, outcome.record_time)
        by = asked.call.principal.name
        store_verification.filed(connection, outcome, paper, by, desk)
        return outcome.claim_id

    def _bring_into_force(
        self, asked: Sequence[Asked], stood: Sequence[_Stood], *, vault_away: bool
    ) -> None:
        until = time.monotonic() + max(each.call.remaining() for each in asked) - RESERVE_SECONDS
        standing = [
            (each.claim, claim_id)
            for each, claim_id in zip(asked, stood, strict=True)
            if isinstance(claim_id, str)
        ]
        most = _PUSH_SECONDS_WITHOUT_VAULT if vault_away else inf
        self._office.bring_all_into_force(standing, until, most)

    def _told(self, asked: Sequence[Asked], stood: Sequence[_Stood]) -> list[Filed | Exception]:
        """Every claim as it stands by now, or why there is none."""
        places = [
            (each.claim.site_id, claim_id)
            for each, claim_id in zip(asked, stood, strict=True)
            if isinstance(claim_id, str)
        ]
        claims: dict[store.Place, Claim] = {}
        act_ids: dict[store.Place, str] = {}
        if places:
            with self._office.database.transaction() as connection:
                claims = store.read_claims(connection, places)
                event = asked[0].call.method.evidence
                act_ids = store_acts.first_act_ids(connection, places, event)
        told: list[Filed | Exception] = []
        for each, claim_id in zip(asked, stood, strict=True):
            if isinstance(claim_id, Exception):
                told.append(claim_id)
                continue
            place = (each.claim.site_id, claim_id)
            claim = claims.get(place)
            told.append(Filed(claim, act_ids.get(place, "")) if claim else NotFound())
        return told


def _turns(asked: Sequence[Asked]) -> list[list[int]]:
    """The places of claims, so that no two of one turn name the same subject; the first first."""
    turns: list[list[int]] = []
    last: dict[tuple[str, str], int] = {}
    for number, each in enumerate(asked):
        named = [(each.claim.site_id, subject_id) for subject_id in each.claim.subject_ids]
        turn = max((last.get(subject, -1) for subject in named), default=-1) + 1
        if turn == len(turns):
            turns.append([])
        turns[turn].append(number)
        last |= dict.fromkeys(named, turn)
    return turns

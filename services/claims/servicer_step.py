# SPDX-License-Identifier: Apache-2.0
"""A step of a claim as every RPC takes it: once per idempotency key, then brought into force."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TypeVar, cast

from google.protobuf.message import Message

from qupia.claims.v1 import claims_pb2
from services.chassis.call import Call
from services.chassis.database import Connection
from services.chassis.decider import store as decider_store
from services.chassis.ids import new_uuid
from services.chassis.refusal import AwaitingSecondApproval, NotFound, StateConflict
from services.chassis.sealed import store as sealed_store
from services.claims import store, wire
from services.claims.claim import Claim
from services.claims.documents import Text
from services.claims.servicer_common import RESERVE_SECONDS, Office, require_officer
from services.claims.state import IllegalTransition
from services.claims.store_acts import key_of
from services.claims.store_steps import Step
from services.claims.store_verification import Acts, Desk, NotOpen, SameOfficer

M = TypeVar("M", bound=Message)
StepAct = Callable[[Connection, Claim, Step, Desk], Acts]
"""Writes a step. Raises NotOpen, IllegalTransition, SameOfficer, Refusal."""


class Steps:
    """Takes steps of claims for officers."""

    def __init__(self, office: Office) -> None:
        self._office = office

    def take(
        self,
        call: Call,
        texts: Sequence[Text],
        act: StepAct,
        response: type[M],
        subject_id: str = "",
    ) -> M:
        """Do a step once per idempotency key, bring it into force, tell how far it has come.

        `subject_id`: a subject besides those the claim names that the step concerns.
        """
        require_officer(call)
        office, claim_id = self._office, _claim_id(call)
        attempt = new_uuid()
        with office.database.transaction() as connection:
            now = office.clock.now()
            stood = office.keys.begin(connection, call, attempt, now)
            if stood == attempt:
                stood = self._done(connection, call, texts, act, now)
                office.keys.amend(connection, call, stood)
        if subject_id:
            key = key_of(call.principal.site_id, subject_id)
            office.pusher.push(key, call.remaining() - RESERVE_SECONDS)
        office.bring_into_force(call, office.read(call, claim_id))
        return self._answer(call, claim_id, stood, response)

    def _done(
        self,
        connection: Connection,
        call: Call,
        texts: Sequence[Text],
        act: StepAct,
        now: datetime,
    ) -> str:
        """Do it; the id of its first act, or a new one where it needs none."""
        office, claim_id = self._office, _claim_id(call)
        claim = store.read_claim(connection, call.principal.site_id, claim_id)
        if claim is None:
            raise NotFound
        step = office.step(call, sealed_store.current_key(connection), claim, texts)
        desk = Desk(wire.slice_bytes, office.calendar, now)
        try:
            act_ids = act(connection, claim, step, desk)
        except (NotOpen, IllegalTransition):
            raise StateConflict from None
        except SameOfficer:
            raise AwaitingSecondApproval from None
        return next(iter(act_ids.values()), new_uuid())

    def _answer(self, call: Call, claim_id: str, act_id: str, response: type[M]) -> M:
        office = self._office
        claim = office.read(call, claim_id)
        with office.database.transaction() as connection:
            act = decider_store.read_act(connection, act_id, claim.site_id)
        answer = response()
        cast(claims_pb2.GetClaimResponse, answer).claim.CopyFrom(wire.claim_message(claim))
        told = cast(claims_pb2.FileClaimResponse, answer)
        if act is not None:
            told.act_id = act.act_id
        told.enforcement = wire.enforcement(act.enforcement if act else "IN_FORCE")
        return answer


def _claim_id(call: Call) -> str:
    return cast(claims_pb2.GetClaimRequest, call.request).claim_id

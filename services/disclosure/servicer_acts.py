# SPDX-License-Identifier: Apache-2.0
"""What all handlers share: evidence of a call, and how far a recorded act has come."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import cast

from qupia.disclosure.v1 import disclosure_pb2
from services.chassis import evidence
from services.chassis.call import Call
from services.chassis.database import Database
from services.chassis.decider import store as decider
from services.chassis.decider.pusher import Pusher
from services.chassis.decider.store import Act, Key
from services.chassis.evidence import Entry
from services.chassis.refusal import NotFound, refusal_of
from services.disclosure import wire

DONE, PERMITTED, REFUSED = evidence.DONE, evidence.PERMITTED, evidence.REFUSED
_ANSWER_SECONDS = 0.5
_NEVER_IN_FORCE = {
    decider.SUBJECT_DESTROYED: "SUBJECT_DESTROYED",
    decider.SUPERSEDED: "STATE_CONFLICT",
}


def entry(
    call: Call,
    outcome: str,
    *,
    subject: str = "",
    clause: str = "",
    reason: str = "",
    refs: Mapping[str, str],
    decided_on: Mapping[str, object] | None = None,
    digests: Mapping[str, str] | None = None,
    secret_until: datetime | None = None,
) -> Entry:
    """The evidence of a call; `subject` is the pseudonym."""
    return Entry(
        event=call.method.evidence,
        verb=call.method.verb,
        outcome=outcome,
        site_id=call.principal.site_id,
        principal=call.principal.name,
        role=call.role,
        subject=subject,
        clause=clause or call.method.clauses[0],
        reason=reason,
        refs={name: value for name, value in refs.items() if value},
        decided_on=decided_on or {},
        digests=digests or {},
        secret_until=secret_until,
    )


class Acts:
    """Pushes recorded acts and says how far they have come."""

    def __init__(self, database: Database, pusher: Pusher) -> None:
        self._database = database
        self._pusher = pusher

    def push(self, call: Call, key: Key) -> None:
        """Push a subject's slice, as long as the caller can wait; the dispatcher does the rest."""
        self._pusher.push(key, call.remaining() - _ANSWER_SECONDS)

    def get_act(self, call: Call) -> disclosure_pb2.GetActResponse:
        """Answer GetAct. Raises NotFound."""
        request = cast(disclosure_pb2.GetActRequest, call.request)
        with self._database.transaction() as connection:
            act = decider.read_act(connection, request.act_id, call.principal.site_id)
        if act is None:
            raise NotFound
        return disclosure_pb2.GetActResponse(act=wire.act_message(act))


def stood(act: Act | None) -> Act:
    """An act that is, or may still come, in force. Raises the refusal that ended it otherwise."""
    if act is None:
        raise NotFound
    if act.enforcement == decider.REFUSED:
        raise refusal_of(act.reason)
    if act.enforcement in _NEVER_IN_FORCE:
        raise refusal_of(_NEVER_IN_FORCE[act.enforcement])
    return act

# SPDX-License-Identifier: Apache-2.0
"""Evidence of refusals that the pipeline or a handler raised, in a transaction of its own."""

from __future__ import annotations

from collections.abc import Callable

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from sqlalchemy.engine import Connection

from services.chassis import evidence
from services.chassis.call import Call
from services.chassis.clock import Clock
from services.chassis.contract import fields_of
from services.chassis.database import Database
from services.chassis.evidence import Entry, RefusalLog
from services.chassis.refusal import Refusal
from services.chassis.validation import is_form

# Ids of the request that an entry may name; their forms hold no personal data.
_REFS = ("order_id", "delivery_id", "recipient_id", "claim_id", "purpose", "reference")


class RefusalRecorder:
    """Records the refusal of a call before its answer leaves."""

    def __init__(
        self,
        database: Database,
        refusals: RefusalLog,
        clock: Clock,
        pseudonym: Callable[[Connection, str, str], str],
    ) -> None:
        self._database = database
        self._refusals = refusals
        self._clock = clock
        self._pseudonym = pseudonym

    def __call__(self, call: Call, refusal: Refusal) -> None:
        """Record; raises Unavailable where that cannot be, BudgetExhausted past the budget."""
        with self._database.transaction() as connection:
            self.record(connection, call, refusal)

    def record(self, connection: Connection, call: Call, refusal: Refusal) -> str:
        """Record in the caller's transaction; returns the entry's id."""
        entry = self._entry(connection, call, refusal)
        call.recorded = True
        return self._refusals.record(connection, entry, self._clock.now())

    def _entry(self, connection: Connection, call: Call, refusal: Refusal) -> Entry:
        # A caller whom nobody vouches for is recorded all the same (T-1.1.1-a).
        site_id = call.caller.site_id if call.caller else ""
        subject_id = _text(call.request, "subject_id")
        return Entry(
            event=call.method.evidence,
            verb=call.method.verb,
            outcome=evidence.REFUSED,
            site_id=site_id,
            principal=call.caller.name if call.caller else f"unknown/{call.peer}",
            role=call.role if call.caller else "",
            subject=self._pseudonym(connection, site_id, subject_id) if subject_id else "",
            clause=refusal.clause,
            reason=refusal.reason,
            refs=references(call.request),
        )


def references(request: Message) -> dict[str, str]:
    """The ids a request names, as far as they have the form of ids."""
    known = [field for field in fields_of(request) if field.name in _REFS]
    return {field.name: value for field in known if (value := _id(request, field))}


def _text(request: Message, name: str) -> str:
    field = next((f for f in fields_of(request) if f.name == name), None)
    return _id(request, field) if field is not None else ""


def _id(request: Message, field: FieldDescriptor) -> str:
    value = getattr(request, field.name)
    if field.enum_type is not None:
        known = field.enum_type.values_by_number.get(value)
        return known.name if known and known.number else ""
    return value if isinstance(value, str) and value and is_form(field, value) else ""

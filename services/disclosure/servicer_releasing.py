# SPDX-License-Identifier: Apache-2.0
"""The release of deliveries (clauses 3.4, 5.2): on record before a byte leaves (I3, I4).

Transaction 1 decides and commits PREPARED; the vault decides on its own
standing, writes its entry and gives the data; transaction 2 commits RELEASED
with the line of the ledger and the evidence; then the answer leaves. Whatever
ends in between leaves a PREPARED release to the reconciler, and no data.

Many attempts take this way together, each with an outcome of its own; one is
a batch of one. A batch that fails as a whole is tried again one by one, so
that nobody suffers from a neighbour.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from qupia.vault.v1 import vault_pb2
from services.chassis.refusal import Refusal, Unavailable
from services.chassis.signing import Signer
from services.disclosure import wire
from services.disclosure.servicer_attempt import (
    Answered,
    Attempt,
    OnRecord,
    Prepared,
    Released,
    Turned,
)
from services.disclosure.servicer_concluding import Concluding
from services.disclosure.servicer_preparing import Preparing

_T = TypeVar("_T")
_R = TypeVar("_R")
ReadForRelease = Callable[
    [vault_pb2.ReadForReleaseRequest, float], vault_pb2.ReadForReleaseResponse
]
"""Asks the vault, within so many seconds. Raises Refusal."""


class Releasing:
    """Releases deliveries to the recipients they are assigned to."""

    def __init__(
        self,
        preparing: Preparing,
        read_for_release: ReadForRelease,
        concluding: Concluding,
        signer: Signer,
    ) -> None:
        self._preparing = preparing
        self._read_for_release = read_for_release
        self._concluding = concluding
        self._signer = signer

    def release(self, attempts: Sequence[Attempt], timeout: float) -> list[Released | Exception]:
        """Release; each attempt has its own answer, or the exception that ended it.

        `timeout` is how many seconds the vault is given. Turned: a refusal, on
        record where it is a decision; Unavailable where it is not known what
        the vault did.
        """
        prepared = _together(self._preparing.prepare, attempts)
        asked = [each for each in prepared if isinstance(each, Prepared)]
        answers = iter(self._ask(asked, timeout))
        answered = [next(answers) if isinstance(each, Prepared) else each for each in prepared]
        told = [each for each in answered if isinstance(each, Answered)]
        ends = iter(_together(self._concluding.conclude, told))
        return [
            self._signed(next(ends)) if isinstance(each, Answered) else each for each in answered
        ]

    def _ask(self, asked: Sequence[Prepared], timeout: float) -> list[Answered | Exception]:
        if not asked:
            return []
        request = vault_pb2.ReadForReleaseRequest(
            items=[wire.release_item(each.release) for each in asked]
        )
        try:
            outcomes = list(self._read_for_release(request, timeout).outcomes)
        except Refusal:
            outcomes = []
        if len(outcomes) != len(asked):
            return [Turned(Unavailable(retry_after=1)) for _ in asked]
        return [
            Answered(each, outcome)
            if outcome.read.entry_id or outcome.problem.code
            else Turned(Unavailable(retry_after=1))
            for each, outcome in zip(asked, outcomes, strict=True)
        ]

    def _signed(self, end: OnRecord | Exception) -> Released | Exception:
        if isinstance(end, Exception):
            return end
        return Released(
            release_id=end.release_id,
            details=end.details,
            release_time=wire.timestamp(end.release_time),
            receipt=end.receipt.signed(self._signer),
            first_release_id=end.first_release_id,
        )


def _together(
    work: Callable[[Sequence[_T]], list[_R | Exception]], members: Sequence[_T]
) -> list[_R | Exception]:
    """Work on all at once; where that fails, one by one, each with its own outcome."""
    if not members:
        return []
    try:
        return work(members)
    except Exception as error:  # noqa: BLE001 - it is the member's outcome
        if len(members) == 1:
            return [error]
    return [outcome for member in members for outcome in _together(work, [member])]

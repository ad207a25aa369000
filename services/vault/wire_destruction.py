# SPDX-License-Identifier: Apache-2.0
"""Ends as messages of the contract."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from qupia.vault.v1 import destruction_pb2
from services.chassis.refusal import Holding
from services.vault.destruction import Hold
from services.vault.retention import Category, Held, Kept, Term
from services.vault.store_destruction import DestructionRow
from services.vault.wire import stamp_of

_Ground = destruction_pb2.DestructionGround
_Hold = destruction_pb2.DestructionHold
_Name = destruction_pb2.DestroyedCategory


def holds_to(holds: Iterable[Hold]) -> list[destruction_pb2.DestructionHold]:
    """What holds, as messages."""
    return [
        _Hold(kind=_Hold.Kind.Value(h.kind), id=h.id, until_time=stamp_of(h.until), basis=h.basis)
        for h in holds
    ]


def holdings(holds: Iterable[Hold]) -> list[Holding]:
    """What holds, as a problem names it."""
    return [Holding(str(h.kind), h.id, h.until.isoformat() if h.until else "") for h in holds]


def categories_to(
    held: Mapping[Category, Held], terms: Mapping[Category, Term], kept: Sequence[Kept]
) -> list[destruction_pb2.DestroyedCategory]:
    """Every category that has rows or a term, with the term that still runs."""
    until = {k.category: k.until for k in kept}
    found = []
    for category in Category:
        rows = held[category].rows if category in held else 0
        if rows or category in terms:
            found.append(
                _Name(
                    category=_Name.Name.Value(category),
                    rows=rows,
                    kept_until_time=stamp_of(until.get(category)),
                    basis=terms[category].basis if category in terms else "",
                )
            )
    return found


def certificate_to(
    row: DestructionRow, epoch_key_destroyed: datetime | None
) -> destruction_pb2.DestructionCertificate:
    """The certificate of a destruction that is done."""
    told = json.loads(row.document)
    return destruction_pb2.DestructionCertificate(
        destruction_id=row.destruction_id,
        subject_id=row.subject,
        depersonalised=told["end"] == "DEPERSONALISED",
        ground=_Ground.Kind.Value(row.ground),
        reference=told.get("reference", ""),
        end_time=stamp_of(row.end_time),
        executed_by=row.executed_by,
        destroyed=[
            _Name(category=_Name.Name.Value(name), rows=rows)
            for name, rows in told["destroyed"].items()
        ],
        epoch=told.get("epoch", ""),
        unrecoverable_time=stamp_of(datetime.fromisoformat(told["unrecoverableTime"])),
        epoch_key_destroyed_time=stamp_of(epoch_key_destroyed),
        entry_id=row.entry_id,
        document=row.document,
    )


def destruction_to(row: DestructionRow, holds: Iterable[Hold]) -> destruction_pb2.Destruction:
    """A destruction wherever it stands."""
    return destruction_pb2.Destruction(
        destruction_id=row.destruction_id,
        subject_id=row.subject,
        state=destruction_pb2.Destruction.State.Value(row.state),
        ground=_Ground.Kind.Value(row.ground),
        claim_id=row.claim_id,
        due_time=stamp_of(row.due_time),
        end_time=stamp_of(row.end_time),
        executed_by=row.executed_by,
        holds=holds_to(holds),
    )

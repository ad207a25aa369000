# SPDX-License-Identifier: Apache-2.0
"""What the vault still knows of a claim that the book has lost, or has in an older state (6.2.3).

The vault holds what a claim does to a subject: its block, with its ground and who claims, and its
legal hold. The rest (number, language, of a claim that blocks nothing its kind and claimant) is
known to nobody until an officer has found it out.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from services.claims.state import Claimant, ClaimKind, Outcome

UNKNOWN_LANGUAGE: Final = "kk"
"""The state language, until an officer has said in which the claim was."""


class RecoveryState(StrEnum):
    """How far an officer has come with a claim that was recovered."""

    FOUND = "FOUND"
    DESCRIBED = "DESCRIBED"


@dataclass(frozen=True, slots=True)
class HeldBlock:
    """A block as it stands in the vault.

    `claimant` is None where the claim does not name the subject: it was blocked for its contact.
    `released`: it ended without an outcome; `correction_id` is empty where nothing is corrected.
    """

    kind: ClaimKind
    claimant: Claimant | None
    receipt_time: datetime
    record_time: datetime
    outcome: Outcome | None
    correction_id: str
    released: bool

    @property
    def same_contact(self) -> bool:
        """Whether the subject was blocked for its contact only."""
        return self.claimant is None


@dataclass(frozen=True, slots=True)
class HeldHold:
    """A legal hold as it stands in the vault; `court`: the dispute is, or was, before a court."""

    hold_id: str
    since_time: datetime
    court: bool
    end_time: datetime | None


@dataclass(frozen=True, slots=True)
class HeldClaim:
    """What the vault holds of one claim about one subject: at least one of the two."""

    claim_id: str
    block: HeldBlock | None
    hold: HeldHold | None

    @property
    def names_subject(self) -> bool:
        """Whether the claim names the subject, and not only somebody with the same contact."""
        return self.hold is not None or (self.block is not None and not self.block.same_contact)

    @property
    def own_block(self) -> HeldBlock | None:
        """The block of a subject that the claim names; None where it blocks nothing of them."""
        block = self.block
        return block if block is not None and not block.same_contact else None

    @property
    def receipt_time(self) -> datetime:
        """Since when its term runs; raises ValueError where nothing says so."""
        if self.own_block is not None:
            return self.own_block.receipt_time
        if self.hold is None:
            raise ValueError("neither a block nor a hold of a subject that it names")
        return self.hold.since_time

    @property
    def record_time(self) -> datetime:
        """When it was recorded, as far as that is known; raises ValueError likewise."""
        return self.own_block.record_time if self.own_block is not None else self.receipt_time

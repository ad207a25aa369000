# SPDX-License-Identifier: Apache-2.0
"""What stands about a person's agreement with the policy (clauses 2.1, 2.2).

An acceptance is a proposal until the vault has applied it; a disagreement
stands at once, and until an acceptance of a later time is in force. Which
acceptance may be proposed after a disagreement is decided here too: an express
one only (T-2.2-b).
"""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from services.consent.use import Strength


class Mode(StrEnum):
    """How a stance came about."""

    IMPLIED = "IMPLIED"
    EXPRESS = "EXPRESS"
    DISAGREED = "DISAGREED"


@dataclass(frozen=True, slots=True)
class Stance:
    """What a person did or said about a policy version, and the act that recorded it."""

    mode: Mode
    policy_version: int
    policy_sha256: str
    language: str
    strength: Strength | None
    time: datetime
    act_id: str


@dataclass(frozen=True, slots=True)
class Agreement:
    """The acceptance in force, the one proposed, and the last disagreement."""

    accepted: Stance | None = None
    proposed: Stance | None = None
    disagreement: Stance | None = None

    @property
    def disagreed(self) -> bool:
        """Whether disagreement holds: no acceptance of a later time is in force."""
        if self.disagreement is None:
            return False
        return self.accepted is None or self.accepted.time <= self.disagreement.time

    @property
    def returning(self) -> bool:
        """Whether the person disagreed and an express acceptance is on its way."""
        return self.disagreed and self.proposed is not None

    @property
    def standing(self) -> Stance | None:
        """What is in force: the disagreement or the acceptance."""
        return self.disagreement if self.disagreed else self.accepted

    @property
    def latest(self) -> Stance | None:
        """What was recorded last, in force or on its way."""
        return self.proposed or self.standing

    def changes_by_use(self, version: int) -> bool:
        """Whether a use while `version` is in force implies a new acceptance."""
        if self.disagreed:
            return False
        known = (s.policy_version for s in (self.accepted, self.proposed) if s is not None)
        return version > max(known, default=0)

    def propose(self, acceptance: Stance) -> "Agreement":
        """An acceptance is on its way; it takes the place of an earlier one on its way."""
        return replace(self, proposed=acceptance)

    def strengthen(self, version: int, strength: Strength) -> "Agreement":
        """A later use proves more of the acceptance of the same version."""
        if strength is not Strength.STRONG:
            return self
        return replace(
            self,
            accepted=_strong(self.accepted, version),
            proposed=_strong(self.proposed, version),
        )

    def reject(self, disagreement: Stance) -> "Agreement":
        """The person disagrees; an acceptance on its way is dropped."""
        return Agreement(self.accepted, None, disagreement)

    def settle(self, act_id: str, *, applied: bool) -> "Agreement":
        """The vault has answered a proposal."""
        if self.proposed is None or self.proposed.act_id != act_id:
            return self
        return Agreement(self.proposed if applied else self.accepted, None, self.disagreement)


def _strong(stance: Stance | None, version: int) -> Stance | None:
    if stance is None or stance.policy_version != version:
        return stance
    return replace(stance, strength=Strength.STRONG)

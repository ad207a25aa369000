# SPDX-License-Identifier: Apache-2.0
"""What proves a consent (Law 25(2)(5); clauses 2.1, 7.2.4)."""

from dataclasses import dataclass
from datetime import datetime

from services.chassis.sites import Operator
from services.consent.book import Event
from services.consent.consent import Fact, State
from services.consent.history import Moment
from services.consent.policy import Policy


@dataclass(frozen=True, slots=True)
class Word:
    """One thing the person said, and since when the vault heeds it; None: not yet known."""

    event: Event
    in_force_time: datetime | None


@dataclass(frozen=True, slots=True)
class Record:
    """An entry of evidence, as it stands in the log."""

    entry_id: str
    body: str


@dataclass(frozen=True, slots=True)
class Proof:
    """A consent of a subject at a time, as known at a time, with all that shows it.

    `state` and `fact` are None where the person was never asked; `words` begins with the grant
    or the "no" and ends with what ended it; `policy` is the version it was declared under.
    """

    subject_id: str
    purpose: str
    moment: Moment
    operator: Operator
    state: State | None
    fact: Fact | None
    words: tuple[Word, ...]
    wording: str
    policy: Policy | None
    records: tuple[Record, ...]

    @property
    def in_force_time(self) -> datetime | None:
        """Since when the state is heeded."""
        return self.words[-1].in_force_time if self.words else None

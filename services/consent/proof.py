# SPDX-License-Identifier: Apache-2.0
"""What proves a consent (Law 25(2)(5); clauses 2.1, 7.2.4)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from services.chassis.configured_fields import CONFIGURED, Fields
from services.chassis.sites import Operator
from services.consent.book import Event
from services.consent.consent import Fact, State
from services.consent.history import Moment
from services.consent.policy import Policy
from services.consent.vocabulary import DATA, PURPOSE_OF


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
class Datum:
    """A datum that a consent reaches; `label` is empty where the policy itself names it."""

    name: str
    label: Mapping[str, str]


def data_of(purpose: str, version: int | None, fields: Fields) -> tuple[Datum, ...]:
    """The data that a consent to a version reaches: those of the policy, and the site's own."""
    own = (
        Datum(f"{CONFIGURED}.{name}", rule.label.model_dump())
        for name, rule in sorted(fields.items())
        if PURPOSE_OF[purpose] in rule.purposes and rule.policy_version <= (version or 0)
    )
    return (*(Datum(name, {}) for name in DATA[purpose]), *own)


@dataclass(frozen=True, slots=True)
class Proof:
    """A consent of a subject at a time, as known at a time, with all that shows it.

    `state` and `fact` are None where the person was never asked; `words` begins with the grant
    or the "no" and ends with what ended it; `policy` is the version it was declared under, `data`
    what it reaches (Law 8(4)(7)).
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
    data: tuple[Datum, ...]
    records: tuple[Record, ...]

    @property
    def in_force_time(self) -> datetime | None:
        """Since when the state is heeded."""
        return self.words[-1].in_force_time if self.words else None

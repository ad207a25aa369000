# SPDX-License-Identifier: Apache-2.0
"""How many claims a storefront may file before an officer has to (clauses 6.2.3, 8.1).

A claim blocks by allegation, so false ones by the hundred would freeze a person or a shop. What
is filed beyond a limit is refused and recorded with its moment, never lost: an officer, whom no
limit binds, takes it at the counter or on paper, with that moment as its time of receipt. The
claims that wait for their answer, and their blocks, stay as they are.
"""

from dataclasses import dataclass
from enum import StrEnum

OPEN_PER_SUBJECT = 5
DAILY_PER_SUBJECT = 10
DAILY_SUBJECTS_PER_CREDENTIAL = 1000


class Limit(StrEnum):
    """Which limit a claim goes beyond."""

    OPEN_PER_SUBJECT = "OPEN_PER_SUBJECT"
    DAILY_PER_SUBJECT = "DAILY_PER_SUBJECT"
    DAILY_SUBJECTS_PER_CREDENTIAL = "DAILY_SUBJECTS_PER_CREDENTIAL"


@dataclass(frozen=True, slots=True)
class Limits:
    """How many are taken; 0: as many as come. Days are those of Almaty.

    `open_per_subject` counts claims of one kind that wait for their answer and block or name the
    subject, for its contact too; `daily_per_subject` what the subject claimed since midnight;
    `daily_subjects_per_credential` the subjects that one credential named since midnight.
    """

    open_per_subject: int = 0
    daily_per_subject: int = 0
    daily_subjects_per_credential: int = 0


@dataclass(frozen=True, slots=True)
class Filed:
    """What was filed of one subject before: the ids of its open claims of that kind, the oldest
    first, and how many claims it has of today."""

    open_claim_ids: tuple[str, ...] = ()
    today: int = 0


class TooManyFiled(Exception):
    """The claim goes beyond `limit`; `claim_ids` are the open ones that stand for it."""

    def __init__(self, limit: Limit, most: int, claim_ids: tuple[str, ...] = ()) -> None:
        super().__init__(limit)
        self.limit = limit
        self.most = most
        self.claim_ids = claim_ids


def require_room(limits: Limits, filed: Filed) -> None:
    """Raises TooManyFiled where one claim more of the subject goes beyond a limit."""
    most = limits.open_per_subject
    if most and len(filed.open_claim_ids) >= most:
        raise TooManyFiled(Limit.OPEN_PER_SUBJECT, most, filed.open_claim_ids)
    most = limits.daily_per_subject
    if most and filed.today >= most:
        raise TooManyFiled(Limit.DAILY_PER_SUBJECT, most)


def require_budget(limits: Limits, named: int) -> None:
    """Raises TooManyFiled where `named` subjects of one credential today are too many."""
    most = limits.daily_subjects_per_credential
    if most and named > most:
        raise TooManyFiled(Limit.DAILY_SUBJECTS_PER_CREDENTIAL, most)

# SPDX-License-Identifier: Apache-2.0
"""The person's ledger: who was given which data, and who was refused (clause 6.2.2). No values."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from services.disclosure.permission import Denial, Ground
from services.disclosure.release import CLAUSE, Release


class Outcome(StrEnum):
    """How it ended."""

    RELEASED = "RELEASED"
    RELEASED_UNCERTAIN = "RELEASED_UNCERTAIN"
    REPEAT = "REPEAT"
    REFUSED = "REFUSED"


@dataclass(frozen=True, slots=True)
class Disclosure:
    """One line of the ledger.

    `fields` are JSON names of data, `count` how often a refusal was repeated
    within its minute, `first_disclosure_id` the release that a REPEAT repeats.
    `rule` is the rule of docs/disclosures.md that refused, empty where the vault
    did. `recipient_name`, `recipient_bin` and `recipient_kind` are empty for a
    recipient that was never registered. Ground LAW: `request_id` is the state body's request, which
    names act and article; the line is told to nobody before `secret_until`.
    """

    site_id: str
    subject_id: str
    disclosure_id: str
    outcome: Outcome
    reason: str
    clause: str
    recipient_id: str
    order_id: str
    delivery_id: str
    disclose_time: datetime
    fields: tuple[str, ...] = ()
    first_disclosure_id: str = ""
    rule: str = ""
    ground: Ground = Ground.ORDER
    recipient_name: str = ""
    recipient_bin: str = ""
    recipient_kind: str = ""
    count: int = 1
    request_id: str = ""
    secret_until: datetime | None = None
    legal_act: str = ""
    legal_article: str = ""


def minute_of(instant: datetime) -> datetime:
    """The minute within which repeated refusals count as one line."""
    return instant.replace(second=0, microsecond=0)


def left(
    release: Release, outcome: Outcome, now: datetime, fields: Sequence[str], first: str = ""
) -> Disclosure:
    """The line of data that leave or may have left; `first` is what a REPEAT repeats."""
    return _line(release, outcome, now, Denial("", CLAUSE), tuple(fields), first)


def refused(release: Release, against: Denial, now: datetime) -> Disclosure:
    """The line of a refusal."""
    return _line(release, Outcome.REFUSED, now, against, (), "")


def references(release: Release) -> dict[str, str]:
    """The ids by which evidence names a release's delivery."""
    return {
        "order_id": release.order_id,
        "delivery_id": release.delivery_id,
        "recipient_id": release.recipient_id,
    }


def _line(
    release: Release,
    outcome: Outcome,
    now: datetime,
    decision: Denial,
    fields: tuple[str, ...],
    first: str,
) -> Disclosure:
    return Disclosure(
        site_id=release.site_id,
        subject_id=release.subject_id,
        disclosure_id=release.release_id,
        outcome=outcome,
        reason=decision.reason,
        clause=decision.clause,
        recipient_id=release.recipient_id,
        order_id=release.order_id,
        delivery_id=release.delivery_id,
        disclose_time=now,
        fields=fields,
        first_disclosure_id=first,
        rule=decision.rule,
    )

# SPDX-License-Identifier: Apache-2.0
"""Who declared a consent or a "no", when, and on what document it stands (law.md 4.7).

The documents themselves stay with the operator: here are their references and digests only.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import NamedTuple


class Declarant(StrEnum):
    """Whose word it was."""

    SUBJECT = "SUBJECT"
    REPRESENTATIVE = "REPRESENTATIVE"


class AuthorityKind(StrEnum):
    """By what a representative speaks for the person."""

    LEGAL_REPRESENTATIVE = "LEGAL_REPRESENTATIVE"
    POWER_OF_ATTORNEY = "POWER_OF_ATTORNEY"


@dataclass(frozen=True, slots=True)
class Authority:
    """The document of a representative. The end date is its last day."""

    kind: AuthorityKind
    reference: str
    sha256: str
    issue_date: date | None
    end_date: date | None

    def last_day(self) -> date | None:
        """The last day: a power of attorney that is silent holds one year (Civil Code 168)."""
        if self.kind is AuthorityKind.POWER_OF_ATTORNEY and self.end_date is None:
            return _years_after(self.issue_date, 1) if self.issue_date else None
        return self.end_date


@dataclass(frozen=True, slots=True)
class Paper:
    """A declaration on paper: where it is kept, and its digest."""

    reference: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Declaration:
    """How a word was given. `declare_time` and `paper` belong to what an officer enters."""

    declarant: Declarant = Declarant.SUBJECT
    authority: Authority | None = None
    declare_time: datetime | None = None
    paper: Paper | None = None


HERE_AND_NOW = Declaration()
"""The person's own word, reported when it was given."""


class DeclarationFault(NamedTuple):
    """What is wrong with a declaration: its field, the rule it breaks, words for people."""

    field: str
    rule: str
    description: str


def form_faults(
    declaration: Declaration, *, by_officer: bool, now: datetime
) -> list[DeclarationFault]:
    """What makes a declaration none at all, whoever's word it is.

    An officer enters what stands on paper, with its own date; a storefront attests what happens
    now.
    """
    return [*_paper_faults(declaration, by_officer, now), *_authority_faults(declaration)]


def validity_faults(declaration: Declaration, day: date) -> list[DeclarationFault]:
    """What makes a representative's authority void on a day (Civil Code 168).

    Asked where the word permits something. A restriction is recorded also on doubtful authority.
    """
    authority = declaration.authority
    if authority is None:
        return []
    return [
        DeclarationFault(f"declaration.authority.{field}", rule, description)
        for field, rule, description in _validity(authority, day)
    ]


def _paper_faults(
    declaration: Declaration, by_officer: bool, now: datetime
) -> Iterator[DeclarationFault]:
    given = {"paper": declaration.paper, "declareTime": declaration.declare_time}
    for field, value in given.items():
        if by_officer and value is None:
            words = "has to be given: an officer enters what stands on paper"
            yield DeclarationFault(f"declaration.{field}", "required", words)
        elif not by_officer and value is not None:
            words = "an officer enters what stands on paper"
            yield DeclarationFault(f"declaration.{field}", "officer_only", words)
    if by_officer and declaration.declare_time is not None and declaration.declare_time > now:
        yield DeclarationFault("declaration.declareTime", "not_future", "never in the future")


def _authority_faults(declaration: Declaration) -> Iterator[DeclarationFault]:
    represented = declaration.declarant is Declarant.REPRESENTATIVE
    if represented and declaration.authority is None:
        words = "a representative needs one"
        yield DeclarationFault("declaration.authority", "required", words)
    elif not represented and declaration.authority is not None:
        words = "belongs to a representative only"
        yield DeclarationFault("declaration.authority", "representative_only", words)


def _validity(authority: Authority, day: date) -> Iterator[tuple[str, str, str]]:
    issued, last = authority.issue_date, authority.last_day()
    attorney = authority.kind is AuthorityKind.POWER_OF_ATTORNEY
    if attorney and issued is None:
        yield "issueDate", "required", "a power of attorney without a date is void"
    if issued is not None and issued > day:
        yield "issueDate", "not_future", "the authority was not yet given then"
    if attorney and issued and last and last > _years_after(issued, 3):
        yield "endDate", "range", "a power of attorney holds three years at most"
    elif last is not None and last < day:
        yield "endDate", "expired", "the authority had ended then"


def _years_after(day: date, years: int) -> date:
    try:
        return day.replace(year=day.year + years)
    except ValueError:
        # 29 February has no like in most years.
        return date(day.year + years, 3, 1)

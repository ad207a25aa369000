# SPDX-License-Identifier: Apache-2.0
"""What a representative acts by, and until when it is good (clause 6.2.3; law.md 2.7, 4.7).

A power of attorney without a date is void; one that is silent about its term is good for one year,
and none for more than three (Civil Code 168). The papers of legal representatives (164) need no
date and end by what they say.
"""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

_SILENT_YEARS, _MOST_YEARS = 1, 3


class AuthorityDocument(StrEnum):
    """What the paper is."""

    POWER_OF_ATTORNEY = "POWER_OF_ATTORNEY"
    BIRTH_CERTIFICATE = "BIRTH_CERTIFICATE"
    GUARDIANSHIP = "GUARDIANSHIP"
    COURT_ACT = "COURT_ACT"


class AuthorityState(StrEnum):
    """How far the officer has come with it."""

    UNSETTLED = "UNSETTLED"
    CONFIRMED = "CONFIRMED"
    REJECTED = "REJECTED"


class AuthorityVoid(ValueError):
    """The paper gives no authority; `member`, `rule` and `description` say why."""

    def __init__(self, member: str, rule: str, description: str) -> None:
        super().__init__(description)
        self.member = member
        self.rule = rule
        self.description = description


@dataclass(frozen=True, slots=True)
class Authority:
    """A paper without its number and issuer, which are sealed; dates are local, inclusive."""

    document: AuthorityDocument
    issue_date: date | None
    expiry_date: date | None


def good_until(authority: Authority) -> date | None:
    """Return the last day it is good for; None: it says none and needs none.

    Raises AuthorityVoid for a power of attorney without date, or a paper that ends before it
    begins.
    """
    issued, expires = authority.issue_date, authority.expiry_date
    if issued is not None and expires is not None and expires < issued:
        raise AuthorityVoid("expiryDate", "range", "lies before the date of issue")
    if authority.document is not AuthorityDocument.POWER_OF_ATTORNEY:
        return expires
    if issued is None:
        raise AuthorityVoid("issueDate", "required", "a power of attorney without date is void")
    if expires is None:
        return _years_later(issued, _SILENT_YEARS)
    return min(expires, _years_later(issued, _MOST_YEARS))


def require_good(authority: Authority, day: date) -> date | None:
    """Return the last day of a paper that is good on the local `day`. Raises AuthorityVoid."""
    until = good_until(authority)
    if authority.issue_date is not None and day < authority.issue_date:
        raise AuthorityVoid("issueDate", "range", "lies after the claim's receipt")
    if until is not None and until < day:
        raise AuthorityVoid("expiryDate", "range", "it had ended by the claim's receipt")
    return until


def _years_later(day: date, years: int) -> date:
    try:
        return day.replace(year=day.year + years)
    except ValueError:
        # 29 February: a term in years ends on the last day of a month that lacks its day.
        return day.replace(year=day.year + years, day=28)

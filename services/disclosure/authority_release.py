# SPDX-License-Identifier: Apache-2.0
"""Attempts to give a state body its package, and how they end (clause 5.3)."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from services.disclosure.authority_request import AuthorityRequest, Category
from services.disclosure.ledger import Disclosure, Outcome
from services.disclosure.permission import Denial, Ground

CLAUSE: Final = "5.3"
FIELDS: Final = {
    Category.NAME: ("familyName", "givenName", "patronymic"),
    Category.PHONE: ("phone",),
    Category.EMAIL: ("email",),
    Category.ADDRESS: ("address",),
    Category.TECHNICAL: (
        "technical.accessTime",
        "technical.cookie",
        "technical.ip",
        "technical.page",
        "technical.referrer",
        "technical.userAgent",
    ),
    Category.PURCHASES: ("purchases",),
    Category.CONFIGURED: (),
}
"""The data of each category by name, but for those that a site has added itself."""


@dataclass(frozen=True, slots=True)
class AuthorityRelease:
    """One attempt; `release_id` names it at the vault too."""

    site_id: str
    release_id: str
    request_id: str
    subject_id: str
    authority_id: str
    prepare_time: datetime
    first_release_id: str = ""


@dataclass(frozen=True, slots=True)
class FormerPackage:
    """The package that was given first, which a repeat repeats."""

    give_time: datetime
    package_sha256: str


def could_have_left(request: AuthorityRequest) -> tuple[str, ...]:
    """The data that an approved request reaches, by name: what may have left where nobody saw."""
    return tuple(sorted(name for each in request.approved for name in FIELDS[each]))


def line(
    request: AuthorityRequest,
    line_id: str,
    outcome: Outcome,
    now: datetime,
    fields: tuple[str, ...] = (),
    against: Denial | None = None,
    first: str = "",
) -> Disclosure:
    """The line of the person's ledger, which waits there until the secrecy ends."""
    return Disclosure(
        site_id=request.site_id,
        subject_id=request.subject_id,
        disclosure_id=line_id,
        outcome=outcome,
        reason=against.reason if against else "",
        clause=(against.clause if against else "") or CLAUSE,
        recipient_id=request.authority_id,
        order_id="",
        delivery_id="",
        disclose_time=now,
        fields=fields,
        first_disclosure_id=first,
        rule=against.rule if against else "",
        ground=Ground.LAW,
        request_id=request.request_id,
        secret_until=request.secret_until,
    )


def references(request: AuthorityRequest) -> dict[str, str]:
    """The ids by which evidence names a request."""
    return {
        "authority_request_id": request.request_id,
        "authority_id": request.authority_id,
        "claim_id": request.ground.claim_id,
    }

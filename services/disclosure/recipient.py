# SPDX-License-Identifier: Apache-2.0
"""Who may receive data for an order: the closed list of clause 5.2, and who lets them in."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from services.chassis.deadline import local_date
from services.chassis.registration_number import bin_is_valid

_MAILBOX = re.compile(r"[^@\s]{1,64}@[^@\s]+\.[^@\s]+")
_PHONE = re.compile(r"\+?[0-9 ()-]{5,30}")


class Kind(StrEnum):
    """The recipients of clause 5.2; nobody else exists (6.2.2)."""

    COURIER = "COURIER"
    POSTAL = "POSTAL"
    TELECOM = "TELECOM"


class RecipientState(StrEnum):
    """How far a registration has come; only ACTIVE receives."""

    REGISTERED = "REGISTERED"
    ACTIVE = "ACTIVE"
    SUSPENDED = "SUSPENDED"


class Validity(StrEnum):
    """Where a day stands to the days of an agreement."""

    NOT_BEGUN = "NOT_BEGUN"
    VALID = "VALID"
    LAPSED = "LAPSED"


@dataclass(frozen=True, slots=True)
class Terms:
    """What a recipient acts under and how it is recognised.

    Both days are inside; None for a first day: that of registration, for a
    last day: none was agreed. `certificate_sha256` is empty where its keys
    may be used over any connection.
    """

    agreement: str
    begin_date: date | None = None
    end_date: date | None = None
    contact: str = ""
    certificate_sha256: str = ""

    def validity(self, now: datetime) -> Validity:
        """Where `now` stands, by the calendar of Almaty."""
        today = local_date(now)
        if self.begin_date is not None and today < self.begin_date:
            return Validity.NOT_BEGUN
        lapsed = self.end_date is not None and today > self.end_date
        return Validity.LAPSED if lapsed else Validity.VALID

    def certified(self, certificate_sha256: str) -> bool:
        """Whether a connection with this client certificate will do; empty for one without."""
        return self.certificate_sha256 in ("", certificate_sha256)


@dataclass(frozen=True, slots=True)
class Recipient:
    """A registered recipient of a site.

    `registered_by` is the name of the principal who registered it, `renewal`
    what `renewed_by` has proposed and nobody has activated yet.
    """

    site_id: str
    recipient_id: str
    kind: Kind
    legal_name: str
    bin: str
    terms: Terms
    state: RecipientState
    register_time: datetime
    registered_by: str
    renewal: Terms | None = None
    renewed_by: str = ""

    def may_see(self, certificate_sha256: str) -> bool:
        """Whether it is shown its own deliveries over a connection with this certificate."""
        active = self.state is RecipientState.ACTIVE
        return active and self.terms.certified(certificate_sha256)


@dataclass(frozen=True, slots=True)
class Fault:
    """A field of a registration by its JSON name, the rule it breaks, and a fixed text."""

    field: str
    rule: str
    description: str


def registration_faults(legal_name: str, bin_number: str, terms: Terms) -> Iterator[Fault]:
    """What is wrong with a registration beyond the contract's own forms."""
    if not legal_name.strip():
        yield Fault("legalName", "required", "has to be given")
    if not bin_is_valid(bin_number):
        yield Fault("bin", "bin", "twelve digits of a business identification number")
    yield from terms_faults(terms)


def terms_faults(terms: Terms) -> Iterator[Fault]:
    """What is wrong with terms beyond the contract's own forms."""
    if not terms.agreement.strip():
        yield Fault("agreement", "required", "has to be given")
    if terms.begin_date and terms.end_date and terms.end_date < terms.begin_date:
        yield Fault("endDate", "order", "a day that is not before beginDate")
    contact = terms.contact
    if contact and not (_MAILBOX.fullmatch(contact) or _PHONE.fullmatch(contact)):
        yield Fault("contact", "contact", "a mailbox or a phone number of the organisation")


def activation_denial(recipient: Recipient, person: str) -> str:
    """The reason against activation by `person` (a principal's name); empty where none.

    Two different people let a recipient, or its new terms, in; a suspended one
    may come back the same way (clause 6.2.2).
    """
    firsts = {recipient.renewed_by} if recipient.renewal is not None else set()
    if recipient.state is RecipientState.REGISTERED or not firsts:
        # New terms proposed by another let nobody in whom they registered themselves.
        firsts.add(recipient.registered_by)
    if person in firsts:
        return "AWAITING_SECOND_APPROVAL"
    if recipient.state is RecipientState.ACTIVE and recipient.renewal is None:
        return "STATE_CONFLICT"
    return ""


@dataclass(frozen=True, slots=True)
class Named:
    """Who is behind an id; `kind` is a recipient's, or STATE_BODY."""

    site_id: str
    recipient_id: str
    kind: str
    legal_name: str
    bin: str

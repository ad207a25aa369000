# SPDX-License-Identifier: Apache-2.0
"""Who may receive data for an order: the closed list of clause 5.2, and who lets them in."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from services.chassis.registration_number import bin_is_valid


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


@dataclass(frozen=True, slots=True)
class Recipient:
    """A registered recipient of a site; `registered_by` is the principal's name."""

    site_id: str
    recipient_id: str
    kind: Kind
    legal_name: str
    bin: str
    agreement: str
    state: RecipientState
    register_time: datetime
    registered_by: str


@dataclass(frozen=True, slots=True)
class Fault:
    """A field of a registration by its JSON name, the rule it breaks, and a fixed text."""

    field: str
    rule: str
    description: str


def registration_faults(legal_name: str, bin_number: str, agreement: str) -> Iterator[Fault]:
    """What is wrong with a registration beyond the contract's own forms."""
    if not legal_name.strip():
        yield Fault("legalName", "required", "has to be given")
    if not bin_is_valid(bin_number):
        yield Fault("bin", "bin", "twelve digits of a business identification number")
    if not agreement.strip():
        yield Fault("agreement", "required", "has to be given")


def activation_denial(recipient: Recipient, person: str) -> str:
    """The reason against activation by `person` (a principal's name); empty where none.

    Two different people let a recipient in; a suspended one may come back the
    same way (clause 6.2.2).
    """
    if person == recipient.registered_by:
        return "AWAITING_SECOND_APPROVAL"
    if recipient.state is RecipientState.ACTIVE:
        return "STATE_CONFLICT"
    return ""

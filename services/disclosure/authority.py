# SPDX-License-Identifier: Apache-2.0
"""The state bodies that may ask for data on a ground of law, and who lets them in (clause 5.3)."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from services.chassis.registration_number import bin_is_valid
from services.disclosure.recipient import Fault, RecipientState


@dataclass(frozen=True, slots=True)
class Authority:
    """A registered body; `registered_by` is the name of the principal who registered it."""

    site_id: str
    authority_id: str
    legal_name: str
    bin: str
    state: RecipientState
    register_time: datetime
    registered_by: str


def authority_faults(legal_name: str, bin_number: str) -> Iterator[Fault]:
    """What is wrong with a registration beyond the contract's own forms."""
    if not legal_name.strip():
        yield Fault("legalName", "required", "has to be given")
    if not bin_is_valid(bin_number):
        yield Fault("bin", "bin", "twelve digits of a business identification number")


def activation_denial(authority: Authority, person: str) -> str:
    """The reason against activation by `person`; empty where none. Two people let a body in."""
    if person == authority.registered_by:
        return "AWAITING_SECOND_APPROVAL"
    return "STATE_CONFLICT" if authority.state is RecipientState.ACTIVE else ""

# SPDX-License-Identifier: Apache-2.0
"""Attempts to release, how they end, and what they may hold (clauses 3.4, 5.2)."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from services.disclosure.recipient import Kind

CLAUSE: Final = "5.2"

_NAME: Final = frozenset({"familyName", "givenName", "patronymic"})
# Clause 5.2: the field set of each kind, by the JSON names of the data;
# messageText is the order's own text.
FIELDS: Final = {
    Kind.COURIER: _NAME | {"phone", "address"},
    Kind.POSTAL: _NAME | {"phone", "address"},
    Kind.TELECOM: frozenset({"phone", "messageText"}),
}


class ReleaseState(StrEnum):
    """Where a release stands. Data leave only after RELEASED is committed (I3).

    RELEASED_UNCERTAIN: the vault gave the data out, and nobody saw the answer
    leave. WITHDRAWN: the vault gave nothing out. WITHHELD: it did, and they
    went no further, because the order or the assignment ended in between.
    """

    PREPARED = "PREPARED"
    RELEASED = "RELEASED"
    RELEASED_UNCERTAIN = "RELEASED_UNCERTAIN"
    REFUSED = "REFUSED"
    WITHDRAWN = "WITHDRAWN"
    WITHHELD = "WITHHELD"


@dataclass(frozen=True, slots=True)
class Release:
    """One attempt to release a delivery; `release_id` names it at the vault too.

    `counted`: it counts against the delivery's fetch limit.
    """

    site_id: str
    release_id: str
    subject_id: str
    order_id: str
    delivery_id: str
    recipient_id: str
    kind: Kind
    prepare_time: datetime
    counted: bool = True


def reconciled(entry_id: str) -> ReleaseState:
    """How a release ends that was left PREPARED, by the vault's entry for it (empty: none)."""
    return ReleaseState.RELEASED_UNCERTAIN if entry_id else ReleaseState.WITHDRAWN


def parcel_name(family_name: str, given_name: str, patronymic: str) -> str:
    """The name as it is written on a parcel: family name, given name, patronymic."""
    return " ".join(part for part in (family_name, given_name, patronymic) if part)

# SPDX-License-Identifier: Apache-2.0
"""What the broker itself decides before it asks the vault (clauses 3.4, 5.2, 6.2.2).

The vault decides again, on its own standing; a release needs both.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from services.disclosure.order import Delivery, OrderState
from services.disclosure.recipient import Kind, Recipient, RecipientState

CLAUSE: Final = "5.2"

_NAME: Final = frozenset({"familyName", "givenName", "patronymic"})
# Clause 5.2: the field set of each kind, by the JSON names of the data.
FIELDS: Final = {
    Kind.COURIER: _NAME | {"phone", "address"},
    Kind.POSTAL: _NAME | {"phone", "address"},
    Kind.TELECOM: frozenset({"phone"}),
}


class ReleaseState(StrEnum):
    """Where a release stands. Data leave only after RELEASED is committed (I3).

    RELEASED_UNCERTAIN: the vault gave the data out, and nobody saw the answer
    leave. WITHDRAWN: the vault gave nothing out.
    """

    PREPARED = "PREPARED"
    RELEASED = "RELEASED"
    RELEASED_UNCERTAIN = "RELEASED_UNCERTAIN"
    REFUSED = "REFUSED"
    WITHDRAWN = "WITHDRAWN"


@dataclass(frozen=True, slots=True)
class Release:
    """One attempt to release a delivery; `release_id` names it at the vault too."""

    site_id: str
    release_id: str
    subject_id: str
    order_id: str
    delivery_id: str
    recipient_id: str
    kind: Kind
    prepare_time: datetime


@dataclass(frozen=True, slots=True)
class Denial:
    """A reason of the contract and the clause behind it."""

    reason: str
    clause: str


def denial(
    asker: Recipient | None,
    recipient_id: str,
    delivery: Delivery,
    order_state: OrderState,
    now: datetime,
) -> Denial | None:
    """What stands against a release to `recipient_id`; None where the vault is to be asked.

    `asker` is the registered recipient of that id, None where there is none.
    """
    if asker is None or asker.state is not RecipientState.ACTIVE:
        return Denial("RECIPIENT_NOT_PERMITTED", "6.2.2")
    if delivery.recipient_id != recipient_id or delivery.kind is not asker.kind:
        return Denial("ORDER_RECIPIENT_MISMATCH", CLAUSE)
    if order_state is not OrderState.OPEN:
        return Denial("NO_ACTIVE_ORDER", CLAUSE)
    if not delivery.live(now):
        return Denial("ORDER_RECIPIENT_MISMATCH", CLAUSE)
    return None


def reconciled(entry_id: str) -> ReleaseState:
    """How a release ends that was left PREPARED, by the vault's entry for it (empty: none)."""
    return ReleaseState.RELEASED_UNCERTAIN if entry_id else ReleaseState.WITHDRAWN


def parcel_name(family_name: str, given_name: str, patronymic: str) -> str:
    """The name as it is written on a parcel: family name, given name, patronymic."""
    return " ".join(part for part in (family_name, given_name, patronymic) if part)

# SPDX-License-Identifier: Apache-2.0
"""What the broker itself decides before it asks the vault (clauses 1.1.4, 5.2, 5.3, 6.2.2).

`docs/disclosures.md` is the table a lawyer reads; a test enumerates these
rules together with the vault's and compares. Whoever changes a rule raises
RULES_VERSION, which every evidence entry names beside the rule. The vault
decides again, on its own standing; a release needs both.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from services.disclosure.order import Delivery, OrderState
from services.disclosure.recipient import Recipient, RecipientState, Validity

RULES_VERSION: Final = 2
STATE_BODY: Final = "STATE_BODY"
# A repeat within this time of a fetch that counted does not count.
REPEAT_WINDOW: Final = timedelta(minutes=10)


class Ground(StrEnum):
    """The grounds of clauses 5.2 and 5.3; a person's consent is none (6.2.2)."""

    ORDER = "ORDER"
    LAW = "LAW"


class Assignment(StrEnum):
    """What the delivery asked for is to the recipient who asks."""

    LIVE = "LIVE"
    ENDED = "ENDED"
    ANOTHERS = "ANOTHERS"


@dataclass(frozen=True, slots=True)
class Asked:
    """What the broker looks at.

    `kind` is a kind of recipient, or any other word; `ground` likewise.
    `state` is None for somebody who was never registered. `certified`: its
    keys are bound to no certificate, or the connection presents the one.
    `fetches_left` tells whether another fetch is permitted, `approved` whether
    two people have approved the state body's request, `lapsed` whether its time is over.
    """

    kind: str
    ground: str
    state: RecipientState | None
    validity: Validity = Validity.VALID
    certified: bool = True
    assignment: Assignment = Assignment.LIVE
    order: OrderState = OrderState.OPEN
    fetches_left: bool = True
    approved: bool = False
    lapsed: bool = False


@dataclass(frozen=True, slots=True)
class Denial:
    """A reason of the contract, the clause behind it, and the rule of the page that decided."""

    reason: str
    clause: str
    rule: str = ""


@dataclass(frozen=True, slots=True)
class Rule:
    """A row of the page: what it denies where `met`."""

    name: str
    met: Callable[[Asked], bool]
    reason: str
    clause: str

    @property
    def denial(self) -> Denial:
        """What it answers."""
        return Denial(self.reason, self.clause, self.name)


# Clauses 5.2 and 5.3: who receives on which ground. Every other pair is refused (6.2.2).
_PAIRS: Final = {
    ("COURIER", Ground.ORDER),
    ("POSTAL", Ground.ORDER),
    ("TELECOM", Ground.ORDER),
    (STATE_BODY, Ground.LAW),
}


def _for_order(met: Callable[[Asked], bool]) -> Callable[[Asked], bool]:
    return lambda asked: asked.ground == Ground.ORDER and met(asked)


_REGISTERED, _SUSPENDED = RecipientState.REGISTERED, RecipientState.SUSPENDED
_NOBODY = "RECIPIENT_NOT_PERMITTED"
RULES: Final = (
    Rule("recipient-unknown", lambda a: a.state is None, _NOBODY, "6.2.2"),
    Rule("recipient-not-activated", lambda a: a.state is _REGISTERED, _NOBODY, "6.2.2"),
    Rule("recipient-suspended", lambda a: a.state is _SUSPENDED, _NOBODY, "6.2.2"),
    Rule(
        "law-for-a-state-body-only",
        lambda a: a.ground == Ground.LAW and a.kind != STATE_BODY,
        "AUTHORITY_NOT_VERIFIED",
        "5.3",
    ),
    Rule("no-such-ground", lambda a: (a.kind, a.ground) not in _PAIRS, _NOBODY, "6.2.2"),
    Rule("agreement-not-begun", lambda a: a.validity is Validity.NOT_BEGUN, _NOBODY, "5.2"),
    Rule("agreement-lapsed", lambda a: a.validity is Validity.LAPSED, _NOBODY, "5.2"),
    Rule("certificate-another", lambda a: not a.certified, _NOBODY, "6.2.2"),
    Rule(
        "request-not-approved",
        lambda a: a.ground == Ground.LAW and not a.approved,
        "LEGAL_GROUND_MISSING",
        "5.3",
    ),
    Rule(
        "request-lapsed",
        lambda a: a.ground == Ground.LAW and a.lapsed,
        "LEGAL_GROUND_MISSING",
        "5.3",
    ),
    Rule(
        "assigned-to-another",
        _for_order(lambda a: a.assignment is Assignment.ANOTHERS),
        "ORDER_RECIPIENT_MISMATCH",
        "5.2",
    ),
    Rule(
        "order-not-open",
        _for_order(lambda a: a.order is not OrderState.OPEN),
        "NO_ACTIVE_ORDER",
        "5.2",
    ),
    Rule(
        "assignment-ended",
        _for_order(lambda a: a.assignment is Assignment.ENDED),
        "ORDER_RECIPIENT_MISMATCH",
        "5.2",
    ),
    Rule(
        "fetches-used-up",
        _for_order(lambda a: not a.fetches_left),
        "FETCH_LIMIT_REACHED",
        "5.2",
    ),
)


def decide(asked: Asked) -> Denial | None:
    """What stands against it; None where nothing does. Total: nothing raises."""
    return next((rule.denial for rule in RULES if rule.met(asked)), None)


@dataclass(frozen=True, slots=True)
class Fetches:
    """The fetches of a delivery that count, and when the last of them began."""

    count: int = 0
    last_time: datetime | None = None

    def counts(self, now: datetime) -> bool:
        """Whether a fetch at `now` counts: not where it repeats one just made."""
        return self.last_time is None or now - self.last_time > REPEAT_WINDOW

    def left(self, limit: int, now: datetime) -> bool:
        """Whether a fetch at `now` is permitted."""
        return self.count < limit or not self.counts(now)


def denial(
    asker: Recipient | None,
    recipient_id: str,
    certificate_sha256: str,
    delivery: Delivery,
    order: OrderState,
    fetches: Fetches,
    now: datetime,
) -> Denial | None:
    """What stands against a release for an order; None where the vault is to be asked.

    `asker` is the registered recipient of that id, None where there is none;
    `certificate_sha256` the certificate of its connection, empty where none.
    """
    if asker is None:
        return decide(Asked("", Ground.ORDER, None))
    return decide(
        Asked(
            asker.kind,
            Ground.ORDER,
            asker.state,
            asker.terms.validity(now),
            asker.terms.certified(certificate_sha256),
            _assignment(asker, recipient_id, delivery, now),
            order,
            fetches.left(delivery.fetch_limit, now),
        )
    )


def _assignment(
    asker: Recipient, recipient_id: str, delivery: Delivery, now: datetime
) -> Assignment:
    if delivery.recipient_id != recipient_id or delivery.kind is not asker.kind:
        return Assignment.ANOTHERS
    return Assignment.LIVE if delivery.live(now) else Assignment.ENDED


def withheld(delivery: Delivery, order: OrderState, now: datetime) -> Denial | None:
    """What came in between while the vault was asked: then the data do not leave (5.2)."""
    assignment = Assignment.LIVE if delivery.live(now) else Assignment.ENDED
    return decide(
        Asked(
            delivery.kind,
            Ground.ORDER,
            RecipientState.ACTIVE,
            assignment=assignment,
            order=order,
        )
    )

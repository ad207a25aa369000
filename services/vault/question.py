# SPDX-License-Identifier: Apache-2.0
"""What is asked of the gate, and what it answers."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from services.vault.fields import AnyField, Reach
from services.vault.standing import Standing


class Operation(StrEnum):
    """What is asked of the gate."""

    READ = "READ"
    READ_FOR_VERIFICATION = "READ_FOR_VERIFICATION"
    READ_FOR_RELEASE = "READ_FOR_RELEASE"
    READ_FOR_AUTHORITY = "READ_FOR_AUTHORITY"
    STORE = "STORE"
    ACCEPT = "ACCEPT"
    GRANT = "GRANT"
    PLACE_ORDER = "PLACE_ORDER"
    FIND_FOR_CASE = "FIND_FOR_CASE"
    OWN_VIEW = "OWN_VIEW"
    RECORD_VISIT = "RECORD_VISIT"
    STORE_PURCHASE = "STORE_PURCHASE"
    SUMMARIZE_VISITS = "SUMMARIZE_VISITS"
    LINK = "LINK"
    AUDIT_VERSIONS = "AUDIT_VERSIONS"
    DESTROY = "DESTROY"
    DEPERSONALISE = "DEPERSONALISE"


class Life(StrEnum):
    """Where the subject is in its life, whatever its slices say."""

    UNKNOWN = "UNKNOWN"
    PRESENT = "PRESENT"
    # Destruction was asked for, and a statutory term keeps the data (Digital Code 41(3)).
    RESTRICTED = "RESTRICTED"
    DESTROYED = "DESTROYED"


@dataclass(frozen=True, slots=True)
class Kinship:
    """Whom a visitor is to be linked to: the account as it stands.

    `is_visitor`: the account is the visitor itself, or a visitor of another. `has_visitors`: others
    are linked to the visitor. Either would make a chain. `full`: no more visitors can be linked.
    """

    life: Life
    standing: Standing
    is_visitor: bool = False
    has_visitors: bool = False
    full: bool = False


@dataclass(frozen=True, slots=True)
class Question:
    """One thing asked of the gate.

    `purposes_granted` is None where the credential is not limited. `fields`
    is None for all that the purpose reaches. `reference` is an order, case,
    payment, template or claim; `template` the kind of the template it names,
    empty where none of that id is registered. `delivery_id` and `recipient_id` name the
    assignment of a release, `kinship` the account of a link. `retained`: a statutory term keeps
    some of the data. `configured` are the fields of the site's own list that the purpose may read.
    `compelled`: a state body's act is compulsory, and a second person lets the data go on it; where
    the act is the verification of a complaint, `reference` is that claim. `stored_until`: visits
    and purchases that were stored later are out of reach; None where they are not.
    """

    operation: Operation
    purpose: str = ""
    purposes_granted: frozenset[str] | None = None
    fields: frozenset[AnyField] | None = None
    reference: str = ""
    template: str = ""
    automated_decision: bool = False
    delivery_id: str = ""
    recipient_id: str = ""
    explicit: bool = True
    kinship: Kinship | None = None
    retained: bool = False
    configured: frozenset[Reach] = frozenset()
    compelled: bool = False
    stored_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Permit:
    """What may be decrypted, and the clause that permits it; `message`: the order's text too.

    `disputed_since`: the data go although a complaint about them stands, since then.
    """

    fields: frozenset[AnyField]
    clause: str
    message: bool = False
    disputed_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Denial:
    """A reason of the contract and the clause behind it."""

    reason: str
    clause: str


Decision = Permit | Denial

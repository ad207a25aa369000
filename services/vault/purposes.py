# SPDX-License-Identifier: Apache-2.0
"""The twelve purposes of clause 4.1: what each needs and what each reaches."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from services.vault.fields import NAME_FIELDS, STATED_FIELDS, TECHNICAL_FIELDS, Field


class ReferenceRule(StrEnum):
    """What a read has to name besides its purpose."""

    NONE = "NONE"
    # A case, a payment or an order: recorded with the read.
    ANY = "ANY"
    # A registered message template of the kind SERVICE.
    TEMPLATE = "TEMPLATE"
    # An order of the subject that is open.
    OPEN_ORDER = "OPEN_ORDER"
    # The claim whose block is being verified.
    CLAIM = "CLAIM"


@dataclass(frozen=True, slots=True)
class PurposeRule:
    """A purpose: its clause, whether it needs an express consent, its reference, its fields."""

    code: str
    clause: str
    express_consent: bool
    reference: ReferenceRule
    fields: frozenset[Field]


_CONTACT = NAME_FIELDS | {Field.PHONE, Field.EMAIL}

PURPOSES: Final = {
    rule.code: rule
    for rule in (
        PurposeRule("IDENTIFY_FOR_ORDER", "4.1.1", False, ReferenceRule.NONE, _CONTACT),
        PurposeRule(
            "PERSONAL_RESOURCES",
            "4.1.2",
            False,
            ReferenceRule.NONE,
            NAME_FIELDS | {Field.EMAIL, Field.PURCHASES},
        ),
        PurposeRule("FEEDBACK", "4.1.3", False, ReferenceRule.TEMPLATE, _CONTACT),
        PurposeRule("SECURITY_LOCATION", "4.1.4", False, ReferenceRule.NONE, TECHNICAL_FIELDS),
        PurposeRule(
            "VERIFY_DATA", "4.1.5", False, ReferenceRule.CLAIM, STATED_FIELDS | TECHNICAL_FIELDS
        ),
        PurposeRule("ACCOUNT", "4.1.6", True, ReferenceRule.NONE, _CONTACT | {Field.ADDRESS}),
        PurposeRule("ORDER_STATUS", "4.1.7", False, ReferenceRule.OPEN_ORDER, _CONTACT),
        PurposeRule("PAYMENT", "4.1.8", False, ReferenceRule.ANY, _CONTACT | {Field.PURCHASES}),
        PurposeRule("SUPPORT", "4.1.9", False, ReferenceRule.ANY, _CONTACT | TECHNICAL_FIELDS),
        PurposeRule("NEWS", "4.1.10", True, ReferenceRule.NONE, _CONTACT),
        PurposeRule("ADVERTISING", "4.1.11", True, ReferenceRule.NONE, _CONTACT),
        PurposeRule("PARTNER_SITES", "4.1.12", True, ReferenceRule.NONE, frozenset()),
    )
}

# The kind of template that feedback is sent by; every other is marketing (clause 4.1.3).
SERVICE_TEMPLATE: Final = "SERVICE"
# The consent that an automated credit decision needs besides PAYMENT (Law 19-1).
AUTOMATED_DECISION: Final = "AUTOMATED_DECISION"
EXPRESS_CONSENTS: Final = frozenset(
    {code for code, rule in PURPOSES.items() if rule.express_consent} | {AUTOMATED_DECISION}
)
CONSENT_CLAUSE: Final = {code: rule.clause for code, rule in PURPOSES.items()} | {
    AUTOMATED_DECISION: "4.1.8"
}
# Their reads for an open order go on after disagreement (clause 2.2, T-2.2-c).
ORDER_PURPOSES: Final = frozenset({"ORDER_STATUS", "PAYMENT"})

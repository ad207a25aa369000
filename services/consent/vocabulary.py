# SPDX-License-Identifier: Apache-2.0
"""The Data Privacy Vocabulary's words for ours (DPV 2.3; law.md 3.3)."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from services.consent.consent import State

CONTEXT: Final = "https://w3id.org/dpv#"
TERMS: Final = "http://purl.org/dc/terms/"
LEGAL_BASIS: Final = "dpv:ExplicitlyExpressedConsent"

PURPOSES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "ACCOUNT": ("dpv:AccountManagement", "dpv:ServiceRegistration"),
        "NEWS": ("dpv:DirectMarketing",),
        "ADVERTISING": ("dpv:Advertising",),
        "PARTNER_SITES": ("dpv:RequestedServiceProvision",),
        "AUTOMATED_DECISION": ("dpv:CustomerSolvencyMonitoring",),
    }
)
"""The purposes behind each express consent."""

STATUS: Final[Mapping[State | None, str]] = MappingProxyType(
    {
        State.GIVEN: "dpv:ConsentGiven",
        State.WITHDRAWN: "dpv:ConsentWithdrawn",
        State.EXPIRED: "dpv:ConsentExpired",
        State.OUTDATED: "dpv:ConsentInvalidated",
        State.REFUSED: "dpv:ConsentInvalidated",
        State.PENDING: "dpv:ConsentRequestDeferred",
        State.REFUSED_BY_PERSON: "dpv:ConsentRefused",
        None: "dpv:ConsentUnknown",
    }
)
"""The status of each state; of None where the person was never asked."""

_CONTACT = ("familyName", "givenName", "patronymic", "phone", "email")
DATA: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "ACCOUNT": (*_CONTACT, "address"),
        "NEWS": _CONTACT,
        "ADVERTISING": _CONTACT,
        "PARTNER_SITES": (),
        "AUTOMATED_DECISION": (*_CONTACT, "purchases"),
    }
)
"""The data that each consent reaches (Law 8(4)(7)); for PARTNER_SITES none leave."""

PURPOSE_OF: Final[Mapping[str, str]] = MappingProxyType(
    {code: "PAYMENT" if code == "AUTOMATED_DECISION" else code for code in DATA}
)
"""The purpose of clause 4.1 whose reads an express consent opens."""

RECIPIENTS: Final = ("COURIER", "POSTAL", "TELECOM")
"""Who may receive data, and only to fulfil the person's order (clause 5.2)."""

# SPDX-License-Identifier: Apache-2.0
"""The purposes that need an express consent (clause 4.1)."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

# 4.1.12 needs one by the project's decision; AUTOMATED_DECISION is the consent
# of Law 19-1 that a credit decision under 4.1.8 may need.
CLAUSE_OF_CONSENT: Final[Mapping[str, str]] = MappingProxyType(
    {
        "ACCOUNT": "4.1.6",
        "NEWS": "4.1.10",
        "ADVERTISING": "4.1.11",
        "PARTNER_SITES": "4.1.12",
        "AUTOMATED_DECISION": "4.1.8",
    }
)
"""The clause behind each express consent, by the purpose's name."""

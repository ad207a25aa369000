# SPDX-License-Identifier: Apache-2.0
"""Who is behind the id of a recipient (clauses 5.2, 5.3), as the broker tells it."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class NamedRecipient:
    """A recipient or a state body of a site; `kind` is COURIER, POSTAL, TELECOM or STATE_BODY."""

    site: str
    recipient_id: str
    kind: str
    legal_name: str
    bin: str


Names = Mapping[str, NamedRecipient]
"""Those of one site by their ids."""

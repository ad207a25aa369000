# SPDX-License-Identifier: Apache-2.0
"""A use of the site and how much it proves (clause 2.1, law.md 4.5)."""

import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class UseKind(StrEnum):
    """What the person did."""

    VIEW = "VIEW"
    LOGIN = "LOGIN"
    FORM_SUBMIT = "FORM_SUBMIT"
    ORDER = "ORDER"


class Strength(StrEnum):
    """How much a use proves of agreement."""

    WEAK = "WEAK"
    STRONG = "STRONG"


@dataclass(frozen=True, slots=True)
class Use:
    """One use, as the storefront attests it; of the page only a keyed digest is kept."""

    kind: UseKind
    page_digest: str
    notice_shown: bool
    client_time: datetime | None

    @property
    def strength(self) -> Strength:
        """STRONG for a form or an order after the notice was shown, else WEAK."""
        acted = self.kind in {UseKind.FORM_SUBMIT, UseKind.ORDER}
        return Strength.STRONG if acted and self.notice_shown else Strength.WEAK


def page_digest(secret: bytes, site_id: str, subject_id: str, page: str) -> str:
    """A digest that shows a named page to be the one, and links no two persons.

    HMAC-SHA-256 with the service's secret, salted with the subject.
    """
    message = f"use.page\0{site_id}\0{subject_id}\0{page}".encode()
    return hmac.digest(secret, message, hashlib.sha256).hex()

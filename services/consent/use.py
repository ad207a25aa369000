# SPDX-License-Identifier: Apache-2.0
"""A use of the site and how much it proves (clause 2.1, law.md 4.5)."""

import hashlib
import hmac
import json
from collections.abc import Mapping
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
    """One use, as the storefront attests it; of page and technical data only digests are kept."""

    kind: UseKind
    page_digest: str
    notice_shown: bool
    client_time: datetime | None
    technical_digest: str = ""

    @property
    def strength(self) -> Strength:
        """STRONG for a form or an order after the notice was shown, else WEAK."""
        acted = self.kind in {UseKind.FORM_SUBMIT, UseKind.ORDER}
        return Strength.STRONG if acted and self.notice_shown else Strength.WEAK


def standing_salt(secret: bytes, site_id: str, subject_id: str) -> str:
    """The salt of a person's uses of which nothing technical is kept, from the service's secret."""
    message = f"use\0{site_id}\0{subject_id}".encode()
    return hmac.digest(secret, message, hashlib.sha256).hex()


def page_digest(salt: str, page: str) -> str:
    """A digest that shows a named page to be the one, and links no two persons.

    HMAC-SHA-256 with a salt in hexadecimal digits. That of a use with technical data is random and
    kept by the vault alone, with the person's data: it dies with them.
    """
    return hmac.digest(bytes.fromhex(salt), b"use.page\0" + page.encode(), hashlib.sha256).hex()


def technical_digest(salt: str, members: Mapping[str, str]) -> str:
    """The same of the technical data: their names and values in the order of the names."""
    told = json.dumps(dict(sorted(members.items())), ensure_ascii=False, separators=(",", ":"))
    message = b"use.technical\0" + told.encode()
    return hmac.digest(bytes.fromhex(salt), message, hashlib.sha256).hex()

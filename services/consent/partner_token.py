# SPDX-License-Identifier: Apache-2.0
"""The click-through token to a partner's site (clauses 2.3, 4.1.12).

It says one thing only: that a person of the site who consented comes along. It names nobody,
works once, and soon ends.
"""

import hashlib
import hmac
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from datetime import datetime, timedelta

LIFE = timedelta(minutes=10)
PURPOSE = "PARTNER_SITES"
_PREFIX = "qt_"


@dataclass(frozen=True, slots=True)
class PartnerToken:
    """A token as it is kept: its id and its end, never the token itself."""

    token_id: str
    subject_id: str
    issue_time: datetime
    expire_time: datetime


def token_of(secret: bytes, site_id: str, token_id: str) -> str:
    """The token of a random id, made anew when the same request comes again.

    HMAC-SHA-256 with the service's secret: to everybody else random, and not to be undone.
    """
    digest = hmac.digest(secret, f"partner.token\0{site_id}\0{token_id}".encode(), hashlib.sha256)
    return _PREFIX + urlsafe_b64encode(digest).rstrip(b"=").decode()


def token_digest(token: str) -> str:
    """SHA-256 of a token, in hexadecimal; 256 random bits need no salt."""
    return hashlib.sha256(token.encode()).hexdigest()

# SPDX-License-Identifier: Apache-2.0
"""The one-time code that opens a person's own view, and the session it opens (clause 6.1.3).

A code is twenty letters and digits that cannot be mistaken for each other: eight find it, twelve
(60 random bits) prove it. It works once, for fifteen minutes, and bears five wrong tries. Kept are
what finds it and a keyed digest of what proves it.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from services.chassis.identity import SESSION_PREFIX
from services.vault.standing import ClaimsStanding, Outcome

CODE_LIFE: Final = timedelta(minutes=15)
SESSION_LIFE: Final = timedelta(minutes=30)
MOST_TRIES: Final = 5
# Letters to one mailbox, or about one subject: whoever asks for them cannot flood anybody.
MOST_IN_AN_HOUR: Final = 3
MOST_IN_A_DAY: Final = 10
# A contact that was changed shortly before a complaint may be the very thing complained of.
SETTLED: Final = timedelta(days=3)

_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_MISTAKEN: Final = str.maketrans({"O": "0", "I": "1", "L": "1", "-": None, " ": None})
_LOCATOR, _PROOF = 8, 12
_FORM: Final = re.compile(f"[{_ALPHABET}]{{{_LOCATOR + _PROOF}}}")


class CodeState(StrEnum):
    """What has become of a code. SPENT: tried wrongly too often."""

    LIVE = "LIVE"
    USED = "USED"
    SPENT = "SPENT"
    ENDED = "ENDED"


@dataclass(frozen=True, slots=True)
class Code:
    """A code in the clear; it lives only as long as the call that makes or brings it."""

    locator: str = field(repr=False)
    proof: str = field(repr=False)

    @classmethod
    def generate(cls) -> Code:
        """A fresh one from the operating system's generator."""
        text = "".join(secrets.choice(_ALPHABET) for _ in range(_LOCATOR + _PROOF))
        return cls(text[:_LOCATOR], text[_LOCATOR:])

    @classmethod
    def read(cls, text: str) -> Code | None:
        """What somebody typed: case, blanks and hyphens do not matter, O is 0 and I and L are 1."""
        plain = text.strip().upper().translate(_MISTAKEN)
        return cls(plain[:_LOCATOR], plain[_LOCATOR:]) if _FORM.fullmatch(plain) else None

    @property
    def shown(self) -> str:
        """In five groups, as people get it."""
        text = self.locator + self.proof
        return "-".join(text[n : n + 4] for n in range(0, len(text), 4))

    def digest(self, secret: bytes) -> bytes:
        """What is kept of what proves it; without the secret nobody finds it by trying."""
        told = f"access code\0{self.locator}\0{self.proof}"
        return hmac.digest(secret, told.encode(), hashlib.sha256)


def contact_digest(secret: bytes, site: str, address: str) -> bytes:
    """What letters to one mailbox are counted under."""
    told = f"access contact\0{site}\0{address.casefold()}"
    return hmac.digest(secret, told.encode(), hashlib.sha256)


def request_digest(secret: bytes, code_id: str, request_id: str) -> bytes:
    """What a redemption is known by when the same request comes again."""
    told = f"access redemption\0{code_id}\0{request_id}"
    return hmac.digest(secret, told.encode(), hashlib.sha256)


def session_token(secret: bytes, session_id: str) -> str:
    """The token of a session, made anew when the same redemption comes again.

    HMAC-SHA-256 with the service's secret: to everybody else 256 random bits.
    """
    digest = hmac.digest(secret, f"access session\0{session_id}".encode(), hashlib.sha256)
    return SESSION_PREFIX + urlsafe_b64encode(digest).rstrip(b"=").decode()


def same(left: bytes, right: bytes) -> bool:
    """Whether two digests are equal, in a time that does not tell where they differ."""
    return hmac.compare_digest(left, right)


def too_many(issued: Collection[datetime], now: datetime) -> bool:
    """Whether one more letter would be one too many; `issued` are the times of former ones."""
    hour = sum(time > now - timedelta(hours=1) for time in issued)
    day = sum(time > now - timedelta(days=1) for time in issued)
    return hour >= MOST_IN_AN_HOUR or day >= MOST_IN_A_DAY


def complained_since(claims: ClaimsStanding | None) -> datetime | None:
    """Since when the earliest block stands that is open or became a restriction; None: no block."""
    since = [
        block.since
        for block in (claims.blocks if claims else ())
        if block.outcome in (None, Outcome.UNLAWFUL_CONFIRMED)
    ]
    return min(since, default=None)


@dataclass(frozen=True, slots=True)
class ContactSpan:
    """When a version of the contact stood: until `end`, or to the present where None."""

    version: int
    start: datetime
    end: datetime | None


def contact_known(spans: Sequence[ContactSpan], complained: datetime | None) -> ContactSpan | None:
    """The version of the contact that a code may go to; None where there is none.

    The present one where nothing is complained of. Otherwise the one that stood a while before the
    complaint, or the first that ever was where there was none yet: never one that came with the
    complaint or after it.
    """
    if complained is None:
        return next((span for span in spans if span.end is None), None)
    by = complained - SETTLED
    ordered = sorted(spans, key=lambda span: span.version)
    for span in ordered:
        if span.start <= by and (span.end is None or by < span.end):
            return span
    first = ordered[0] if ordered else None
    # A contact that had been taken back by then is not taken up again.
    return first if first is not None and by < first.start < complained else None

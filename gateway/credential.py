# SPDX-License-Identifier: Apache-2.0
"""API keys: 256 random bits that the gateway knows by their SHA-256 only (clause 1.1.1)."""

import hashlib
import hmac
import re
import secrets
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

KEY_PREFIX = "qk_"
_FORM = re.compile(r"qk_[A-Za-z0-9_-]{43}")
MOST_LIVE_KEYS = 2


class KeyRole(StrEnum):
    """The roles that a key can carry; all others belong to named people with signed tokens."""

    STOREFRONT = "STOREFRONT"
    RECIPIENT = "RECIPIENT"
    PARTNER = "PARTNER"


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a key, and what the key may do. `purposes` is empty where all are granted.

    `daily_subjects` is how many different people it may reach on a day; 0 where not limited.
    """

    principal_id: str
    site_id: str
    role: KeyRole
    purposes: tuple[str, ...] = ()
    recipient_id: str = ""
    daily_subjects: int = 0


@dataclass(frozen=True, slots=True)
class Credential:
    """A key as it is stored: never the key itself. Times are aware, in UTC."""

    credential_id: str
    holder: Holder
    create_time: datetime
    expire_time: datetime | None
    revoke_time: datetime | None

    def is_live(self, now: datetime) -> bool:
        """Whether the key opens anything at `now`."""
        expired = self.expire_time is not None and self.expire_time <= now
        return self.revoke_time is None and not expired


def new_key() -> str:
    """A fresh key: `qk_` and 32 random bytes in base64url."""
    return KEY_PREFIX + urlsafe_b64encode(secrets.token_bytes(32)).rstrip(b"=").decode()


def is_key(token: str) -> bool:
    """Whether a bearer token presents itself as an API key."""
    return token.startswith(KEY_PREFIX)


def has_key_form(token: str) -> bool:
    """Whether a token could be a key at all."""
    return _FORM.fullmatch(token) is not None


def digest(key: str) -> bytes:
    """The SHA-256 under which a key is stored. 256 random bits need no salt and no slowness."""
    return hashlib.sha256(key.encode()).digest()


def same(left: bytes, right: bytes) -> bool:
    """Whether two digests are equal, in a time that does not tell where they differ."""
    return hmac.compare_digest(left, right)

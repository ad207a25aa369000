# SPDX-License-Identifier: Apache-2.0
"""A written answer as the book of record holds it, without its words (clause 8.2)."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from services.claims.state import Decision


class Sending(StrEnum):
    """How far a letter's way by e-mail has come."""

    NOT_BY_EMAIL = "NOT_BY_EMAIL"
    UNDER_WAY = "UNDER_WAY"
    SENT = "SENT"
    UNDELIVERABLE = "UNDELIVERABLE"


@dataclass(frozen=True, slots=True)
class Letter:
    """A letter as it was written and signed. Times are aware, in UTC.

    `document_id` is the PDF in the vault, `sha256` of its bytes in hexadecimal digits,
    `signature` detached over the same bytes.
    """

    site_id: str
    claim_id: str
    number: str
    author: str
    decision: Decision
    document_id: str
    sha256: str
    key_id: str
    signature: bytes = field(repr=False)
    write_time: datetime


@dataclass(frozen=True, slots=True)
class Way:
    """A letter's way by e-mail: to the sealed address `address_id`, next tried at `next_time`."""

    sending: Sending
    address_id: str
    attempts: int
    next_time: datetime


@dataclass(frozen=True, slots=True)
class LetterStatus:
    """All there is to say of a letter; a part that is not there is None."""

    letter: Letter
    way: Way | None
    national_signature: bytes | None = field(repr=False)
    channel: str | None
    dispatch_time: datetime | None

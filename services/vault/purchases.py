# SPDX-License-Identifier: Apache-2.0
"""Purchases: the lines of an order, encrypted like a name (clauses 1.1.2, 3.4)."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Final

from services.vault.envelope import Place, decrypt, encrypt
from services.vault.plaintext import SCHEMA
from services.vault.secret_key import SecretKey
from services.vault.text import normalize_text
from services.vault.violation import FieldInvalid, Rule

_AMOUNT: Final = re.compile(r"[0-9]{1,12}(\.[0-9]{1,2})?")
_CURRENCY: Final = re.compile(r"[A-Z]{3}")
_LONGEST: Final = 300


@dataclass(frozen=True, slots=True)
class OrderLine:
    """What was bought: the amount is the whole line's, a decimal number; the currency ISO 4217."""

    title: str = field(repr=False)
    quantity: int = field(repr=False)
    amount: str = field(repr=False)
    currency: str = field(repr=False)


def normalize_line(prefix: str, line: OrderLine) -> OrderLine:
    """A line in the form it is kept in. Raises FieldInvalid."""
    title = normalize_text(f"{prefix}.title", line.title, _LONGEST)
    if not _AMOUNT.fullmatch(line.amount):
        text = "must be a number such as 12990 or 12990.50"
        raise FieldInvalid(f"{prefix}.amount", Rule.AMOUNT_MALFORMED, text)
    if not _CURRENCY.fullmatch(line.currency):
        text = "must be three letters such as KZT"
        raise FieldInvalid(f"{prefix}.currency", Rule.CURRENCY_MALFORMED, text)
    return OrderLine(title, line.quantity, line.amount, line.currency)


def seal_line(
    key: SecretKey, site: str, subject: str, order_id: str, number: int, line: OrderLine
) -> bytes:
    """The ciphertext of a line. Raises VersionLimitReached."""
    members = [line.title, line.quantity, line.amount, line.currency]
    plain = json.dumps(members, ensure_ascii=False, separators=(",", ":")).encode()
    return encrypt(key, _place(site, subject, order_id, number), plain)


def open_line(
    key: SecretKey, site: str, subject: str, order_id: str, number: int, sealed: bytes
) -> OrderLine:
    """The line in the clear. Raises CiphertextMisplaced."""
    title, quantity, amount, currency = json.loads(
        decrypt(key, _place(site, subject, order_id, number), sealed)
    )
    return OrderLine(title, quantity, amount, currency)


def _place(site: str, subject: str, order_id: str, number: int) -> Place:
    return Place(SCHEMA, site, subject, f"purchases/{order_id}/{number}", 1)

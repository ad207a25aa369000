# SPDX-License-Identifier: Apache-2.0
"""The e-mail address (clause 3.2.3, T-3.2.3-a): local part as given, domain by IDNA."""

import re
from typing import Final

import idna
from email_validator import SPECIAL_USE_DOMAIN_NAMES, EmailNotValidError, validate_email

from services.vault.text import normalize_text
from services.vault.violation import FieldInvalid, Rule

MAX_LENGTH: Final = 254

# What nearly everybody writes, and what the library returns unchanged: its general rules cost
# more than all that a batch does with an address otherwise.
_PLAIN: Final = re.compile(
    r"[A-Za-z0-9_+-]+(?:\.[A-Za-z0-9_+-]+)*@"
    r"(?:[a-z0-9](?:[a-z0-9]|-(?!-)){0,61}(?<!-)\.)+[a-z]{2,24}"
)
_LONGEST_LOCAL: Final = 64
_SPECIAL: Final = tuple(f".{name}" for name in SPECIAL_USE_DOMAIN_NAMES)


def normalize_email(field: str, value: object) -> str:
    """The address with its local part's case kept and its domain in lower case and Unicode.

    user@xn--80ao21a.kz and user@қаз.kz are kept alike. Nothing is looked up in the DNS: an address
    may be well-formed and lead nowhere (clause 2.4).
    Raises FieldInvalid: what `normalize_text` raises, EMAIL_MALFORMED.
    """
    text = normalize_text(field, value, MAX_LENGTH)
    if _is_plain(text):
        return text
    try:
        address = validate_email(
            text,
            strict=True,
            allow_smtputf8=True,
            allow_quoted_local=False,
            allow_domain_literal=False,
            allow_display_name=False,
            check_deliverability=False,
            globally_deliverable=True,
            test_environment=False,
        )
    except EmailNotValidError:
        raise FieldInvalid(
            field, Rule.EMAIL_MALFORMED, "must be one e-mail address such as name@example.kz"
        ) from None
    return address.normalized


def _is_plain(text: str) -> bool:
    if not _PLAIN.fullmatch(text):
        return False
    local, _, domain = text.partition("@")
    return len(local) <= _LONGEST_LOCAL and not f".{domain}".endswith(_SPECIAL)


def email_index_form(address: str) -> str:
    """A normalized address with its domain in ASCII: the one form that is indexed.

    The local part keeps its case: look-up is exact.
    """
    local, _, domain = address.rpartition("@")
    return f"{local}@{domain if domain.isascii() else idna.encode(domain).decode()}"

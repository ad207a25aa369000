# SPDX-License-Identifier: Apache-2.0
"""The e-mail address (clause 3.2.3, T-3.2.3-a): local part as given, domain by IDNA."""

from typing import Final

import idna
from email_validator import EmailNotValidError, validate_email

from services.vault.text import normalize_text
from services.vault.violation import FieldInvalid, Rule

MAX_LENGTH: Final = 254


def normalize_email(field: str, value: object) -> str:
    """The address with its local part's case kept and its domain in lower case and Unicode.

    user@xn--80ao21a.kz and user@қаз.kz are kept alike. Nothing is looked up in the DNS: an address
    may be well-formed and lead nowhere (clause 2.4).
    Raises FieldInvalid: what `normalize_text` raises, EMAIL_MALFORMED.
    """
    text = normalize_text(field, value, MAX_LENGTH)
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


def email_index_form(address: str) -> str:
    """A normalized address with its domain in ASCII: the one form that is indexed.

    The local part keeps its case: look-up is exact.
    """
    local, _, domain = address.rpartition("@")
    return f"{local}@{domain if domain.isascii() else idna.encode(domain).decode()}"

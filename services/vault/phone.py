# SPDX-License-Identifier: Apache-2.0
"""The contact telephone (clause 3.2.2, T-3.2.2-a), kept in E.164."""

import re
from typing import Final

import phonenumbers
from phonenumbers import CountryCodeSource, NumberParseException

from services.vault.text import normalize_text
from services.vault.violation import FieldInvalid, Rule

MAX_LENGTH: Final = 40

_HOME: Final = "KZ"
# The library alone would also read Arabic digits, letters as in "1-800-FLOWERS", an extension, a
# second plus. The last two of the class are the non-breaking hyphen and the en dash.
_WRITTEN: Final = re.compile(r"\(?\+?[0-9(][0-9 ().\-\u2011\u2013]*")
# A number of Kazakhstan as it is kept: there is nothing left to parse.
_KEPT: Final = re.compile(r"\+77[0-9]{9}")
_SAYS_ITS_COUNTRY: Final = frozenset(
    {CountryCodeSource.FROM_NUMBER_WITH_PLUS_SIGN, CountryCodeSource.FROM_NUMBER_WITH_IDD}
)


def normalize_phone(field: str, value: object) -> str:
    """The number in E.164, such as +77011234567.

    A number without "+" or 810 is read as one of Kazakhstan. Since +7 is shared with Russia, such
    a number may turn out to be Russian (8-800-080-1234 does): that is refused as unclear, never
    guessed. Numbers of any country are accepted when they say it.
    Raises FieldInvalid: what `normalize_text` raises, PHONE_MALFORMED, PHONE_NOT_IN_USE,
    PHONE_COUNTRY_UNCLEAR.
    """
    text = normalize_text(field, value, MAX_LENGTH)
    if _KEPT.fullmatch(text) and phonenumbers.is_valid_number(
        phonenumbers.PhoneNumber(country_code=7, national_number=int(text[2:]))
    ):
        return text
    malformed = FieldInvalid(
        field, Rule.PHONE_MALFORMED, "must be one telephone number in digits, without extension"
    )
    if not _WRITTEN.fullmatch(text):
        raise malformed
    try:
        number = phonenumbers.parse(text, _HOME, keep_raw_input=True)
    except NumberParseException:
        raise malformed from None
    if not phonenumbers.is_valid_number(number):
        raise FieldInvalid(
            field, Rule.PHONE_NOT_IN_USE, "must be a number of a range that its country uses"
        )
    says_country = number.country_code_source in _SAYS_ITS_COUNTRY
    if not says_country and phonenumbers.region_code_for_number(number) != _HOME:
        raise FieldInvalid(
            field,
            Rule.PHONE_COUNTRY_UNCLEAR,
            "is not a number of Kazakhstan; write another country's number with + and its code",
        )
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)

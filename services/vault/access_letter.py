# SPDX-License-Identifier: Apache-2.0
"""The letter that carries a one-time code, in kk, ru and en."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Final

from services.chassis.mail import Letter
from services.vault.access_code import CODE_LIFE
from services.vault.envelope import Place, decrypt, encrypt
from services.vault.plaintext import SCHEMA
from services.vault.secret_key import SecretKey

DEFAULT_LANGUAGE: Final = "kk"
_MINUTES: Final = int(CODE_LIFE.total_seconds()) // 60

_SUBJECTS: Final = {
    "kk": "Дербес деректеріңізді қарауға арналған код",
    "ru": "Код для просмотра ваших персональных данных",
    "en": "A code to see your personal data",
}
_TEXTS: Final = {
    "kk": (
        "«{site}» сайтындағы дербес деректеріңізді қарау үшін бір реттік код:\n\n    {code}\n\n"
        "Код {minutes} минут бойы бір рет қана жарамды. Оны ешкімге бермеңіз: сайт "
        "қызметкерлері бұл кодты сұрамайды.\n\nЕгер сіз код сұрамасаңыз, ештеңе істемеңіз: "
        "кодсыз деректеріңізді ешкім көрмейді.\n"
    ),
    "ru": (
        "Одноразовый код для просмотра ваших персональных данных на сайте «{site}»:\n\n"
        "    {code}\n\nКод действует {minutes} минут и только один раз. Никому его не сообщайте: "
        "сотрудники сайта его не спрашивают.\n\nЕсли вы не запрашивали код, ничего не делайте: "
        "без него ваших данных никто не увидит.\n"
    ),
    "en": (
        'A one-time code to see your personal data on the site "{site}":\n\n    {code}\n\n'
        "It works once, for {minutes} minutes. Tell it to nobody: the site's people do not ask "
        "for it.\n\nIf you did not ask for a code, do nothing: nobody sees your data without "
        "it.\n"
    ),
}


@dataclass(frozen=True, slots=True)
class Sending:
    """What is sent to whom, until it has left."""

    address: str = field(repr=False)
    code: str = field(repr=False)


def letter_of(sending: Sending, site: str, language: str, code_id: str) -> Letter:
    """The letter in a language; Kazakh for one that is none of the three.

    Sent again, it is the same letter to the mail server and the reader.
    """
    chosen = language if language in _TEXTS else DEFAULT_LANGUAGE
    text = _TEXTS[chosen].format(site=site, code=sending.code, minutes=_MINUTES)
    return Letter(sending.address, _SUBJECTS[chosen], text, letter_id=code_id)


def seal_sending(key: SecretKey, site: str, subject: str, code_id: str, sending: Sending) -> bytes:
    """The ciphertext of what is to be sent, under the subject's key."""
    plain = json.dumps([sending.address, sending.code], ensure_ascii=False)
    return encrypt(key, _place(site, subject, code_id), plain.encode())


def open_sending(key: SecretKey, site: str, subject: str, code_id: str, sealed: bytes) -> Sending:
    """What is to be sent. Raises CiphertextMisplaced."""
    address, code = json.loads(decrypt(key, _place(site, subject, code_id), sealed))
    return Sending(address, code)


def _place(site: str, subject: str, code_id: str) -> Place:
    return Place(SCHEMA, site, subject, f"access-code/{code_id}", 1)

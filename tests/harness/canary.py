# SPDX-License-Identifier: Apache-2.0
"""Canaries: personal values that occur nowhere else, and a search for them in whatever was written.

A value is looked for as it is and as something that encodes would have written it: UTF-8, UTF-16 in
both orders, base64 at each of its three alignments and in both alphabets, hexadecimal, URL, \\u
escapes, Unicode's decomposed form, other case; a phone number by its digits alone.
"""

import base64
import hashlib
import random
import secrets
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote

KAZAKH = "әғқңөұүһі"
_RUSSIAN = "абвгдежзийклмнопрстуфхцчшщыэюя"
_CHUNK = 4 * 1024 * 1024
_NATIONAL_DIGITS = 10


@dataclass(frozen=True, slots=True)
class Canary:
    """A value and what it stands for. `text` is what is looked for."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Hit:
    """A canary that was found: which, in which form, where, at which byte."""

    canary: str
    form: str
    place: str
    offset: int


@dataclass(frozen=True)
class Person:
    """All that is personal of one invented person; every value holds a canary."""

    family_name: str
    given_name: str
    patronymic: str
    phone: str
    corrected_phone: str
    email: str
    loyalty_card: str
    locality: str
    street: str
    statement: str
    demand: str
    evidence: str
    answer: str
    proof: str
    reply_address: str
    authority_number: str
    authority_issuer: str
    official: str
    official_text: str
    reason: str
    notice: str
    wrong_phone: str
    unknown_value: str

    @classmethod
    def mint(cls) -> "Person":
        """A person that nobody has met."""
        return cls(
            family_name=_word().capitalize(),
            given_name=_word().capitalize(),
            patronymic=_word().capitalize(),
            phone=_phone("701"),
            corrected_phone=_phone("702"),
            email=f"canary{secrets.token_hex(6)}@example.kz",
            loyalty_card=f"canary-{secrets.token_hex(6)}",
            locality=_word().capitalize(),
            street=f"{_word().capitalize()} көшесі",
            statement=f"Деректерім дұрыс емес: {_word()} деген менің сөзім.",
            demand=f"Түзетуді талап етемін: {_word()}.",
            evidence=f"Проверено по документу {_word()}.",
            answer=f"Сіздің талабыңыз қанағаттандырылды, {_word()}.",
            proof=f"Хабарлама {_word()}",
            reply_address=f"{_word()} ауылы",
            authority_number=f"{_word()}",
            authority_issuer=f"Нотариус {_word().capitalize()}",
            official=f"Тергеуші {_word().capitalize()}",
            official_text=f"Прошу сведения: {_word()}.",
            reason=f"Сенімхат {_word()} берілмеген.",
            notice=f"Өкілеттігіңіз расталмады, {_word()}.",
            wrong_phone=f"8 701 {secrets.randbelow(10**10)} {_word()}",
            unknown_value=f"{_word()} {_word()}",
        )

    @property
    def canaries(self) -> tuple[Canary, ...]:
        """What is looked for of each value: its own words, and of numbers their digits."""
        found = []
        for name in self.__dataclass_fields__:
            value = str(getattr(self, name))
            if name.endswith("phone") and name != "wrong_phone":
                found.append(Canary(name, value[-_NATIONAL_DIGITS:]))
            elif name in ("email", "loyalty_card"):
                found.append(Canary(name, value.split("@", 1)[0]))
            else:
                own = [w for w in value.replace(".", " ").replace(",", " ").split() if _is_own(w)]
                found += [Canary(name, word) for word in own]
        return tuple(found)


def forms(text: str) -> Mapping[str, bytes]:
    """The bytes to look for, by the name of the form."""
    plain = text.encode()
    wide = text.encode("utf-16-be")
    escaped = "".join(f"\\u{int.from_bytes(wide[n : n + 2], 'big'):04x}" for n in _evens(wide))
    found = {
        "utf-8": plain,
        "utf-16-le": text.encode("utf-16-le"),
        "utf-16-be": wide,
        "hex": plain.hex().encode(),
        "HEX": plain.hex().upper().encode(),
        "nfd": unicodedata.normalize("NFD", text).encode(),
        "lower case": text.lower().encode(),
        "upper case": text.upper().encode(),
    }
    if not text.isascii():
        found["\\u"] = _escape_only(text, escaped).encode()
        found["\\U"] = found["\\u"].upper().replace(b"\\U", b"\\u")
        found["url"] = quote(text, safe="").encode()
        found["url, lower case"] = found["url"].lower()
    for alignment in range(3):
        for name, encode in (("base64", base64.b64encode), ("base64url", base64.urlsafe_b64encode)):
            found[f"{name} at {alignment}"] = _aligned(plain, alignment, encode)
    # Forms of ASCII text are often the same: each is looked for once.
    named = {form: name for name, form in reversed(found.items())}
    return {name: form for form, name in named.items()}


class Scanner:
    """Looks for canaries in bytes, streaming."""

    def __init__(self, canaries: Iterable[Canary]) -> None:
        self._patterns = [
            (canary.name, form, pattern)
            for canary in canaries
            for form, pattern in forms(canary.text).items()
        ]
        self._overlap = max(len(pattern) for _, _, pattern in self._patterns) - 1

    def in_bytes(self, content: bytes, place: str) -> Iterator[Hit]:
        """What is found in these bytes: the first place of each form."""
        if not content.strip(b"\0"):
            # Most of a server's log that is not written yet.
            return
        for name, form, pattern in self._patterns:
            offset = content.find(pattern)
            if offset >= 0:
                yield Hit(name, form, place, offset)

    def in_stream(self, stream: BinaryIO, place: str, size: int = _CHUNK) -> Iterator[Hit]:
        """What is found in a stream, also where a value lies across two chunks."""
        start, kept = 0, b""
        while chunk := stream.read(size):
            content = kept + chunk
            for hit in self.in_bytes(content, place):
                yield Hit(hit.canary, hit.form, place, start + hit.offset)
            kept = content[-self._overlap :]
            start += len(content) - len(kept)

    def in_files(self, *folders: Path) -> Iterator[Hit]:
        """What is found in the files below folders, and in their names.

        Of files with the same content one is looked through: a database begins as a copy.
        """
        seen: set[bytes] = set()
        for path in (path for folder in folders for path in sorted(folder.rglob("*"))):
            yield from self.in_bytes(bytes(path), f"the name of {path}")
            try:
                if path.is_file():
                    with path.open("rb") as stream:
                        digest = hashlib.file_digest(stream, "sha256").digest()
                        if digest not in seen:
                            seen.add(digest)
                            stream.seek(0)
                            yield from self.in_stream(stream, str(path))
            except FileNotFoundError:
                # A file of a running server that went in between.
                continue


def _aligned(plain: bytes, alignment: int, encode: object) -> bytes:
    """The characters of base64 that depend on `plain` alone, whatever stands around it."""
    assert callable(encode)
    encoded: bytes = encode(bytes(alignment) + plain)
    first = -(-alignment * 8 // 6)
    last = (alignment + len(plain)) * 8 // 6
    return encoded[first:last]


def _escape_only(text: str, escaped: str) -> str:
    """JSON escapes what is not ASCII and leaves the rest as it is."""
    units = [escaped[n : n + 6] for n in range(0, len(escaped), 6)]
    return "".join(
        character if character.isascii() else unit
        for character, unit in zip(text, units, strict=True)
    )


def _evens(content: bytes) -> range:
    return range(0, len(content), 2)


def _word() -> str:
    """A word with all nine Kazakh letters that are not Russian, in an order of its own."""
    # Of these letters only й and ё have another, decomposed form.
    letters = [*KAZAKH, "й", *(secrets.choice(_RUSSIAN) for _ in range(4))]
    random.SystemRandom().shuffle(letters)
    return "".join(letters)


def _is_own(word: str) -> bool:
    return set(KAZAKH) <= set(word.lower())


def _phone(operator: str) -> str:
    return f"+7{operator}{secrets.randbelow(10**7):07d}"

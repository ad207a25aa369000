# SPDX-License-Identifier: Apache-2.0
"""A policy version, its canonical form and its digest (clauses 9.1, 9.2).

The canonical form is what the SHA-256 of a version is taken over, so that a
stranger can check it from the texts that `GetPolicy` returns:

1. every title and body has its line ends as LF and is in Unicode NFC; nothing
   else is changed, and this is also how the text is stored and returned;
2. one JSON object with the members ``prevailingLanguage``, ``texts`` and
   ``version``; ``texts`` is sorted by language, each with the members
   ``body``, ``language`` and ``title``;
3. serialized as RFC 8785 asks: members sorted, no white space, UTF-8.
"""

import hashlib
import json
import unicodedata
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class PolicyText:
    """The policy in one language: kk, ru or en."""

    language: str
    title: str
    body: str

    def canonical(self) -> "PolicyText":
        """The same text in its canonical form."""
        return PolicyText(self.language, canonical_text(self.title), canonical_text(self.body))


@dataclass(frozen=True, slots=True)
class Policy:
    """One version of a site's policy; `texts` is empty where they were not asked for."""

    version: int
    sha256: str
    publish_time: datetime
    effective_time: datetime
    prevailing_language: str
    material_purposes: tuple[str, ...]
    act_id: str
    texts: tuple[PolicyText, ...] = ()


def canonical_text(text: str) -> str:
    """Line ends as LF, letters in NFC."""
    return unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n"))


def canonical_form(version: int, prevailing_language: str, texts: Collection[PolicyText]) -> bytes:
    """The bytes whose SHA-256 names a version."""
    document = {
        "version": version,
        "prevailingLanguage": prevailing_language,
        "texts": [
            {"language": t.language, "title": t.title, "body": t.body}
            for t in sorted((t.canonical() for t in texts), key=lambda t: t.language)
        ],
    }
    return json.dumps(document, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def digest(version: int, prevailing_language: str, texts: Collection[PolicyText]) -> str:
    """SHA-256 of the canonical form, in hexadecimal."""
    return hashlib.sha256(canonical_form(version, prevailing_language, texts)).hexdigest()


class TextFault(NamedTuple):
    """What is wrong with a text: its field, the rule it breaks, and words for people."""

    field: str
    rule: str
    description: str


def text_faults(texts: Sequence[PolicyText], prevailing_language: str) -> list[TextFault]:
    """What is wrong with the texts of a new version.

    Each language at most once, no blank title or body, and the prevailing
    language, where one is named, among the texts.
    """
    faults: list[TextFault] = []
    seen: set[str] = set()
    for index, text in enumerate(texts):
        if text.language in seen:
            faults.append(
                TextFault(f"texts[{index}].language", "unique", "at most one text per language")
            )
        seen.add(text.language)
        for name, value in (("title", text.title), ("body", text.body)):
            if not value.strip():
                faults.append(TextFault(f"texts[{index}].{name}", "blank", "has to hold a text"))
    if prevailing_language and prevailing_language not in seen:
        faults.append(
            TextFault(
                "prevailingLanguage", "among_texts", "has to be the language of one of the texts"
            )
        )
    return faults

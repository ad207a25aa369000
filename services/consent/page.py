# SPDX-License-Identifier: Apache-2.0
"""The proof of a consent as a page that a person can read, in Kazakh, Russian or English."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from html import escape
from zoneinfo import ZoneInfo

from services.consent.page_words import WORDS, Words
from services.consent.proof import Proof
from services.consent.vocabulary import RECIPIENTS

_LOCAL = ZoneInfo("Asia/Almaty")
LANGUAGES = tuple(WORDS)


def page(proof: Proof, language: str) -> str:
    """The page, whole HTML without anything that would be fetched."""
    words = WORDS[language]
    title = escape(words.title)
    rows = "".join(
        f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>"
        for name, value in _rows(proof, words, language)
    )
    entries = "".join(f"<li><code>{escape(r.entry_id)}</code></li>" for r in proof.records)
    return (
        f'<!doctype html><html lang="{language}"><head><meta charset="utf-8">'
        f"<title>{title}</title></head><body><h1>{title}</h1><table>{rows}</table>"
        f"<h2>{escape(words.evidence)}</h2><ul>{entries}</ul></body></html>"
    )


def _rows(proof: Proof, words: Words, language: str) -> Iterator[tuple[str, str]]:
    operator, fact = proof.operator, proof.fact
    state = words.states[proof.state.value if proof.state else "NEVER_ASKED"]
    yield (
        words.state,
        f"{state} ({_time(proof.moment.at)}; {words.known} {_time(proof.moment.known)})",
    )
    yield words.purpose, words.purposes[proof.purpose]
    yield words.subject, proof.subject_id
    yield words.operator, f"{operator.name}, {words.bin} {operator.bin}"
    yield words.address, operator.address
    yield words.contact, operator.contact
    yield words.responsible, operator.responsible
    if fact is not None:
        yield words.declared, _time(fact.time)
        if fact.given and fact.withdraw_time is not None:
            yield words.ended, _time(fact.withdraw_time)
        if proof.in_force_time is not None:
            yield words.in_force, _time(proof.in_force_time)
        if fact.given:
            yield words.term, _time(fact.expire_time) if fact.expire_time else words.until_end
    if proof.wording:
        yield words.wording, proof.wording
    if proof.policy is not None:
        yield words.policy, f"{proof.policy.version}, SHA-256 {proof.policy.sha256}"
    data = [each.label.get(language) or words.fields[each.name] for each in proof.data]
    yield words.data, ", ".join(data) or words.none
    yield words.third_parties, ", ".join(words.recipients[each] for each in RECIPIENTS)
    yield words.cross_border, words.yes if operator.cross_border else words.no
    yield words.public, words.yes if operator.public_dissemination else words.no
    yield words.storage, operator.storage
    yield words.withdrawal, operator.withdrawal


def _time(time: datetime) -> str:
    return time.astimezone(_LOCAL).isoformat(" ", timespec="seconds")

# SPDX-License-Identifier: Apache-2.0
"""The page a court begins with: who claims what of whom, and what came of it, in kk, ru or en."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from html import escape
from typing import Any, Final

from services.chassis.archive import PUBLIC_KEY, READ_ME, SIGNATURE, SUMS
from services.chassis.deadline import local_time
from services.chassis.sites import Operator
from services.claims.bundle_words import WORDS, Words
from services.claims.claim import Claim

_STYLE: Final = (
    "body{font:16px/1.5 serif;max-width:60em;margin:2em auto;padding:0 1em}"
    "table{border-collapse:collapse}td,th{border:1px solid #999;padding:.3em .6em;text-align:left;"
    "vertical-align:top}pre{white-space:pre-wrap;border:1px solid #999;padding:.6em}"
)

_SEALING: Final = (SUMS, SIGNATURE, PUBLIC_KEY, READ_ME)


@dataclass(frozen=True, slots=True)
class Exhibit:
    """A document of the archive: its kind, the name of its file, and its text where it is one."""

    kind: str
    file_name: str
    time: datetime
    text: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Case:
    """All that the page tells. `entries` are (record time, body) of the evidence, oldest first."""

    claim: Claim
    operator: Operator
    exhibits: Sequence[Exhibit]
    entries: Sequence[tuple[datetime, str]]
    policy_version: int | None
    made_time: datetime


def page(case: Case, file_names: Sequence[str]) -> str:
    """The page, whole HTML without scripts or anything that would be fetched.

    It leads to every file of the archive: to `file_names`, and to what seals them.
    """
    words = WORDS[case.claim.language]
    title = escape(f"{words.title} № {case.claim.number}")
    return (
        f'<!doctype html><html lang="{case.claim.language}"><head><meta charset="utf-8">'
        f"<title>{title}</title><style>{_STYLE}</style></head><body><h1>{title}</h1>"
        f"<table>{''.join(_row(*pair) for pair in _facts(case, words))}</table>"
        f"<h2>{escape(words.documents)}</h2>{''.join(_exhibit(e, words) for e in case.exhibits)}"
        f"<h2>{escape(words.timeline)}</h2><table>"
        f"{''.join(_step(time, body, words) for time, body in case.entries)}</table>"
        f"<h2>{escape(words.files)}</h2><ul>"
        f"{''.join(f'<li>{_link(name)}</li>' for name in (*file_names, *_SEALING))}</ul>"
        f"<p>{escape(words.verify)}</p></body></html>"
    )


def _facts(case: Case, words: Words) -> Iterator[tuple[str, str]]:
    claim, operator = case.claim, case.operator
    yield words.recipient, f"{operator.name}, {words.bin} {operator.bin}, {operator.address}"
    yield words.contact, operator.contact
    yield words.claimant, words.claimants[claim.claimant]
    yield words.subjects, ", ".join(claim.subject_ids) or words.none
    yield words.kind, words.kinds[claim.kind]
    yield words.received, _time(claim.receipt_time)
    yield words.recorded, _time(claim.record_time)
    yield words.due, f"{claim.deadline.due_date.isoformat()} ({claim.deadline.calendar_version})"
    yield words.state, words.states[claim.state]
    if claim.outcome is not None:
        yield words.outcome, words.outcomes[claim.outcome]
    if claim.decision is not None:
        yield words.decision, words.decisions[claim.decision]
    if claim.answer_time is not None:
        yield words.answered, _time(claim.answer_time)
    if case.policy_version is not None:
        yield words.policy, str(case.policy_version)
    if claim.recovery is not None:
        yield words.recovered, words.yes
    yield words.made, _time(case.made_time)


def _link(file_name: str) -> str:
    return f'<a href="{escape(file_name)}">{escape(file_name)}</a>'


def _exhibit(exhibit: Exhibit, words: Words) -> str:
    name = words.exhibits.get(exhibit.kind, exhibit.kind)
    text = f"<pre>{escape(exhibit.text)}</pre>" if exhibit.text is not None else ""
    place = f"{_link(exhibit.file_name)}, {escape(_time(exhibit.time))}"
    return f"<h3>{escape(name)}</h3><p>{place}</p>{text}"


def _step(time: datetime, body: str, words: Words) -> str:
    members: Mapping[str, Any] = json.loads(body)
    event = str(members["event"])
    by = str(members.get("principal", ""))
    return _row(_time(time), f"{words.events.get(event, event)}: {by}")


def _row(name: str, value: str) -> str:
    return f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>"


def _time(moment: datetime) -> str:
    return local_time(moment).isoformat(" ", timespec="seconds")

# SPDX-License-Identifier: Apache-2.0
"""A person's own view as pages to be read, in kk, ru or en; times are those of Almaty."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from services.chassis.contract import reasons
from services.chassis.typeset import Page, Section
from services.vault import own_view_words as words
from services.vault.own_view import Item
from services.vault.own_view_document import Heading, standing_told
from services.vault.own_view_words import in_words
from services.vault.recipients import Names
from services.vault.standing import Standing

MOST: Final = 100
"""Rows of a long list; the signed export has them all."""
_ZONE: Final = ZoneInfo("Asia/Almaty")


@dataclass(frozen=True, slots=True)
class Told:
    """What is printed of one subject: what stands of it, its lists, and who its recipients are."""

    subject: str
    standing: Standing
    lists: Mapping[str, Sequence[Item]]
    named: Names


def page_of(
    heading: Heading,
    told: Sequence[Told],
    processing: Sequence[Item],
    labels: Mapping[str, words.Triple],
    language: str,
) -> Page:
    """The page; the first of `told` is the person's own subject, the others are linked to it.

    `labels` are those of the data that the site has added to the list.
    """
    printer = _Printer(language, {**words.FIELDS, **labels})
    sections = [printer.head(heading)]
    for place, each in enumerate(told):
        sections += printer.subject(each, linked=place > 0)
    sections.append(printer.processing(processing))
    return Page(printer.label("title"), language, heading.export_id, sections)


class _Printer:
    def __init__(self, language: str, fields: Mapping[str, words.Triple]) -> None:
        self._language = language
        self._fields = fields

    def label(self, name: str) -> str:
        return in_words(words.LABELS, name, self._language)

    def head(self, heading: Heading) -> Section:
        told = [f"{self.label('site')}: {heading.site}"]
        operator = heading.operator
        if operator is not None:
            told.append(
                f"{self.label('operator')}: {operator.name}, {self.label('bin')} {operator.bin}, "
                f"{operator.address}; {self.label('contact')}: {operator.contact}; "
                f"{self.label('responsible')}: {operator.responsible}"
            )
        told.append(f"{self.label('subject')}: {heading.subject}")
        return Section("", [*told, self.label("about")])

    def subject(self, told: Told, *, linked: bool) -> list[Section]:
        standing = standing_told(told.standing, told.named)
        first = [f"{self.label('state')}: {self._of(words.STATES, standing['state'])}"]
        if linked:
            first.insert(0, f"{self.label('linked')}: {told.subject}")
        sections = [
            Section("", first),
            self._table("current", told.lists.get("data", ()), _DATA, self._datum),
            self._table("history", told.lists.get("history", ()), _DATA, self._datum),
            self._consents(standing),
            self._blocks(standing),
            self._orders(standing),
            self._table("purchases", told.lists.get("purchases", ()), _LINES, self._line),
            self._table("visits", told.lists.get("visits", ()), _VISITS, self._visit),
            self._table("documents", told.lists.get("documents", ()), _TEXTS, self._document),
            self._table("corrections", told.lists.get("corrections", ()), _TEXTS, self._correction),
        ]
        return [s for s in sections if s.rows or s.paragraphs]

    def processing(self, acts: Sequence[Item]) -> Section:
        return self._table("processing", acts, (("time", 2), ("what", 7)), self._act)

    def _table(
        self,
        name: str,
        items: Sequence[Item],
        columns: Sequence[tuple[str, int]],
        row: Callable[[Item], Sequence[str]],
    ) -> Section:
        cut = [self.label("cut")] if len(items) > MOST else []
        rows = [row(item) for item in items[:MOST]]
        head = [self.label(column) for column, _ in columns] if rows else []
        widths = [width for _, width in columns]
        return Section(self.label(name) if rows else "", cut, head, rows, widths)

    def _of(self, triples: Mapping[str, words.Triple], code: object) -> str:
        return in_words(triples, str(code), self._language)

    def _datum(self, item: Item) -> list[str]:
        value = item["value"]
        text = value if isinstance(value, str) else _address(value)
        time = moment(item["storeTime"])
        if "endTime" in item:
            time = f"{time} – {moment(item['endTime'])}"
        supplier = self._of(words.SUPPLIERS, item["supplier"])
        field = self._of(self._fields, item["field"])
        form = "" if item["form"] == _NO_FORM else item["form"]
        return [field, text, supplier, form, time]

    def _consents(self, standing: Mapping[str, Any]) -> Section:
        told = []
        if standing.get("acceptedVersion"):
            when = moment(standing["acceptedTime"]) if standing.get("acceptedTime") else ""
            told.append(f"{self.label('accepted')}: {standing['acceptedVersion']} ({when})")
        if "disagreedTime" in standing:
            told.append(f"{self.label('disagreed')}: {moment(standing['disagreedTime'])}")
        rows = [self._consent(each) for each in standing.get("consents", ())]
        return Section(self.label("consents") if told or rows else "", told, (), rows, (3, 5))

    def _consent(self, fact: Mapping[str, Any]) -> list[str]:
        names = {
            "grantedTime": "given",
            "expiresTime": "ends",
            "withdrawnTime": "withdrawn",
            "refusedTime": "refused",
        }
        times = [f"{self.label(name)} {moment(fact[k])}" for k, name in names.items() if k in fact]
        return [self._of(words.PURPOSES, fact["purpose"]), "; ".join(times)]

    def _blocks(self, standing: Mapping[str, Any]) -> Section:
        rows = [
            [
                f"{self.label('claimId')} {block['claimId']}",
                f"{self.label('since')} {moment(block['since'])}",
                str(block.get("outcome", self.label("open"))),
            ]
            for block in standing.get("blocks", ())
        ]
        return Section(self.label("blocks") if rows else "", (), (), rows, (4, 3, 2))

    def _orders(self, standing: Mapping[str, Any]) -> Section:
        rows = [
            [
                order["orderId"],
                moment(order["placedTime"]),
                "; ".join(
                    words.recipient_in_words(each, self._language)
                    for each in order.get("assignments", ())
                )
                or self.label("none"),
            ]
            for order in standing.get("orders", ())
        ]
        head = [self.label(name) for name in ("orderId", "time", "recipientId")] if rows else []
        return Section(self.label("recipients") if rows else "", (), head, rows, (2, 2, 4))

    def _line(self, item: Item) -> list[str]:
        amount = f"{item['amount']} {item['currency']}"
        title = f"{item['title']} × {item['quantity']}"
        return [item["orderId"], title, amount, moment(item["storeTime"])]

    def _visit(self, item: Item) -> list[str]:
        time = moment(str(item.get("accessTime", item["storeTime"])))
        pages = " ← ".join(item[name] for name in ("page", "referrer") if name in item)
        seen = ", ".join(item[name] for name in ("userAgent", "cookie") if name in item)
        return [time, item.get("ip", ""), pages, seen]

    def _document(self, item: Item) -> list[str]:
        kind = self._of(words.DOCUMENTS, item["kind"])
        return [kind, item["text"], moment(item["storeTime"])]

    def _correction(self, item: Item) -> list[str]:
        kept = [self._of(self._fields, name) for name in item["data"]]
        return [
            f"{self.label('claimId')} {item['claimId']}",
            ", ".join(kept),
            moment(item["stageTime"]),
        ]

    def _act(self, item: Item) -> list[str]:
        return [moment(item["time"]), sentence(item, self._language)]


def sentence(act: Item, language: str) -> str:
    """An act in words, with the reason of a refusal."""
    rule = reasons().get(act.get("reason", ""))
    return words.act_in_words(act, rule.titles[language] if rule else "", language)


def moment(text: str) -> str:
    """An instant as people in Almaty read it."""
    return f"{datetime.fromisoformat(text).astimezone(_ZONE):%d.%m.%Y %H:%M}"


_NO_FORM: Final = "unspecified"
# As people write it here, from the large to the small.
_ADDRESS: Final = ("postalCode", "country", "region", "locality", "street", "house", "flat")


def _address(members: Mapping[str, str]) -> str:
    known = [members[name] for name in _ADDRESS if name in members]
    return ", ".join([*known, *(v for name, v in members.items() if name not in _ADDRESS)])


_DATA: Final = (("field", 3), ("value", 5), ("supplier", 3), ("form", 2), ("time", 4))
_LINES: Final = (("orderId", 3), ("title_of_line", 5), ("amount", 2), ("time", 3))
_VISITS: Final = (("time", 3), ("value", 3), ("page", 5), ("browser", 5))
_TEXTS: Final = (("kind", 3), ("value", 7), ("time", 3))

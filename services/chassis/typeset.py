# SPDX-License-Identifier: Apache-2.0
"""Letters and pages as PDF: Typst with its own fonts, which have all Kazakh letters.

A template is a `.typ` file of a service; it imports `/chassis/paper.typ` for `paper` (the sheet)
and `data` (what it prints). What has no layout of its own is a `Page`. The words of a person come
as data only and are never read as markup.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

import typst

from services.chassis.deadline import local_date

# Templates import each other below this folder, and can read nothing outside it.
_ROOT: Final = Path(__file__).parents[1]
_PAGE: Final = Path(__file__).with_name("page.typ")
_STANDARD: Final = "a-2b"


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a page: a heading (none where empty), paragraphs, then a table where it has rows.

    `head` has a cell per column, or none; `widths` the columns' shares, equal where empty.
    """

    heading: str
    paragraphs: Sequence[str] = field(default=(), repr=False)
    head: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = field(default=(), repr=False)
    widths: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class Page:
    """What is printed on A4: `language` kk, ru or en; `reference` is at the foot of each sheet."""

    title: str
    language: str
    reference: str
    sections: Sequence[Section] = field(repr=False)


def typeset_page(page: Page, moment: datetime) -> bytes:
    """The PDF of a page; see `typeset`."""
    sections = [
        {
            "heading": section.heading,
            "paragraphs": list(section.paragraphs),
            "head": list(section.head),
            "rows": [list(row) for row in section.rows],
            "widths": list(section.widths or [1] * len(section.rows[0] if section.rows else ())),
        }
        for section in page.sections
    ]
    data = {"title": page.title, "language": page.language, "reference": page.reference}
    return typeset(_PAGE, data | {"sections": sections}, moment)


def typeset(template: Path, data: Mapping[str, object], moment: datetime) -> bytes:
    """The PDF/A-2b of a template with its data: selectable text, the same bytes for the same input.

    `template` lies below `services/`; `data` is JSON-able, its texts any Unicode; `moment` (aware)
    is the document's own time, whose day in Almaty is `data.date`. Raises ValueError for a template
    that does not take this data: a defect, and the text holds none of it.
    """
    if moment.utcoffset() is None:
        raise ValueError("a document's time has a zone")
    day = local_date(moment)
    printed = dict(data) | {"date": [day.year, day.month, day.day]}
    try:
        pdf = typst.compile(
            str(template),
            root=str(_ROOT),
            ignore_system_fonts=True,
            sys_inputs={"data": json.dumps(printed, ensure_ascii=False)},
            pdf_standards=_STANDARD,
            timestamp=int(moment.timestamp()),
        )
    except typst.TypstError:
        # Its text may quote the data.
        raise ValueError(f"the template {template.name} does not take its data") from None
    if not isinstance(pdf, bytes):
        raise TypeError("a template makes one document")
    return pdf

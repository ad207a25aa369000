# SPDX-License-Identifier: Apache-2.0
"""Letters and pages as PDF: Typst with its own fonts, which have all Kazakh letters.

A template is a `.typ` file of a service; it imports `/chassis/paper.typ` for `paper` (the sheet)
and `data` (what it prints). What has no layout of its own is a `Page`. The words of a person come
as data only and are never read as markup.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import typst

from services.chassis.deadline import local_date

# Templates import each other below this folder, and can read nothing outside it.
_ROOT: Final = Path(__file__).parents[1]
_PAGE: Final = Path(__file__).with_name("page.typ")
_ALONE: Final = Path(__file__).with_name("alone.typ")
_STANDARD: Final = "a-2b"
# Typst names at once all characters that no font of a document shows, each in Rust's escapes.
_NOT_SHOWN: Final = re.compile(
    r'^error: PDF/\S+ error: the text `"((?:[^"\\]|\\.)*)"` could not be displayed', re.MULTILINE
)
_ESCAPE: Final = re.compile(r"\\(?:u\{([0-9a-f]+)\}|(.))")
_ESCAPED: Final = {"0": "\0", "t": "\t", "n": "\n", "r": "\r"}
# The widths of `paper.typ`, in points: of a line, and what a cell has beside its text.
_LINE: Final = 470.5
_CELL_INSET: Final = 10.0
# Its sizes of letters, in points.
_TITLE, _HEADING, _TEXT = 15.0, 12.0, 10.5
# What does not break, blank or not, and after which signs it rather does than anywhere.
_WORD: Final = re.compile(r"[\S\u00a0\u2007\u202f]{3,}")
_PART: Final = re.compile(r"[^-/\\?&=_@\]]*[-/\\?&=_@\]]|[^-/\\?&=_@\]]+")
_PLAIN: Final = frozenset(map(chr, range(ord(" "), ord("~") + 1)))
_VIRAMA: Final = 9
# Where a word may be broken; `paper.typ` makes it a place that is no character of the document.
_BREAK: Final = "\u200b"
# What only joins or varies the character before it: joiner, variation selectors, tags.
_JOINING: Final = frozenset(
    chr(code)
    for first, last in [(0x200D, 0x200D), (0xFE00, 0xFE0F), (0xE0020, 0xE007F), (0xE0100, 0xE01EF)]
    for code in range(first, last + 1)
)


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
    return _typeset(_PAGE, data | {"sections": sections}, moment, _fitted_page)


def typeset(template: Path, data: Mapping[str, object], moment: datetime) -> bytes:
    """The PDF/A-2b of a template with its data: selectable text, the same bytes for the same input.

    `template` lies below `services/`; `data` is JSON-able, its texts any Unicode, where a character
    that no font has is printed as its code point, `[U+1F600]`, and a word that is wider than a line
    is broken. `moment` (aware) is the document's own time, whose day in Almaty is `data.date`.
    Raises ValueError for a template that does not take this data: a defect, and the text holds
    none of it.
    """
    return _typeset(template, data, moment, lambda written: _fitted(written, _LINE / _TEXT))


def _typeset(
    template: Path,
    data: Mapping[str, object],
    moment: datetime,
    fit: Callable[[Any], object],
) -> bytes:
    if moment.utcoffset() is None:
        raise ValueError("a document's time has a zone")
    day = local_date(moment)
    printed = dict(data) | {"date": [day.year, day.month, day.day]}
    characters: set[str] = set()
    for text in _texts(printed):
        characters.update(text)
    _FONTS.meet(characters)
    spelled = characters & _FONTS.nowhere
    while isinstance(
        pdf := _compiled(template, fit(_written(printed, characters, spelled)), moment), set
    ):
        # Fonts that have each of two characters, and none has both. The code points themselves are
        # written in ASCII, and a letter is kept where it is enough to part it from its mark.
        more = pdf - spelled - _PLAIN
        if not more:
            # What Typst says may quote the data.
            raise ValueError(f"the template {template.name} does not take its data")
        spelled |= {each for each in more if unicodedata.category(each)[0] in "MC"} or more
    return pdf


def _compiled(template: Path, data: object, moment: datetime) -> bytes | set[str]:
    """The PDF, or the characters that stand in its way: none where it is something else."""
    try:
        pdf = typst.compile(
            template,
            root=_ROOT,
            ignore_system_fonts=True,
            sys_inputs={"data": json.dumps(data, ensure_ascii=False)},
            pdf_standards=_STANDARD,
            timestamp=int(moment.timestamp()),
        )
    except typst.TypstError as error:
        return {
            _ESCAPE.sub(_unescaped, character) for character in _NOT_SHOWN.findall(error.diagnostic)
        }
    if not isinstance(pdf, bytes):
        raise TypeError("a template makes one document")
    return pdf


def _unescaped(found: re.Match[str]) -> str:
    return chr(int(found[1], 16)) if found[1] else _ESCAPED.get(found[2], found[2])


class _Fonts:
    """What Typst's fonts have, asked of Typst once a character.

    `nowhere` is what none has; `elsewhere` what the font of the paper itself has not; `widths` are
    in em, of bold letters.
    """

    def __init__(self) -> None:
        self.nowhere: set[str] = set()
        self.elsewhere: set[str] = set()
        self.widths: dict[str, float] = {}

    def meet(self, characters: set[str]) -> None:
        """Settle these characters, and all that code points are written in."""
        # Threads that meet the same come to the same; the widths last, for they say what is met.
        new = sorted((characters | _PLAIN) - self.widths.keys())
        if new:
            self.nowhere.update(self._lacking(new, fallback=True))
            self.elsewhere.update(self._lacking(new, fallback=False))
            self.widths.update(zip(new, self._measured(new), strict=True))

    def width(self, text: str) -> float:
        """The width of a text of characters that are met."""
        return sum(map(self.widths.__getitem__, text))

    @staticmethod
    def _lacking(characters: list[str], *, fallback: bool) -> set[str]:
        asked = {"characters": characters, "fallback": fallback}
        answer = _compiled(_ALONE, asked, datetime.fromtimestamp(0, UTC))
        return answer if isinstance(answer, set) else set()

    @staticmethod
    def _measured(characters: list[str]) -> list[float]:
        asked = json.dumps({"characters": characters, "fallback": True}, ensure_ascii=False)
        answer = typst.query(
            _ALONE,
            "<widths>",
            field="value",
            one=True,
            root=_ROOT,
            ignore_system_fonts=True,
            sys_inputs={"data": asked},
        )
        return [float(width) for width in json.loads(answer)]


_FONTS: Final = _Fonts()


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        yield from _texts(list(value.values()))
    elif isinstance(value, Sequence):
        for member in value:
            yield from _texts(member)


def _written(value: object, characters: set[str], spelled: set[str]) -> object:
    """The data with the `spelled` of its characters as code points, and all that joins them.

    A mark too after a letter of another font: the paper's own font would print the mark alone.
    """
    marks = {each for each in characters if unicodedata.category(each)[0] == "M"} - _JOINING
    parted = marks - _FONTS.elsewhere
    apart = characters & _FONTS.elsewhere if parted else set()
    if not spelled and not apart:
        return value
    pattern = re.compile(
        f"{_one_of(spelled)}{_one_of(marks | _JOINING)}*|{_one_of(apart)}{_one_of(marks)}+"
    )

    def of_one(found: re.Match[str]) -> str:
        joined = marks | _JOINING if found[0][0] in spelled else parted
        return "".join(
            f"[U+{ord(each):04X}]" if each in spelled or (each in joined and index) else each
            for index, each in enumerate(found[0])
        )

    return _each_text(value, lambda text: pattern.sub(of_one, text))


def _each_text(value: object, change: Callable[[str], str]) -> object:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, Mapping):
        return {name: _each_text(member, change) for name, member in value.items()}
    if isinstance(value, Sequence):
        return [_each_text(member, change) for member in value]
    return value


def _fitted(value: object, width: float) -> object:
    """The data with places to break in each word that is wider, in em."""

    def of_one(found: re.Match[str]) -> str:
        if _FONTS.width(found[0]) <= width:
            return found[0]
        parts = _PART.findall(found[0])
        return _BREAK.join(
            part if _FONTS.width(part) <= width else _BREAK.join(_pieces(part)) for part in parts
        )

    return _each_text(value, lambda text: _WORD.sub(of_one, text))


def _pieces(word: str) -> list[str]:
    """The characters of a word, each with what joins it."""
    pieces: list[str] = []
    for character in word:
        joins = unicodedata.category(character) in {"Mn", "Mc", "Me", "Cf"}
        # A virama and a joiner take what follows as well.
        if pieces and (joins or unicodedata.combining(pieces[-1][-1]) == _VIRAMA):
            pieces[-1] += character
        else:
            pieces.append(character)
    return pieces


def _fitted_page(data: dict[str, Any]) -> object:
    def row(cells: Sequence[str], widths: Sequence[int]) -> list[object]:
        places = [(_LINE * width / sum(widths) - _CELL_INSET) / _TEXT for width in widths]
        return [_fitted(cell, place) for cell, place in zip(cells, places, strict=True)]

    sections = [
        {
            "heading": _fitted(section["heading"], _LINE / _HEADING),
            "paragraphs": _fitted(section["paragraphs"], _LINE / _TEXT),
            "head": section["head"] and row(section["head"], section["widths"]),
            "rows": [row(cells, section["widths"]) for cells in section["rows"]],
            "widths": section["widths"],
        }
        for section in data["sections"]
    ]
    return data | {"title": _fitted(data["title"], _LINE / _TITLE), "sections": sections}


def _one_of(characters: set[str] | frozenset[str]) -> str:
    """A pattern of one of these; of none, where there are none."""
    return f"[{re.escape(''.join(sorted(characters)))}]" if characters else "(?!)"

# SPDX-License-Identifier: Apache-2.0
"""Letters and pages as PDF."""

import io
from datetime import UTC, datetime
from pathlib import Path

import pypdf
import pytest

from services.chassis import typeset as typeset_module
from services.chassis.typeset import Page, Section, typeset, typeset_page

MOMENT = datetime(2026, 11, 26, 20, 30, tzinfo=UTC)
KAZAKH = "Ә Ғ Қ Ң Ө Ұ Ү Һ І ә ғ қ ң ө ұ ү һ і"
PAGE_TEMPLATE = Path(typeset_module.__file__).with_name("page.typ")


def _page(*sections: Section, language: str = "kk") -> Page:
    return Page("Құпия хат", language, "2026-000001", sections)


def _text(pdf: bytes) -> str:
    return "\n".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(pdf)).pages)


def test_every_kazakh_letter_can_be_selected() -> None:
    assert KAZAKH in _text(typeset_page(_page(Section("", [KAZAKH])), MOMENT))


def test_a_persons_words_are_never_markup() -> None:
    words = '#panic("x") *bold* $x^2$ [y] \\ @ref <label> // no comment #include "/etc/passwd"'
    section = Section(words, [words], [words], [[words]])
    printed = _text(typeset_page(_page(section), MOMENT)).replace("\n", " ")
    assert printed.count('#panic("x")') == 4
    assert printed.count("// no comment") == 4


@pytest.mark.parametrize(
    ("language", "foot"), [("kk", "1-бет"), ("ru", "Страница 1 из 1"), ("en", "Page 1 of 1")]
)
def test_each_sheet_has_its_reference_and_number(language: str, foot: str) -> None:
    printed = _text(typeset_page(_page(Section("", ["x"]), language=language), MOMENT))
    assert foot in printed
    assert "2026-000001" in printed


def test_the_same_input_makes_the_same_bytes() -> None:
    page = _page(Section("А", ["б"], ["в", "г"], [["д", "е"]], [1, 3]))
    assert typeset_page(page, MOMENT) == typeset_page(page, MOMENT)


def test_a_document_has_the_day_of_almaty() -> None:
    reader = pypdf.PdfReader(io.BytesIO(typeset_page(_page(Section("", ["x"])), MOMENT)))
    assert reader.metadata is not None
    created = reader.metadata.creation_date
    assert created is not None
    assert created.date().isoformat() == "2026-11-27"


def test_a_time_without_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="zone"):
        typeset_page(_page(), MOMENT.replace(tzinfo=None))


def test_a_template_that_does_not_take_its_data_quotes_none_of_it() -> None:
    with pytest.raises(ValueError, match=r"page\.typ") as caught:
        typeset(PAGE_TEMPLATE, {"title": "құпия сөз"}, MOMENT)
    assert "құпия сөз" not in str(caught.value)
    assert caught.value.__cause__ is None

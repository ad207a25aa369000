# SPDX-License-Identifier: Apache-2.0
"""Letters and pages as PDF."""

import io
import unicodedata
from datetime import UTC, datetime
from pathlib import Path

import pypdf
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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


@pytest.mark.parametrize(
    ("written", "printed"),
    [
        ("a😀", "a[U+1F600]"),
        ("中文 x", "[U+4E2D][U+6587] x"),
        ("👨\u200d👩 x", "[U+1F468][U+200D][U+1F469] x"),
        ("1\ufe0f\u20e3 1", "1[U+FE0F][U+20E3] 1"),
        ("\x00\ufffe]^-\\", "[U+0000][U+FFFE]]^-\\"),
        # What joins an unseen character is told, what joins a seen one is not touched.
        ("☑\ufe0f 😀\ufe0f x", "☑\ufe0f [U+1F600][U+FE0F] x"),
        # Each has a glyph, and no font has both; the letter stays, also where it stands alone.
        ("и\u20d7 и", "и[U+20D7] и"),
        # The font of the paper would print these marks and leave out what they stand with.
        ("中\u0301 x", "[U+4E2D][U+0301] x"),
        ("☑\u0301 x", "☑[U+0301] x"),
    ],
)
def test_what_no_font_has_is_printed_as_its_code_point(written: str, printed: str) -> None:
    assert printed in _text(typeset_page(_page(Section("", [written])), MOMENT))


def test_what_the_fonts_have_is_printed_as_it_is() -> None:
    words = "naïve Ґґ ψυχή № 5 ☑\ufe0f — “x” ₸"
    assert words in _text(typeset_page(_page(Section("", [words])), MOMENT))


def _characters() -> st.SearchStrategy[str]:
    """Of all planes, and more often those that do something to their neighbour."""
    joiners = st.sampled_from(
        "\u200c\u200d\ufe0e\ufe0f\u034f\u00ad\u20e3\u20d7\ufeff\ufffe\x85\x0b"
    )
    marks = st.characters(categories=["Mn", "Mc", "Me"])
    odd = st.characters(categories=["Cc", "Cf", "Cn", "Co"])
    return st.one_of(st.characters(exclude_categories=["Cs"]), joiners, marks, odd)


@settings(deadline=None, max_examples=60)
@given(st.text(_characters(), max_size=80))
def test_a_page_of_any_text_is_made(words: str) -> None:
    section = Section(words, [words], [words], [[words]])
    assert typeset_page(_page(section), MOMENT).startswith(b"%PDF")


def test_a_sample_of_every_plane_is_printed_whole() -> None:
    """Each character that is not blank by nature is there: as itself or as its code point."""
    sample = [chr(code) for code in range(0x21, 0x110000, 611) if not 0xD800 <= code <= 0xDFFF]
    visible = [each for each in sample if unicodedata.category(each)[0] in "LNS"]
    printed = _text(typeset_page(_page(Section("", sample)), MOMENT))
    folded = unicodedata.normalize("NFKC", printed)
    for each in visible:
        assert f"[U+{ord(each):04X}]" in printed or unicodedata.normalize("NFKC", each) in folded


def _right_ends(pdf: bytes) -> list[float]:
    """Where each piece of text ends at the least, in points: no letter here is under 0.4 em."""
    ends = []

    def see(text: str, matrix: list[float], _tm: object, _font: object, size: float) -> None:
        letters = [each for each in text.strip() if not unicodedata.combining(each)]
        if letters and size > FOOT_SIZE:
            ends.append(matrix[4] + 0.4 * size * len(letters))

    for page in pypdf.PdfReader(io.BytesIO(pdf)).pages:
        page.extract_text(visitor_text=see)
    return ends


FOOT_SIZE = 8.5
RIGHT_MARGIN = (210 - 22) / 25.4 * 72
URL = "https://qupia.kz/" + "abcdefgh/" * 15


@pytest.mark.parametrize(
    "word", ["Ш" * 200, "w" * 500, URL, "😀" * 60, "x\u00a0" * 150, "м\u0301" * 200, "ab-" * 90]
)
def test_no_word_leaves_the_sheet(word: str) -> None:
    page = Page(
        word, "kk", "r", [Section(word, ["а " + word], ["а"] * 3 + [word], [["а", "б", "в", word]])]
    )
    assert max(_right_ends(typeset_page(page, MOMENT))) < RIGHT_MARGIN


def test_no_word_of_a_cell_leaves_its_column() -> None:
    page = _page(Section("", [], [], [["ш" * 40, "я"]], [1, 3]))
    assert max(_right_ends(typeset_page(page, MOMENT))) < RIGHT_MARGIN * 0.4


@pytest.mark.parametrize("word", ["w" * 200, URL])
def test_a_broken_word_is_copied_whole(word: str) -> None:
    printed = _text(typeset_page(_page(Section("", [word])), MOMENT))
    assert word in printed.replace("\n", "")


def test_a_part_of_a_word_that_fits_is_not_broken() -> None:
    printed = _text(typeset_page(_page(Section("", [URL])), MOMENT))
    assert printed.count("abcdefgh/") == 15


def test_a_word_that_fits_is_not_broken() -> None:
    words = "конфиденциальности " * 20
    printed = _text(typeset_page(_page(Section("", [words], [], [[words, "x"]])), MOMENT))
    assert printed.count("конфиденциальности") == 40

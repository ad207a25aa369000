# SPDX-License-Identifier: Apache-2.0
"""The canonical form of a policy version (clause 9.1)."""

import hashlib

import pytest

from services.consent.policy import (
    PolicyText,
    canonical_form,
    canonical_text,
    digest,
    text_faults,
)

KK = PolicyText("kk", "Саясат", "Бірінші\nЕкінші")
RU = PolicyText("ru", "Политика", 'Первый "пункт"')


def test_the_canonical_form_is_sorted_json_without_white_space() -> None:
    expected = (
        '{"prevailingLanguage":"ru","texts":['
        '{"body":"Бірінші\\nЕкінші","language":"kk","title":"Саясат"},'
        '{"body":"Первый \\"пункт\\"","language":"ru","title":"Политика"}'
        '],"version":7}'
    )
    assert canonical_form(7, "ru", [RU, KK]) == expected.encode()
    assert digest(7, "ru", [RU, KK]) == hashlib.sha256(expected.encode()).hexdigest()


def test_the_order_of_the_texts_does_not_change_the_digest() -> None:
    assert digest(1, "kk", [KK, RU]) == digest(1, "kk", [RU, KK])


@pytest.mark.parametrize("line_end", ["\r\n", "\r", "\n"])
def test_line_ends_do_not_change_the_digest(line_end: str) -> None:
    other = PolicyText("kk", "Саясат", f"Бірінші{line_end}Екінші")
    assert digest(1, "kk", [other]) == digest(1, "kk", [KK])


def test_composed_and_decomposed_letters_are_one_text() -> None:
    assert canonical_text("и\u0306") == "й"
    assert canonical_text("ӘҒҚҢӨҰҮҺІ") == "ӘҒҚҢӨҰҮҺІ"


@pytest.mark.parametrize(
    ("version", "prevailing", "texts"),
    [
        (2, "kk", [KK, RU]),
        (1, "ru", [KK, RU]),
        (1, "kk", [KK]),
        (1, "kk", [KK, PolicyText("ru", "Политика", 'Первый  "пункт"')]),
        (1, "kk", [KK, PolicyText("en", RU.title, RU.body)]),
    ],
)
def test_any_other_content_has_another_digest(
    version: int, prevailing: str, texts: list[PolicyText]
) -> None:
    assert digest(version, prevailing, texts) != digest(1, "kk", [KK, RU])


def test_a_language_stands_at_most_once_and_no_text_is_blank() -> None:
    faults = text_faults([KK, RU, PolicyText("kk", " ", "\n")], "en")
    assert {(f.field, f.rule) for f in faults} == {
        ("texts[2].language", "unique"),
        ("texts[2].title", "blank"),
        ("texts[2].body", "blank"),
        ("prevailingLanguage", "among_texts"),
    }
    assert text_faults([KK, RU], "ru") == []
    assert text_faults([KK, RU], "") == []

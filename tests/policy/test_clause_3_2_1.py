# SPDX-License-Identifier: Apache-2.0
"""Clause 3.2.1: surname, given name, patronymic."""

import unicodedata

from tests.policy.site import Site

LETTERS = "ӘҒҚҢӨҰҮҺІәғқңөұүһі"


def test_somebody_without_patronymic_is_somebody(site: Site) -> None:
    """T-3.2.1-a"""
    name = {"familyName": "Аманова", "givenName": "Әйгерім"}
    person = site.person(name)
    assert person.data() == name


def test_every_kazakh_letter_comes_back_byte_for_byte(site: Site) -> None:
    """T-3.2.1-a"""
    person = site.person()
    for letter in LETTERS:
        name = dict.fromkeys(("familyName", "givenName", "patronymic"), f"{letter}а{letter}")
        person.placed(name)
        read = person.data()
        assert [read[part].encode() for part in name] == [f"{letter}а{letter}".encode()] * 3


def test_a_name_in_another_normal_form_is_kept_in_nfc(site: Site) -> None:
    """T-3.2.1-a"""
    written = "Байқоңыр Йосифұлы"
    person = site.person({"givenName": unicodedata.normalize("NFD", written)})
    assert person.data()["givenName"].encode() == written.encode()

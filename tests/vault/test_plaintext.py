# SPDX-License-Identifier: Apache-2.0
"""The canonical bytes of a field: one value, one form."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.vault.address import Address, AddressPart
from services.vault.concealed import Concealed
from services.vault.fields import Field
from services.vault.plaintext import parse, serialize

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
addresses = st.dictionaries(st.sampled_from(AddressPart), texts, min_size=1)


@given(st.sampled_from(sorted(set(Field) - {Field.ADDRESS})), texts)
def test_text_comes_back_as_it_was(field: Field, text: str) -> None:
    assert parse(field, serialize(field, text)) == text


@given(addresses)
def test_an_address_comes_back_as_it_was(parts: dict[AddressPart, str]) -> None:
    address: Address = Concealed(parts)
    reversed_address: Address = Concealed(dict(reversed(list(parts.items()))))
    plaintext = serialize(Field.ADDRESS, address)
    assert parse(Field.ADDRESS, plaintext) == address
    assert serialize(Field.ADDRESS, reversed_address) == plaintext


def test_an_address_has_one_form() -> None:
    address: Address = Concealed({AddressPart.STREET: "Абай", AddressPart.COUNTRY: "KZ"})
    assert serialize(Field.ADDRESS, address).decode() == '{"country":"KZ","street":"Абай"}'


@pytest.mark.parametrize(
    ("field", "plaintext"),
    [
        (Field.PHONE, b"\xff"),
        (Field.ADDRESS, b"\xff"),
        (Field.ADDRESS, b"secret"),
        (Field.ADDRESS, b"[]"),
        (Field.ADDRESS, b'{"planet":"secret"}'),
        (Field.ADDRESS, b'{"house":10}'),
        (Field.ADDRESS, b"[" * 100_000),
    ],
    ids=["no text", "no text address", "no JSON", "list", "unknown part", "number", "deep"],
)
def test_bytes_of_another_form_are_refused_without_quoting_them(
    field: Field, plaintext: bytes
) -> None:
    with pytest.raises(ValueError, match="not in the form") as refusal:
        parse(field, plaintext)
    assert "secret" not in str(refusal.value)
    assert refusal.value.__suppress_context__


def test_a_value_of_another_field_is_refused() -> None:
    with pytest.raises(TypeError):
        serialize(Field.ADDRESS, "Алматы")
    with pytest.raises(TypeError):
        serialize(Field.PHONE, Concealed({AddressPart.HOUSE: "10"}))

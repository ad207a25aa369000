# SPDX-License-Identifier: Apache-2.0
"""A field's ciphertext opens in its own place only (threats T13, T15; guarantee I10)."""

import ast
import dataclasses
import pickle
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.chassis.sealing import length_prefixed
from services.vault import aead
from services.vault.envelope import (
    LAST_VERSION,
    CiphertextMisplaced,
    Place,
    VersionLimitReached,
    decrypt,
    encrypt,
)
from services.vault.secret_key import SecretKey

PLACE = Place(schema=1, site="demo", owner="5b" * 16, field="phone", version=3)
VAULT = Path(aead.__file__).parent

names = st.text(alphabet="ab:/-0", max_size=4)
places = st.builds(
    Place,
    schema=st.integers(1, 12),
    site=names,
    owner=names,
    field=names,
    version=st.integers(1, 120),
)


@given(st.binary(max_size=200), places)
def test_a_field_opens_in_its_own_place(plaintext: bytes, place: Place) -> None:
    key = SecretKey.generate()
    ciphertext = encrypt(key, place, plaintext)
    assert decrypt(key, place, ciphertext) == plaintext
    assert len(ciphertext) == len(plaintext) + 29


@pytest.mark.parametrize(
    "elsewhere",
    [
        pytest.param(dataclasses.replace(PLACE, schema=2), id="another schema"),
        pytest.param(dataclasses.replace(PLACE, site="other"), id="another site"),
        pytest.param(dataclasses.replace(PLACE, owner="5c" * 16), id="another subject"),
        pytest.param(dataclasses.replace(PLACE, field="email"), id="another field"),
        pytest.param(dataclasses.replace(PLACE, version=2), id="an earlier version"),
        pytest.param(dataclasses.replace(PLACE, version=4), id="a later version"),
    ],
)
def test_a_moved_ciphertext_never_decrypts(elsewhere: Place) -> None:
    key = SecretKey.generate()
    ciphertext = encrypt(key, PLACE, b"+77011234567")
    with pytest.raises(CiphertextMisplaced):
        decrypt(key, elsewhere, ciphertext)


def test_another_owners_key_opens_nothing() -> None:
    ciphertext = encrypt(SecretKey.generate(), PLACE, b"+77011234567")
    with pytest.raises(CiphertextMisplaced):
        decrypt(SecretKey.generate(), PLACE, ciphertext)


def test_every_flipped_bit_and_every_cut_is_noticed() -> None:
    key = SecretKey.generate()
    ciphertext = encrypt(key, PLACE, b"A")
    altered = [
        ciphertext[:at] + bytes([ciphertext[at] ^ 1 << bit]) + ciphertext[at + 1 :]
        for at in range(len(ciphertext))
        for bit in range(8)
    ]
    cut = [ciphertext[:length] for length in range(len(ciphertext))]
    for wrong in [*altered, *cut, ciphertext + b"\0"]:
        with pytest.raises(CiphertextMisplaced):
            decrypt(key, PLACE, wrong)


def test_a_hundred_thousand_encryptions_repeat_no_nonce() -> None:
    key = SecretKey.generate()
    nonces = {encrypt(key, PLACE, b"")[1:13] for _ in range(100_000)}
    assert len(nonces) == 100_000


def test_no_nonce_is_written_into_the_code() -> None:
    for module in VAULT.glob("*.py"):
        for node in ast.walk(ast.parse(module.read_text())):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            receiver = node.func.value
            if isinstance(receiver, ast.Call) and ast.unparse(receiver.func) == "AESGCM":
                assert module.name == "aead.py", f"{module.name} handles nonces by itself"
                assert not isinstance(node.args[0], ast.Constant)


def test_a_data_key_stops_before_its_nonces_may_repeat() -> None:
    key = SecretKey.generate()
    last = dataclasses.replace(PLACE, version=LAST_VERSION)
    assert decrypt(key, last, encrypt(key, last, b"A")) == b"A"
    with pytest.raises(VersionLimitReached):
        encrypt(key, dataclasses.replace(PLACE, version=LAST_VERSION + 1), b"A")
    with pytest.raises(ValueError, match="from 1"):
        encrypt(key, dataclasses.replace(PLACE, version=0), b"A")


parts = st.lists(st.binary(max_size=6), max_size=5)


@given(parts, parts)
def test_two_lists_of_parts_never_encode_alike(one: list[bytes], other: list[bytes]) -> None:
    assert (length_prefixed(*one) == length_prefixed(*other)) == (one == other)


@given(parts, st.data())
def test_the_boundary_between_parts_counts(one: list[bytes], data: st.DataObject) -> None:
    joined = b"".join(one)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(joined)), max_size=4)))
    edges = [0, *cuts, len(joined)]
    other = [joined[start:end] for start, end in pairwise(edges)]
    assert (length_prefixed(*one) == length_prefixed(*other)) == (one == other)


@given(places, places)
def test_two_places_never_encode_alike(one: Place, other: Place) -> None:
    assert (one.encode() == other.encode()) == (one == other)


def test_a_key_in_the_clear_shows_itself_nowhere() -> None:
    key = SecretKey.generate()
    assert key.reveal().hex() not in f"{key!r} {key!s}"
    assert repr(key) == "SecretKey(***)"
    with pytest.raises(TypeError):
        pickle.dumps(key)


def test_a_key_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        SecretKey(b"short")

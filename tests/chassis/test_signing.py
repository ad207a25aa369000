# SPDX-License-Identifier: Apache-2.0
"""Detached signatures of a service."""

from dataclasses import replace

import pytest

from services.chassis.signing import Signature, Signer, is_signed, key_id_of

SECRET = bytes(range(32))
CONTENT = "Жауап".encode()


def test_what_a_service_signed_can_be_verified_with_its_public_key_alone() -> None:
    signer = Signer.of_secret(SECRET)
    assert is_signed(signer.public_key, CONTENT, signer.sign(CONTENT))


def test_every_instance_of_a_service_signs_alike() -> None:
    first, second = Signer.of_secret(SECRET), Signer.of_secret(SECRET)
    assert first.sign(CONTENT) == second.sign(CONTENT)


def test_a_changed_byte_is_seen() -> None:
    signer = Signer.of_secret(SECRET)
    signature = signer.sign(CONTENT)
    assert not is_signed(signer.public_key, CONTENT + b" ", signature)
    value = bytes([signature.value[0] ^ 1]) + signature.value[1:]
    assert not is_signed(signer.public_key, CONTENT, replace(signature, value=value))


def test_another_service_did_not_sign() -> None:
    signer, other = Signer.of_secret(SECRET), Signer.of_secret(SECRET[::-1])
    assert not is_signed(other.public_key, CONTENT, signer.sign(CONTENT))
    renamed = Signature(other.key_id, signer.sign(CONTENT).value)
    assert not is_signed(other.public_key, CONTENT, renamed)


@pytest.mark.parametrize("key", [b"", bytes(31), bytes(33)])
def test_what_is_no_key_verifies_nothing(key: bytes) -> None:
    signature = Signature(key_id_of(key), bytes(64))
    assert not is_signed(key, CONTENT, signature)


def test_a_signer_shows_no_secret() -> None:
    assert SECRET.hex() not in repr(Signer.of_secret(SECRET))
    assert "private" not in repr(Signer.of_secret(SECRET)).lower()

# SPDX-License-Identifier: Apache-2.0
"""Documents sealed to the vault: only the vault opens them, and only in their place."""

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.chassis.sealing import (
    DocumentPlace,
    SealedFormatUnknown,
    seal,
    sealed_parts,
    sealing_key_id,
)
from services.vault.envelope import CiphertextMisplaced
from services.vault.keyring import Keyring, WrappedKey
from services.vault.provider import KeyWrong
from services.vault.provider_file import FileKeyProvider
from services.vault.secret_key import SecretKey
from services.vault.unsealing import (
    SealingPair,
    create_sealing_pair,
    open_private_key,
    open_sealed,
    rewrap_sealing_pair,
)

PLACE = DocumentPlace("demo", "claim-1", "document-1", "STATEMENT")
STATEMENT = "Менің деректерім дұрыс емес".encode()


class NoEpochs:
    """Sealing needs no epoch."""

    def epoch_key(self, epoch: str) -> WrappedKey | None:
        raise AssertionError(epoch)


@pytest.fixture
def provider(tmp_path: Path) -> FileKeyProvider:
    return FileKeyProvider.open(tmp_path / "kek.json", create=True)


@pytest.fixture
def keyring(provider: FileKeyProvider) -> Keyring:
    return Keyring(provider, NoEpochs())


@pytest.fixture
def pair(keyring: Keyring) -> SealingPair:
    return create_sealing_pair(keyring)


@pytest.fixture
def private(keyring: Keyring, pair: SealingPair) -> SecretKey:
    return open_private_key(keyring, pair)


def test_the_vault_opens_what_was_sealed_to_it(pair: SealingPair, private: SecretKey) -> None:
    sealed = seal(pair.public_key, PLACE, STATEMENT)
    assert STATEMENT not in sealed
    assert open_sealed(private, PLACE, sealed) == STATEMENT


def test_the_same_statement_is_never_sealed_alike(pair: SealingPair) -> None:
    assert len({seal(pair.public_key, PLACE, STATEMENT) for _ in range(50)}) == 50


def test_an_empty_document_can_be_sealed(pair: SealingPair, private: SecretKey) -> None:
    assert open_sealed(private, PLACE, seal(pair.public_key, PLACE, b"")) == b""


@pytest.mark.parametrize("part", ["site", "reference", "document_id", "kind"])
def test_a_sealed_document_opens_in_no_other_place(
    pair: SealingPair, private: SecretKey, part: str
) -> None:
    sealed = seal(pair.public_key, PLACE, STATEMENT)
    elsewhere = dataclasses.replace(PLACE, **{part: "another"})
    with pytest.raises(CiphertextMisplaced):
        open_sealed(private, elsewhere, sealed)


def test_another_pair_opens_nothing(keyring: Keyring, pair: SealingPair) -> None:
    other = open_private_key(keyring, create_sealing_pair(keyring))
    with pytest.raises(CiphertextMisplaced):
        open_sealed(other, PLACE, seal(pair.public_key, PLACE, STATEMENT))


def test_every_altered_byte_and_every_cut_is_noticed(pair: SealingPair, private: SecretKey) -> None:
    sealed = seal(pair.public_key, PLACE, b"A")
    named = 17  # format and key id choose the key; they are not part of the encryption
    altered = [
        sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :]
        for at in [0, *range(named, len(sealed))]
    ]
    cut = [sealed[:length] for length in range(len(sealed))]
    for wrong in [*altered, *cut, sealed + b"\0"]:
        with pytest.raises(CiphertextMisplaced):
            open_sealed(private, PLACE, wrong)


def test_a_sealed_document_names_the_pair_that_opens_it(pair: SealingPair) -> None:
    parts = sealed_parts(seal(pair.public_key, PLACE, STATEMENT))
    assert parts.key_id == pair.key_id == sealing_key_id(pair.public_key)
    with pytest.raises(SealedFormatUnknown):
        sealed_parts(b"\x02" + bytes(100))


def test_a_public_key_that_was_exchanged_is_noticed(keyring: Keyring, pair: SealingPair) -> None:
    other = create_sealing_pair(keyring)
    with pytest.raises(KeyWrong):
        open_private_key(keyring, SealingPair(other.public_key, pair.private_key))


def test_a_pair_survives_the_rotation_of_its_kek(
    provider: FileKeyProvider, keyring: Keyring, pair: SealingPair
) -> None:
    sealed = seal(pair.public_key, PLACE, STATEMENT)
    provider.create()
    rewrapped = rewrap_sealing_pair(keyring, pair)
    provider.destroy(pair.private_key.wrapper_id)
    assert open_sealed(open_private_key(keyring, rewrapped), PLACE, sealed) == STATEMENT


@pytest.mark.parametrize("key", [b"", bytes(31), bytes(33), bytes(32)], ids=len)
def test_a_key_that_is_none_seals_nothing(key: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - two libraries, two texts
        seal(key, PLACE, STATEMENT)


def test_a_service_seals_without_the_vault() -> None:
    probe = (
        "import sys, services.chassis.sealing;"
        "sys.exit(any(name.startswith('services.vault') for name in sys.modules))"
    )
    root = Path(__file__).parents[2]
    assert subprocess.run([sys.executable, "-c", probe], cwd=root, check=False).returncode == 0


words = st.text(alphabet="ab-", max_size=3)
document_places = st.builds(DocumentPlace, words, words, words, words)


@given(document_places, document_places)
def test_two_document_places_never_encode_alike(one: DocumentPlace, other: DocumentPlace) -> None:
    assert (one.encode() == other.encode()) == (one == other)

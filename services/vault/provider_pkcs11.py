# SPDX-License-Identifier: Apache-2.0
"""Key-encryption keys in a PKCS#11 token (an HSM, or SoftHSM2): no process ever sees one.

A KEK is an AES-256 token object, sensitive and not extractable, labelled ``qupia-kek``; its
CKA_ID is a UUIDv7, and the newest is the current one. Objects of that label that could be read out
do not count. It wraps by AES-GCM with a nonce of ours: what HSMs call CKM_AES_GCM, PKCS#11 2.40.

Whoever destroys a KEK here has destroyed it everywhere, but for the token's own backups: keep
those as short as the key store's.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Sequence
from typing import Final, Protocol, Self, cast

import pkcs11

from services.chassis.ids import new_uuid
from services.vault.aead import NONCE_BYTES, TAG_BYTES
from services.vault.pkcs11_token import Token, TokenPlace
from services.vault.provider import KeyStillCurrent, KeyUnavailable, KeyWrong

LABEL: Final = "qupia-kek"
_PROBE: Final = bytes(32)


class _Kek(Protocol):
    """What python-pkcs11 gives a key that may encrypt; its types do not tell."""

    def encrypt(
        self, data: bytes, *, mechanism: pkcs11.Mechanism, mechanism_param: pkcs11.GCMParams
    ) -> bytes: ...

    def decrypt(
        self, data: bytes, *, mechanism: pkcs11.Mechanism, mechanism_param: pkcs11.GCMParams
    ) -> bytes: ...

    def destroy(self) -> None: ...


class Pkcs11KeyProvider:
    """A `KeyProvider` over one token. Open it with `Pkcs11KeyProvider.open`."""

    def __init__(self, place: TokenPlace) -> None:
        self._token = Token(place)
        self._label = place.label

    @classmethod
    def open(cls, place: TokenPlace, *, create: bool) -> Self:
        """The provider over a token. With `create`, a token without KEK gets its first one.

        Pass it only while the key store is empty: a token that lost its keys must be a refusal.
        Raises KeyAbsent without token, KeyUnavailable for a wrong PIN or a token without KEK.
        """
        provider = cls(place)
        if create and not provider.kek_ids():
            provider.create()
        provider.kek_id()
        return provider

    def kek_id(self) -> str:
        return self._token.use(self._current)

    def kek_ids(self) -> Sequence[str]:
        return self._token.use(lambda session: [kek_id for kek_id, _ in _keks(session)])

    def wrap(self, kek_id: str, plaintext_key: bytes, context: bytes) -> bytes:
        return self._token.use(
            lambda session: _encrypt(self._kek(session, kek_id), plaintext_key, context)
        )

    def unwrap(self, kek_id: str, wrapped: bytes, context: bytes) -> bytes:
        if len(wrapped) < NONCE_BYTES + TAG_BYTES:
            raise self._wrong(kek_id)
        return self._token.use(lambda session: self._unwrap(session, kek_id, wrapped, context))

    def create(self) -> str:
        return self._token.use(_create)

    def destroy(self, kek_id: str) -> None:
        self._token.use(lambda session: self._destroy(session, kek_id))

    def _current(self, session: pkcs11.Session) -> str:
        keks = _keks(session)
        if not keks:
            raise KeyUnavailable(
                f"token {self._label!r} holds no key-encryption key: this is not the token of "
                "this key store, or it was erased; restore the token from its backup"
            )
        return keks[-1][0]

    def _unwrap(
        self, session: pkcs11.Session, kek_id: str, wrapped: bytes, context: bytes
    ) -> bytes:
        kek = self._kek(session, kek_id)
        try:
            return _decrypt(kek, wrapped, context)
        except pkcs11.PKCS11Error:
            # Tokens call a wrong tag by many names, some of them those of a broken device:
            # a key that still opens what it has just wrapped is not broken.
            if _decrypt(kek, _encrypt(kek, _PROBE, b""), b"") == _PROBE:
                raise self._wrong(kek_id) from None
            raise

    def _destroy(self, session: pkcs11.Session, kek_id: str) -> None:
        kek = self._kek(session, kek_id)
        if kek_id == _keks(session)[-1][0]:
            raise KeyStillCurrent(
                f"key-encryption key {kek_id} is the current one: rotate first, then retire it"
            )
        kek.destroy()

    def _kek(self, session: pkcs11.Session, kek_id: str) -> _Kek:
        for known, kek in _keks(session):
            if known == kek_id:
                return kek
        raise KeyUnavailable(
            f"token {self._label!r} holds no key-encryption key {kek_id}: it was destroyed, or "
            "this is the token of another key store; connect the right token"
        )

    def _wrong(self, kek_id: str) -> KeyWrong:
        return KeyWrong(
            f"key-encryption key {kek_id} in token {self._label!r} does not open what was wrapped "
            "under its id: connect the token that belongs to this key store"
        )


def _keks(session: pkcs11.Session) -> list[tuple[str, _Kek]]:
    """The KEKs with their ids, oldest first."""
    template = {
        pkcs11.Attribute.CLASS: pkcs11.ObjectClass.SECRET_KEY,
        pkcs11.Attribute.KEY_TYPE: pkcs11.KeyType.AES,
        pkcs11.Attribute.LABEL: LABEL,
        pkcs11.Attribute.TOKEN: True,
        pkcs11.Attribute.SENSITIVE: True,
        pkcs11.Attribute.EXTRACTABLE: False,
    }
    found = [
        (str(uuid.UUID(bytes=bytes(each.id))), cast("_Kek", each))
        for each in session.get_objects(template)
        if isinstance(each, pkcs11.SecretKey) and len(each.id) == 16
    ]
    return sorted(found, key=lambda kek: kek[0])


def _create(session: pkcs11.Session) -> str:
    known = _keks(session)
    fresh = uuid.UUID(new_uuid())
    if known and str(fresh) <= known[-1][0]:
        # A clock set back must not leave the old key current.
        fresh = uuid.UUID(int=uuid.UUID(known[-1][0]).int + 1)
    generated = session.generate_key(
        pkcs11.KeyType.AES,
        256,
        id=fresh.bytes,
        label=LABEL,
        store=True,
        template={
            pkcs11.Attribute.SENSITIVE: True,
            pkcs11.Attribute.EXTRACTABLE: False,
            pkcs11.Attribute.PRIVATE: True,
        },
    )
    kek = cast("_Kek", generated)
    if _decrypt(kek, _encrypt(kek, _PROBE, b""), b"") != _PROBE:
        raise KeyWrong("the token does not decrypt what it encrypted: do not use it")
    return str(fresh)


def _encrypt(kek: _Kek, plaintext: bytes, context: bytes) -> bytes:
    """Nonce, ciphertext and tag, as `services.vault.aead` has them."""
    nonce = os.urandom(NONCE_BYTES)
    mechanism, parameter = _gcm(nonce, context)
    return nonce + kek.encrypt(plaintext, mechanism=mechanism, mechanism_param=parameter)


def _decrypt(kek: _Kek, wrapped: bytes, context: bytes) -> bytes:
    mechanism, parameter = _gcm(wrapped[:NONCE_BYTES], context)
    return bytes(kek.decrypt(wrapped[NONCE_BYTES:], mechanism=mechanism, mechanism_param=parameter))


def _gcm(nonce: bytes, context: bytes) -> tuple[pkcs11.Mechanism, pkcs11.GCMParams]:
    return pkcs11.Mechanism.AES_GCM, pkcs11.GCMParams(nonce, context, 8 * TAG_BYTES)

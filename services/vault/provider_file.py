# SPDX-License-Identifier: Apache-2.0
"""The local key file: key-encryption keys in one file, outside every database.

The file is read anew on each use, so a second vault process sees a new key at once and a file
taken away stops reads and writes at once. It is replaced whole (written beside, fsync, rename,
fsync of the folder), under a lock on its folder.

Limits, to be said to the operator: whoever reads the file and both databases reads the data;
destroying a key rewrites the file but cannot wipe what the disk or a copy of the file still
holds. Encrypt the disk, keep copies of the file apart from the databases' backups, or use PKCS#11.
"""

import contextlib
import fcntl
import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Self

from cryptography.exceptions import InvalidTag

from services.vault import aead
from services.vault.key_file import KeyFileInvalid, KeySet
from services.vault.provider import KeyAbsent, KeyStillCurrent, KeyUnavailable, KeyWrong
from services.vault.secret_key import SecretKey


class FileKeyProvider:
    """A `KeyProvider` over one key file. Open it with `FileKeyProvider.open`."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @classmethod
    def open(cls, path: Path, *, create: bool) -> Self:
        """The provider over the key file at `path`.

        With `create`, a missing file is made with one fresh 256-bit key, mode 0600. Pass it only
        while the key store is empty: a lost key file must be a refusal, not a new key. Raises
        KeyAbsent for a file that is missing, KeyUnavailable for one that is unreadable, malformed
        or readable by others.
        """
        provider = cls(path)
        if create:
            provider._create_file()
        provider._load()
        return provider

    def kek_id(self) -> str:
        return self._load().current

    def kek_ids(self) -> Sequence[str]:
        return tuple(self._load().keks)

    def wrap(self, kek_id: str, plaintext_key: bytes, context: bytes) -> bytes:
        return aead.encrypt(self._kek(kek_id), plaintext_key, context)

    def unwrap(self, kek_id: str, wrapped: bytes, context: bytes) -> bytes:
        try:
            return aead.decrypt(self._kek(kek_id), wrapped, context)
        except InvalidTag:
            raise KeyWrong(
                f"key-encryption key {kek_id} in {self._path} does not open what was wrapped "
                "under its id: restore the key file that belongs to this key store"
            ) from None

    def create(self) -> str:
        with self._locked():
            kek_id, keys = self._load().with_new(SecretKey.generate())
            self._replace(keys)
        return kek_id

    def destroy(self, kek_id: str) -> None:
        with self._locked():
            keys = self._load()
            self._known(keys, kek_id)
            if kek_id == keys.current:
                raise KeyStillCurrent(
                    f"key-encryption key {kek_id} is the current one: rotate first, then retire it"
                )
            self._replace(keys.without(kek_id))

    def _kek(self, kek_id: str) -> SecretKey:
        return self._known(self._load(), kek_id)

    def _known(self, keys: KeySet, kek_id: str) -> SecretKey:
        try:
            return keys.keks[kek_id]
        except KeyError:
            raise KeyUnavailable(
                f"key file {self._path} holds no key-encryption key {kek_id}: it was destroyed, "
                "or this is the key file of another key store; restore the right file"
            ) from None

    def _load(self) -> KeySet:
        try:
            return KeySet.parse(self._read())
        except FileNotFoundError:
            raise KeyAbsent(
                f"key file {self._path} is missing: restore it from its backup; "
                "without it nothing in the key store can be opened"
            ) from None
        except OSError as error:
            raise KeyUnavailable(
                f"key file {self._path} cannot be read ({error.strerror}): "
                "make it readable for the vault's user only"
            ) from None
        except KeyFileInvalid as fault:
            raise KeyUnavailable(
                f"key file {self._path} is not a key file ({fault}): restore it from its backup"
            ) from None

    def _read(self) -> bytes:
        descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            mode = stat.S_IMODE(os.fstat(descriptor).st_mode)
            if mode & (stat.S_IRWXG | stat.S_IRWXO):
                raise KeyUnavailable(
                    f"key file {self._path} has mode {mode:04o}, others than its owner may use it: "
                    "set it to 0600, and rotate the key if they may have"
                )
            return file.read()

    def _create_file(self) -> None:
        with self._locked():
            if not os.path.lexists(self._path):
                _, keys = KeySet.empty().with_new(SecretKey.generate())
                self._replace(keys)

    def _replace(self, keys: KeySet) -> None:
        # One fixed name: what a crash left behind is overwritten, never a second copy of keys.
        fresh = self._path.with_name(f".{self._path.name}.new")
        try:
            fresh.unlink(missing_ok=True)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            descriptor = os.open(fresh, flags, stat.S_IRUSR | stat.S_IWUSR)
            with os.fdopen(descriptor, "wb") as file:
                file.write(keys.render())
                file.flush()
                os.fsync(descriptor)
            fresh.replace(self._path)
            self._sync_folder()
        except OSError as error:
            raise self._unwritable(error) from None

    def _sync_folder(self) -> None:
        folder = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            folder = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise self._unwritable(error) from None
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            yield
        finally:
            os.close(folder)

    def _unwritable(self, error: OSError) -> KeyUnavailable:
        return KeyUnavailable(
            f"key file {self._path} cannot be written ({error.strerror}): "
            "make its folder exist and writable for the vault's user"
        )

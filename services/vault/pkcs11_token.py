# SPDX-License-Identifier: Apache-2.0
"""One logged-in session with a PKCS#11 token, opened when first used and again when it is lost.

Nothing is loaded before the first use: a PKCS#11 library does not survive a fork, and the process
that serves is a child of the one that started it.

A wrong PIN is tried once. The token counts wrong PINs and locks itself, so the same PIN file is
not used again before it changes.
"""

from __future__ import annotations

import os
import stat
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn, TypeVar

import pkcs11

from services.vault.provider import KeyAbsent, KeyProviderError, KeyUnavailable

if TYPE_CHECKING:
    from pkcs11._pkcs11 import lib

T = TypeVar("T")
PinStamp = tuple[int, int, int]

_AGAIN_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class TokenPlace:
    """Which token: the PKCS#11 module (.so), the token's label, the file that holds its PIN."""

    module: Path
    label: str
    pin_file: Path


class Token:
    """A session that one thread uses at a time. Every use may raise KeyUnavailable, KeyAbsent."""

    def __init__(
        self, place: TokenPlace, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self.place = place
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._library: lib | None = None
        self._session: pkcs11.Session | None = None
        self._process = 0
        self._open_time = 0.0
        self._refused_pin: PinStamp | None = None
        self._failed: tuple[float, KeyProviderError] | None = None

    def __repr__(self) -> str:
        return f"Token({self.place.label!r})"

    def use(self, act: Callable[[pkcs11.Session], T]) -> T:
        """What `act` does with the session; done again, once, on a new session where it fails.

        A key that `act` does not find may be lost with the session too: another process may have
        made it since, or the token was taken away.
        """
        with self._lock:
            if self._process != os.getpid():
                self._session, self._failed = None, None
            if self._session is not None:
                try:
                    # A search on a session that is gone would be reported once more when it is
                    # collected, on standard error: ask for something harmless first.
                    self._session.generate_random(64)
                    return act(self._session)
                except pkcs11.PKCS11Error:
                    self._session = None
                except KeyUnavailable:
                    if self._monotonic() < self._open_time + _AGAIN_SECONDS:
                        raise
                    self._session = None
            session = self._opened()
            try:
                return act(session)
            except pkcs11.PKCS11Error as error:
                self._session = None
                self._fail(KeyUnavailable(self._refused(type(error).__name__)))

    def _refused(self, error: str) -> str:
        return (
            f"token {self.place.label!r} refuses its use ({error}): look into the token's own log, "
            "and restart or mend it"
        )

    def _fail(self, error: KeyProviderError) -> NoReturn:
        # Opening costs a log-in: a token that is away is not asked by every call.
        self._failed = (self._monotonic() + _AGAIN_SECONDS, error)
        raise error

    def _opened(self) -> pkcs11.Session:
        if self._failed is not None and self._monotonic() < self._failed[0]:
            raise type(self._failed[1])(*self._failed[1].args)
        self._failed = None
        try:
            self._session = self._log_in(self._find(self._load()))
        except KeyProviderError as error:
            self._fail(error)
        except pkcs11.PKCS11Error as error:
            self._fail(KeyUnavailable(self._refused(type(error).__name__)))
        self._process, self._open_time = os.getpid(), self._monotonic()
        return self._session

    def _load(self) -> lib:
        """The library, initialized anew: else it does not see a token that has come back."""
        try:
            known = self._library
            self._library = pkcs11.lib(str(self.place.module))
            if known is not None or self._process not in (0, os.getpid()):
                self._library.reinitialize()
        except pkcs11.PKCS11Error as error:
            self._library = None
            raise KeyUnavailable(
                f"PKCS#11 module {self.place.module} cannot be loaded "
                f"({type(error).__name__}): install it or set pkcs11_module"
            ) from None
        return self._library

    def _find(self, library: lib) -> pkcs11.Token:
        try:
            return library.get_token(token_label=self.place.label)
        except pkcs11.NoSuchToken:
            raise KeyAbsent(
                f"no token {self.place.label!r} behind {self.place.module}: connect it or set "
                "pkcs11_token; without it nothing in the key store can be opened"
            ) from None
        except pkcs11.MultipleTokensReturned:
            raise KeyUnavailable(
                f"several tokens {self.place.label!r} behind {self.place.module}: "
                "leave one of that label"
            ) from None

    def _log_in(self, token: pkcs11.Token) -> pkcs11.Session:
        pin, stamp = self._pin()
        flags = pkcs11.TokenFlag
        if token.flags & (flags.USER_PIN_FINAL_TRY | flags.USER_PIN_LOCKED):
            raise KeyUnavailable(
                f"the PIN of token {self.place.label!r} is locked or has one try left: "
                "log in or reset it with the token's own tool first"
            )
        if stamp == self._refused_pin:
            raise self._wrong_pin()
        try:
            session = token.open(rw=True, user_pin=pin)
        except (pkcs11.PinIncorrect, pkcs11.PinInvalid, pkcs11.PinLenRange, pkcs11.PinLocked):
            self._refused_pin = stamp
            raise self._wrong_pin() from None
        except pkcs11.UserAlreadyLoggedIn:
            # A log-in counts for the whole process.
            return token.open(rw=True)
        self._refused_pin = None
        return session

    def _wrong_pin(self) -> KeyUnavailable:
        return KeyUnavailable(
            f"token {self.place.label!r} refuses the PIN in {self.place.pin_file}: write the right "
            "one there; this one is not tried again, because wrong PINs lock the token"
        )

    def _pin(self) -> tuple[str, PinStamp]:
        path = self.place.pin_file
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            with os.fdopen(descriptor, "rb") as file:
                status = os.fstat(descriptor)
                if stat.S_IMODE(status.st_mode) & (stat.S_IRWXG | stat.S_IRWXO):
                    raise KeyUnavailable(
                        f"PIN file {path} may be read by others than its owner: set it to 0600, "
                        "and change the PIN if they may have"
                    )
                pin = file.read().rstrip(b"\r\n").decode("utf-8")
        except FileNotFoundError:
            raise KeyAbsent(
                f"PIN file {path} is missing: restore it or set pkcs11_pin_file"
            ) from None
        except (OSError, UnicodeDecodeError):
            raise KeyUnavailable(
                f"PIN file {path} cannot be read: make it readable for the vault's user only, "
                "with the PIN as its one line"
            ) from None
        return pin, (status.st_ino, status.st_mtime_ns, status.st_size)

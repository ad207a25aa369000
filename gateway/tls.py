# SPDX-License-Identifier: Apache-2.0
"""TLS at the gateway's own door, and the client certificate that a connection has presented.

Renewed files are taken for new connections without a restart. TLS 1.3 alone, and no session is
resumed: a resumed session would bring back a certificate that nobody has verified since. A client
certificate that does not verify ends the handshake; none at all is permitted, for most keys are
bound to no certificate.
"""

import hashlib
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from gateway.refused import Note, RefusedCredential, Rule, unheard

_Stamp = tuple[tuple[int, int, int], ...]
_EXPIRED = 10  # X509_V_ERR_CERT_HAS_EXPIRED of OpenSSL


class TlsError(Exception):
    """The files of the door cannot be used; the text says which and why, and no secret."""


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """PEM files: the chain, leaf first, its key, and the authorities of clients, None for none."""

    chain: Path
    key: Path
    client_authorities: Path | None = None

    def stamp(self) -> _Stamp:
        """Changes when a file does. Raises TlsError where one cannot be read."""
        return tuple(_stamp(path) for path in self._all())

    def context(self) -> ssl.SSLContext:
        """A server's context of what the files hold now. Raises TlsError."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.num_tickets = 0
        self._load(lambda: context.load_cert_chain(self.chain, self.key, _no_password), self.key)
        if (authorities := self.client_authorities) is not None:
            self._load(lambda: context.load_verify_locations(authorities), authorities)
            context.verify_mode = ssl.CERT_OPTIONAL
        return context

    def _all(self) -> tuple[Path, ...]:
        return tuple(each for each in (self.chain, self.key, self.client_authorities) if each)

    def _load(self, load: Callable[[], None], path: Path) -> None:
        try:
            load()
        except (OSError, ValueError) as error:
            # SSLError is an OSError. Its text may quote nothing of the files, but need not be told.
            reason = getattr(error, "reason", None) or getattr(error, "strerror", None)
            raise TlsError(f"cannot use {path}: {reason or 'it holds no certificate'}") from None


class Door:
    """The context to listen with; it hands every handshake to the newest files.

    `refused` hears of client certificates that do not verify: no request will tell of them.
    """

    def __init__(self, files: TlsFiles, refused: Note = unheard) -> None:
        """Raises TlsError where the files cannot be used."""
        self._files = files
        self._stamp = files.stamp()
        self._newest = files.context()
        self.context = files.context()
        self.context.sni_callback = self._choose
        self.context.sslobject_class = _handshake(refused)

    def refresh(self) -> bool:
        """Whether there were new files and they are taken. Raises TlsError: the old ones stay.

        Files that are half replaced are tried again at the next call.
        """
        stamp = self._files.stamp()
        if stamp == self._stamp:
            return False
        self._newest = self._files.context()
        self._stamp = stamp
        return True

    def _choose(self, handshake: ssl.SSLObject, _name: str | None, _: ssl.SSLContext) -> None:
        handshake.context = self._newest


def _handshake(refused: Note) -> type[ssl.SSLObject]:
    """The handshakes of a door."""

    class Handshake(ssl.SSLObject):
        def do_handshake(self) -> None:
            try:
                super().do_handshake()
            except ssl.SSLCertVerificationError as error:
                expired = error.verify_code == _EXPIRED
                rule = Rule.CERTIFICATE_EXPIRED if expired else Rule.CERTIFICATE_UNVERIFIED
                refused(RefusedCredential(rule))
                raise

    return Handshake


@dataclass(frozen=True, slots=True)
class ClientCertificate:
    """A verified client certificate: SHA-256 of its DER in lowercase hex, and its last moment."""

    sha256: str
    expire_time: datetime

    def sha256_at(self, now: datetime) -> str:
        """Its SHA-256, empty once it has expired: a connection may outlive its certificate."""
        return self.sha256 if now <= self.expire_time else ""


def client_certificate(handshake: ssl.SSLObject | None) -> ClientCertificate | None:
    """What a finished handshake presented; None without TLS, and where it presented nothing.

    Only a verified certificate can be here: any other has ended the handshake.
    """
    if handshake is None or handshake.context.verify_mode is ssl.CERT_NONE:
        return None
    der, told = handshake.getpeercert(True), handshake.getpeercert()
    if not der or not told:
        return None
    end = ssl.cert_time_to_seconds(str(told["notAfter"]))
    return ClientCertificate(hashlib.sha256(der).hexdigest(), datetime.fromtimestamp(end, UTC))


def _stamp(path: Path) -> tuple[int, int, int]:
    try:
        found = path.stat()
    except OSError as error:
        raise TlsError(f"cannot read {path}: {error.strerror}") from None
    return found.st_mtime_ns, found.st_ino, found.st_size


def _no_password() -> str:
    # Without this OpenSSL would ask at the terminal.
    return ""

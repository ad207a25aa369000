# SPDX-License-Identifier: Apache-2.0
"""A real SMTP server for tests: STARTTLS, a user, and what it took."""

import datetime as dt
import ipaddress
import ssl
import threading
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from cli.port import choose_port

USER, PASSWORD = "qupia", "kept in a file"
_START_SECONDS = 10.0


class MailServer:
    """Takes letters on a port of its own; use it in a `with`.

    `answers` are what it says to the next letters' recipients instead of taking them, such as
    "550 no such mailbox". `settings` go into a process's environment as QUPIA_<PROCESS>_<KEY>.
    """

    def __init__(self, folder: Path) -> None:
        self.authority, certificate = folder / "mail-ca.pem", folder / "mail.pem"
        self.password_file = folder / "mail-password"
        self.password_file.write_text(PASSWORD + "\n")
        _issue(self.authority, certificate)
        self.letters: list[EmailMessage] = []
        self.recipients: list[str] = []
        self.answers: list[str] = []
        self._taken = threading.Condition()
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(certificate)
        self.port = choose_port(0)
        self._controller = Controller(
            self,
            hostname="127.0.0.1",
            port=self.port,
            ready_timeout=_START_SECONDS,
            tls_context=tls,
            require_starttls=True,
            authenticator=_authenticate,
            auth_required=True,
        )

    @property
    def settings(self) -> dict[str, str]:
        """What a process is told to send its letters here."""
        return {
            "MAIL_FROM": "privacy@example.kz",
            "SMTP_HOST": "localhost",
            "SMTP_PORT": str(self.port),
            "SMTP_USER": USER,
            "SMTP_PASSWORD_FILE": str(self.password_file),
            "SMTP_AUTHORITY": str(self.authority),
        }

    def await_letters(self, count: int, seconds: float = 20.0) -> list[EmailMessage]:
        """The letters, once there are so many. Raises TimeoutError."""
        with self._taken:
            if not self._taken.wait_for(lambda: len(self.letters) >= count, seconds):
                raise TimeoutError(f"{len(self.letters)} of {count} letters came")
            return list(self.letters)

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, _server: Any, _session: Any, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if self.answers:
            return self.answers.pop(0)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Envelope) -> str:  # noqa: N802
        content = envelope.content
        assert isinstance(content, bytes)
        message = message_from_bytes(content, policy=policy.default)
        assert isinstance(message, EmailMessage)
        with self._taken:
            self.letters.append(message)
            self.recipients += envelope.rcpt_tos
            self._taken.notify_all()
        return "250 taken"

    def __enter__(self) -> Self:
        self._controller.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._controller.stop()


def _authenticate(
    _server: Any, _session: Any, _envelope: Envelope, _mechanism: str, data: object
) -> AuthResult:
    known = LoginPassword(USER.encode(), PASSWORD.encode())
    return AuthResult(success=data == known, handled=False)


def _issue(authority: Path, certificate: Path) -> None:
    """A certificate of this machine that is its own authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    names: list[x509.GeneralName] = [
        x509.DNSName("localhost"),
        x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
    ]
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(minutes=5))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    chain = made.public_bytes(serialization.Encoding.PEM)
    secret = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    authority.write_bytes(chain)
    certificate.write_bytes(secret + chain)

# SPDX-License-Identifier: Apache-2.0
"""Letters that leave by e-mail: through an SMTP server, or in a development run into a folder.

A letter is personal data: nothing of it is logged, and no error tells an address or a server's
words, which may quote one.
"""

from __future__ import annotations

import os
import smtplib
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field
from email import policy
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path
from typing import Literal, Protocol

import idna
from pydantic import Field

from services.chassis.clock import Clock
from services.chassis.config import ConfigError, Settings
from services.chassis.ids import new_uuid

Security = Literal["starttls", "tls", "none"]
_TRANSIENT = range(400, 500)


class MailSettings(Settings):
    """How letters leave; mixed into a process's settings.

    `mail_from` is the sender's address. `smtp_host` names the server, `smtp_security` how the
    connection is protected (`none` only on this machine), `smtp_user` and `smtp_password_file` open
    it where it asks, `smtp_authority` is a CA file for a server that no public CA vouches for.
    `mail_folder` takes letters as files instead, in a development run only.
    """

    mail_from: str = ""
    smtp_host: str = ""
    smtp_port: int = Field(default=587, ge=1, le=65535)
    smtp_security: Security = "starttls"
    smtp_user: str = ""
    smtp_password_file: Path | None = None
    smtp_authority: Path | None = None
    mail_folder: Path | None = None


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file of a letter. `media_type` such as application/pdf; `name` names nobody."""

    name: str
    media_type: str
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Letter:
    """A letter to one address, in plain text.

    `letter_id` names it: what is sent again under the same name has the same Message-ID, so that
    mail servers and readers see one letter.
    """

    to: str = field(repr=False)
    subject: str = field(repr=False)
    text: str = field(repr=False)
    attachments: Sequence[Attachment] = ()
    letter_id: str = field(default_factory=new_uuid)


class LetterNotSent(Exception):
    """The letter did not leave. `for_good`: this address or letter will never be taken."""

    def __init__(self, text: str, *, for_good: bool) -> None:
        self.for_good = for_good
        super().__init__(text)


class Mailer(Protocol):
    """Sends letters. Thread-safe."""

    def send(self, letter: Letter, seconds: float) -> str:
        """Hand a letter over within so many seconds; its Message-ID, which names nobody.

        The Message-ID proves that the next server took the letter. Raises LetterNotSent.
        """
        ...


def mailer_of(settings: MailSettings, clock: Clock, *, development: bool) -> Mailer | None:
    """The mailer that the settings describe; None where they name neither server nor folder.

    Raises ConfigError for settings that contradict each other or are unsafe.
    """
    if settings.mail_folder is not None:
        if not development:
            raise ConfigError("mail_folder: only in a development run; set smtp_host instead")
        return FolderMailer(settings.mail_folder, settings.mail_from or "qupia@localhost", clock)
    if not settings.smtp_host:
        return None
    if not is_address(settings.mail_from):
        raise ConfigError(
            "mail_from: missing, or no plain address; set the one that letters come from, such as "
            "privacy@example.kz"
        )
    if settings.smtp_security == "none" and settings.smtp_host not in {"127.0.0.1", "localhost"}:
        raise ConfigError("smtp_security: none is for a server on this machine only")
    return SmtpMailer(settings, clock)


class SmtpMailer:
    """Hands letters to an SMTP server, a connection each."""

    def __init__(self, settings: MailSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._password = _password(settings.smtp_password_file)
        self._tls = _trust(settings.smtp_authority)

    def send(self, letter: Letter, seconds: float) -> str:
        message = compose(letter, self._settings.mail_from, self._clock)
        try:
            with self._connect(seconds) as server:
                if self._settings.smtp_user:
                    server.login(self._settings.smtp_user, self._password)
                server.send_message(message)
        except smtplib.SMTPRecipientsRefused as refused:
            codes = [code for code, _ in refused.recipients.values()]
            for_good = all(code not in _TRANSIENT for code in codes)
            raise LetterNotSent("the mail server refuses the address", for_good=for_good) from None
        except smtplib.SMTPNotSupportedError:
            raise LetterNotSent(
                "the mail server lacks what the letter needs", for_good=False
            ) from None
        except smtplib.SMTPResponseException as answer:
            for_good = isinstance(answer, smtplib.SMTPDataError) and (
                answer.smtp_code not in _TRANSIENT
            )
            text = f"the mail server answered {answer.smtp_code}"
            raise LetterNotSent(text, for_good=for_good) from None
        except ssl.SSLError:
            # Above OSError, which it is: somebody answers, but not securely, or is somebody else.
            raise LetterNotSent(
                "the mail server is not vouched for: check smtp_host, smtp_security and "
                "smtp_authority",
                for_good=False,
            ) from None
        except (OSError, smtplib.SMTPException):
            raise LetterNotSent("the mail server cannot be reached", for_good=False) from None
        except UnicodeError:
            raise LetterNotSent("smtp_host is no name of a server", for_good=False) from None
        return str(message["Message-ID"])

    def _connect(self, seconds: float) -> smtplib.SMTP:
        host, port = self._settings.smtp_host, self._settings.smtp_port
        if self._settings.smtp_security == "tls":
            return smtplib.SMTP_SSL(host, port, timeout=seconds, context=self._tls)
        server = smtplib.SMTP(host, port, timeout=seconds)
        if self._settings.smtp_security == "starttls":
            try:
                server.starttls(context=self._tls)
            except BaseException:
                server.close()
                raise
        return server


class FolderMailer:
    """Writes letters into a folder, for a development run: a file each, readable by its owner."""

    def __init__(self, folder: Path, sender: str, clock: Clock) -> None:
        self._folder = folder
        self._sender = sender
        self._clock = clock

    def send(self, letter: Letter, seconds: float) -> str:  # noqa: ARG002 - takes no time
        message = compose(letter, self._sender, self._clock)
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        name = f"{self._clock.now():%Y%m%dT%H%M%S.%fZ}-{new_uuid()}.eml"
        fresh = self._folder / f".{name}"
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(message.as_bytes(policy=policy.SMTPUTF8))
        fresh.rename(self._folder / name)
        return str(message["Message-ID"])


def compose(letter: Letter, sender: str, clock: Clock) -> EmailMessage:
    """The message as it leaves. Raises LetterNotSent for an address that can stand in no header."""
    message = EmailMessage(policy=policy.SMTP)
    try:
        message["From"] = sender
        message["To"] = ascii_address(letter.to)
        # A header is one line, whatever a person's words hold.
        message["Subject"] = " ".join(letter.subject.split())
    except (ValueError, IndexError):
        raise LetterNotSent("the address cannot be written to", for_good=True) from None
    message["Date"] = format_datetime(clock.now())
    message["Message-ID"] = f"<{letter.letter_id}@{ascii_address(sender).rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(letter.text, cte="base64")
    for attachment in letter.attachments:
        main, _, sub = attachment.media_type.partition("/")
        message.add_attachment(
            attachment.content, maintype=main, subtype=sub, filename=attachment.name
        )
    return message


def ascii_address(address: str) -> str:
    """An address with its domain as a mail server knows it. Raises ValueError."""
    local, at, domain = address.strip().rpartition("@")
    if not at or not local or any(c.isspace() or ord(c) < 32 for c in address.strip()):
        raise ValueError("not an address")
    return f"{local}@{idna.encode(domain, uts46=True).decode()}"


def is_address(text: str) -> bool:
    """Whether a letter can be written to it."""
    try:
        ascii_address(text)
    except ValueError:
        return False
    return True


def _trust(authority: Path | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=str(authority) if authority else None)
    except (OSError, ValueError) as error:
        # SSLError is an OSError.
        reason = getattr(error, "reason", None) or getattr(error, "strerror", None)
        raise ConfigError(
            f"smtp_authority: cannot be used: {reason or 'it holds no certificate'}"
        ) from None


def _password(path: Path | None) -> str:
    if path is None:
        return ""
    try:
        return path.read_text("utf-8").strip()
    except OSError as error:
        raise ConfigError(f"smtp_password_file: cannot be read: {error.strerror}") from None

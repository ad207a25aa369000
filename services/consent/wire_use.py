# SPDX-License-Identifier: Apache-2.0
"""A use of the site from its message, and what of it is sealed to the vault (law.md 4.5)."""

from __future__ import annotations

import ipaddress
import secrets
from datetime import datetime

from qupia.consent.v1 import consent_pb2
from qupia.vault.v1 import records_pb2, uses_pb2
from services.chassis.refusal import FieldViolation, InvalidArgument
from services.chassis.sealed.document import SealedDocument, SealingKey, seal_document
from services.consent.use import Use, UseKind, page_digest, technical_digest
from services.consent.wire import time_of

KIND = "USE"
_TECHNICAL = ("ip", "cookie", "user_agent", "referrer")
_SALT_BYTES = 16


def use_of(message: consent_pb2.Use, salt: str, *, kept: bool) -> Use:
    """A use without what is personal: salted digests stand for what is kept of it.

    Of technical data that the vault does not keep, not even a digest is. Raises InvalidArgument.
    """
    _refuse_malformed_ip(message.ip)
    technical = {
        name: value for name in (_TECHNICAL if kept else ()) if (value := getattr(message, name))
    }
    return Use(
        UseKind(consent_pb2.Use.Kind.Name(message.kind)),
        page_digest(salt, message.page),
        message.notice_shown,
        time_of(message.client_time) if message.HasField("client_time") else None,
        technical_digest(salt, technical) if technical else "",
    )


def is_technical(message: consent_pb2.Use) -> bool:
    """Whether a use brings more than the page: then the vault keeps it as a visit."""
    return any(getattr(message, name) for name in _TECHNICAL)


def new_salt() -> str:
    """The salt of one use, in hexadecimal digits."""
    return secrets.token_hex(_SALT_BYTES)


def sealed_use(
    key: SealingKey,
    place: tuple[str, str],
    event_id: str,
    message: consent_pb2.Use,
    salt: str,
    time: datetime,
) -> SealedDocument:
    """Page, technical data and salt of a use, for the vault alone. `place` is (site, subject)."""
    visit = records_pb2.Visit(
        ip=message.ip,
        cookie=message.cookie,
        user_agent=message.user_agent,
        page=message.page,
        referrer=message.referrer,
    )
    visit.access_time.FromDatetime(time)
    record = uses_pb2.UseRecord(visit=visit, salt=salt)
    site_id, subject_id = place
    where = (event_id, event_id, KIND)
    return seal_document(key, site_id, subject_id, where, record.SerializeToString())


def _refuse_malformed_ip(ip: str) -> None:
    try:
        if ip:
            ipaddress.ip_address(ip)
    except ValueError:
        fault = FieldViolation("use.ip", "ip_malformed", "must be an IPv4 or IPv6 address")
        raise InvalidArgument(fields=[fault]) from None

# SPDX-License-Identifier: Apache-2.0
"""How a word was given, from and to the contract's messages."""

from __future__ import annotations

from datetime import date

from qupia.consent.v1 import consent_pb2
from services.consent.declaration import (
    HERE_AND_NOW,
    Authority,
    AuthorityKind,
    Declarant,
    Declaration,
    Paper,
)
from services.consent.wire import time_of, timestamp

Request = (
    consent_pb2.GrantConsentRequest
    | consent_pb2.WithdrawConsentRequest
    | consent_pb2.RefuseConsentRequest
)


def declaration_of(request: Request) -> Declaration:
    """How the word of a request was given; the person's own, now, where it says nothing."""
    if not request.HasField("declaration"):
        return HERE_AND_NOW
    message = request.declaration
    represented = message.declarant == consent_pb2.Declaration.REPRESENTATIVE
    return Declaration(
        Declarant.REPRESENTATIVE if represented else Declarant.SUBJECT,
        _authority(message.authority) if message.HasField("authority") else None,
        time_of(message.declare_time) if message.HasField("declare_time") else None,
        Paper(message.paper.reference, message.paper.sha256) if message.HasField("paper") else None,
    )


def declaration_message(declaration: Declaration) -> consent_pb2.Declaration:
    """How a word was given."""
    authority, paper = declaration.authority, declaration.paper
    message = consent_pb2.Declaration(
        declarant=consent_pb2.Declaration.Declarant.Value(declaration.declarant),
        declare_time=timestamp(declaration.declare_time),
    )
    if authority is not None:
        message.authority.kind = consent_pb2.Authority.Kind.Value(authority.kind)
        message.authority.reference = authority.reference
        message.authority.sha256 = authority.sha256
        message.authority.issue_date = _text(authority.issue_date)
        message.authority.end_date = _text(authority.last_day())
    if paper is not None:
        message.paper.reference, message.paper.sha256 = paper.reference, paper.sha256
    return message


def _authority(message: consent_pb2.Authority) -> Authority:
    return Authority(
        AuthorityKind(consent_pb2.Authority.Kind.Name(message.kind)),
        message.reference,
        message.sha256,
        date.fromisoformat(message.issue_date) if message.issue_date else None,
        date.fromisoformat(message.end_date) if message.end_date else None,
    )


def _text(day: date | None) -> str:
    return day.isoformat() if day else ""

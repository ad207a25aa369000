# SPDX-License-Identifier: Apache-2.0
"""The signed document of a person's own view: JSON in one form, to the byte.

UTF-8, keys sorted, no blanks, what is empty left out; times in UTC. The format is named in the
document itself, so that its signature can stand for nothing else.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from datetime import datetime
from enum import Enum
from typing import Any, Final

from services.chassis.sites import Operator
from services.vault.own_view import Part, recipient_told, time_of
from services.vault.recipients import Names
from services.vault.standing import Standing

FORMAT: Final = "qupia-export/1"
_NOT_TOLD: Final = frozenset({"proposal_id", "proposed_acceptance", "linked"})


@dataclass(frozen=True, slots=True)
class Heading:
    """What stands at the head of every part of an export."""

    export_id: str
    part: int
    site: str
    subject: str
    export_time: datetime
    operator: Operator | None


def document_of(
    heading: Heading, part: Part, standings: Mapping[str, Standing], named: Names
) -> bytes:
    """The bytes of one part; `standings` by subject, in the first part only.

    `named` are the recipients in the standings that are known by name.
    """
    names = [*standings, *(name for name in part.lists if name not in standings)]
    document: dict[str, Any] = {
        "format": FORMAT,
        "exportId": heading.export_id,
        "part": heading.part,
        "last": part.stop is None,
        "site": heading.site,
        "subjectId": heading.subject,
        "exportTime": time_of(heading.export_time),
        "operator": operator_of(heading.operator),
        "subjects": [_subject(name, standings.get(name), part, named) for name in names],
        "processing": part.processing,
    }
    told = {name: value for name, value in document.items() if value not in ([], {}, None)}
    return json.dumps(told, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def operator_of(operator: Operator | None) -> dict[str, str]:
    """Who operates the site."""
    if operator is None:
        return {}
    return {
        "name": operator.name,
        "bin": operator.bin,
        "address": operator.address,
        "contact": operator.contact,
        "responsible": operator.responsible,
    }


def recipients_in(standing: Standing) -> set[str]:
    """Who was to deliver the orders of a standing."""
    orders = standing.orders.orders if standing.orders else ()
    return {each.recipient_id for order in orders for each in order.assignments}


def standing_told(standing: Standing, named: Names) -> dict[str, Any]:
    """What stands of a subject: consents, blocks, holds, orders and who was to deliver them."""
    state = "RESTRICTED" if standing.restricted else "BLOCKED" if standing.blocked else "ACTIVE"
    told: dict[str, Any] = {"state": state}
    for name in ("consent", "claims", "orders"):
        told |= _told(getattr(standing, name)) or {}
    for order in told.get("orders", ()):
        for each in order.get("assignments", ()):
            each.update(recipient_told(named.get(each["recipientId"])))
    return told


def _subject(name: str, standing: Standing | None, part: Part, named: Names) -> dict[str, Any]:
    told: dict[str, Any] = {"subjectId": name}
    if standing is not None:
        told["standing"] = standing_told(standing, named)
    return told | {each: items for each, items in part.lists.get(name, {}).items() if items}


def _told(value: object) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        members = {
            _camel(f.name): _told(getattr(value, f.name))
            for f in fields(value)
            if f.name not in _NOT_TOLD
        }
        return {name: member for name, member in members.items() if member not in (None, [], {})}
    if isinstance(value, datetime):
        return time_of(value)
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, Sequence | frozenset) and not isinstance(value, str | bytes):
        return [_told(each) for each in value]
    return value


def _camel(name: str) -> str:
    return re.sub(r"_([a-z])", lambda match: match[1].upper(), name)

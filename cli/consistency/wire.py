# SPDX-License-Identifier: Apache-2.0
"""Slices as their bytes, as the decider pushes them and as the vault keeps them."""

from google.protobuf.message import DecodeError

from qupia.vault.v1 import vault_pb2
from services.vault import wire, wire_case
from services.vault.policy_schedule import PolicySchedule
from services.vault.standing import ClaimsStanding, ConsentStanding, OrderStanding

Content = ConsentStanding | ClaimsStanding | OrderStanding | PolicySchedule


class Unreadable(Exception):
    """The bytes are no slice of that topic."""


def content_of(topic: str, body: bytes) -> Content:
    """What a slice says. Raises Unreadable."""
    try:
        content = _content(topic, body)
    except (DecodeError, ValueError, OverflowError):
        raise Unreadable from None
    if content is None:
        raise Unreadable
    return content


def canonical(content: Content) -> bytes | None:
    """The bytes that the vault keeps of it; None for a schedule, which is kept as it came."""
    if isinstance(content, ConsentStanding):
        return wire.consent_to(content).SerializeToString(deterministic=True)
    if isinstance(content, ClaimsStanding):
        return wire.claims_to(content).SerializeToString(deterministic=True)
    if isinstance(content, OrderStanding):
        return wire.orders_to(content).SerializeToString(deterministic=True)
    return None


def _content(topic: str, body: bytes) -> Content | None:
    if topic == wire_case.CONSENT:
        return wire_case.consent_of(body)
    if topic == wire_case.CLAIMS:
        return wire_case.claims_of(body)
    if topic == wire_case.ORDERS:
        return wire_case.orders_of(body)
    return wire.schedule_from(vault_pb2.PolicySchedule.FromString(body))

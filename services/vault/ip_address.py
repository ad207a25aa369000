# SPDX-License-Identifier: Apache-2.0
"""IP addresses in the one form of RFC 5952 (clause 1.1.7, T-1.1.7-a)."""

import ipaddress

from services.vault.text import normalize_text
from services.vault.violation import FieldInvalid, Rule

_MAX_LENGTH = 45


def normalize_ip(field: str, value: object) -> str:
    """An IPv4 or IPv6 address; an IPv4-mapped one in mixed notation (RFC 5952, section 5).

    Zone ids are refused: they mean nothing outside the machine that wrote them.
    Raises FieldInvalid: what `normalize_text` raises, IP_MALFORMED.
    """
    text = normalize_text(field, value, _MAX_LENGTH)
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        raise FieldInvalid(field, Rule.IP_MALFORMED, "must be one IPv4 or IPv6 address") from None
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.scope_id is not None:
        raise FieldInvalid(field, Rule.IP_MALFORMED, "must not hold a zone id")
    if address.ipv4_mapped is not None:
        return f"::ffff:{address.ipv4_mapped}"
    return str(address)


def network_prefix(address: str) -> str:
    """The network of a normalized address: 24 bits of IPv4, 48 of IPv6 (clause 3.3.2)."""
    parsed = ipaddress.ip_address(address)
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
        parsed = parsed.ipv4_mapped
    bits = 24 if isinstance(parsed, ipaddress.IPv4Address) else 48
    return str(ipaddress.ip_network((parsed, bits), strict=False))

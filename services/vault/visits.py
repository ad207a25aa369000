# SPDX-License-Identifier: Apache-2.0
"""A visit: the six technical kinds of clause 3.3, each encrypted by itself (T-1.1.2-a, T-3.3-a)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Final, TypeAlias

from services.vault.browser import browser_family
from services.vault.concealed import Concealed
from services.vault.envelope import Place, decrypt, encrypt
from services.vault.fields import Field
from services.vault.ip_address import network_prefix, normalize_ip
from services.vault.plaintext import SCHEMA
from services.vault.secret_key import SecretKey
from services.vault.text import normalize_text
from services.vault.violation import DataInvalid, FieldInvalid, Rule

Visit: TypeAlias = Concealed[Field, str]
"""What is known of one visit; the access time in ISO 8601, UTC."""

OLDEST: Final = timedelta(days=7)
_EARLY: Final = timedelta(minutes=5)  # clocks differ
_LONGEST: Final = MappingProxyType(
    {Field.COOKIE: 512, Field.USER_AGENT: 512, Field.PAGE: 1024, Field.REFERRER: 1024}
)
_GROUPS: Final = "groups"
_SALT: Final = "salt"


def normalize_visit(
    given: Mapping[Field, str], access_time: datetime | None, now: datetime
) -> Visit:
    """A visit in the form it is kept in.

    Raises DataInvalid with every violation: of the texts, IP_MALFORMED, TIME_OUT_OF_RANGE.
    """
    values: dict[Field, str] = {}
    violations: list[FieldInvalid] = []
    for field, value in given.items():
        name = field.partition(".")[2]
        try:
            if field is Field.IP:
                values[field] = normalize_ip(name, value)
            else:
                values[field] = normalize_text(name, value, _LONGEST[field])
        except FieldInvalid as violation:
            violations.append(violation)
    if access_time is None or not now - OLDEST <= access_time <= now + _EARLY:
        text = "must be a time within the last seven days"
        violations.append(FieldInvalid("accessTime", Rule.TIME_OUT_OF_RANGE, text))
    else:
        values[Field.ACCESS_TIME] = access_time.astimezone(UTC).isoformat()
    if violations:
        raise DataInvalid(violations)
    return Concealed(values)


def usable_visit(given: Mapping[Field, str], access_time: datetime) -> Visit:
    """A visit without what cannot be kept: nobody is there to be told what was wrong with it.

    Its time may be long past: the vault was away.
    """
    kept = dict(given)
    for field, value in given.items():
        try:
            normalize_visit({field: value}, access_time, access_time)
        except DataInvalid:
            del kept[field]
    return normalize_visit(kept, access_time, access_time)


def seal_visit(
    key: SecretKey, site: str, subject: str, visit_id: str, visit: Visit, salt: str = ""
) -> dict[str, bytes]:
    """The ciphertexts of a visit by their kind, of its groups, of its salt if it has one.

    Raises VersionLimitReached.
    """
    plain = {str(field): value for field, value in visit.items()} | {_GROUPS: "\n".join(_of(visit))}
    plain |= {_SALT: salt} if salt else {}
    return {
        name: encrypt(key, _place(site, subject, visit_id, name), text.encode())
        for name, text in plain.items()
    }


def open_visit(
    key: SecretKey, site: str, subject: str, visit_id: str, sealed: Mapping[Field, bytes]
) -> Visit:
    """The kinds given, in the clear. Raises CiphertextMisplaced."""
    return Concealed(
        {
            field: decrypt(key, _place(site, subject, visit_id, field), ciphertext).decode()
            for field, ciphertext in sealed.items()
        }
    )


def open_groups(
    key: SecretKey, site: str, subject: str, visit_id: str, sealed: bytes
) -> tuple[str, str, str]:
    """(day, browser family, network prefix) of a visit. Raises CiphertextMisplaced."""
    place = _place(site, subject, visit_id, _GROUPS)
    day, browser, network = decrypt(key, place, sealed).decode().split("\n")
    return day, browser, network


def _of(visit: Visit) -> tuple[str, str, str]:
    day = visit[Field.ACCESS_TIME][:10]
    network = network_prefix(visit[Field.IP]) if Field.IP in visit else "unknown"
    return day, browser_family(visit.get(Field.USER_AGENT, "")), network


def _place(site: str, subject: str, visit_id: str, name: str) -> Place:
    return Place(SCHEMA, site, subject, f"{name}/{visit_id}", 1)

# SPDX-License-Identifier: Apache-2.0
"""Clause 1.1.2: whatever is linked to a person is their data, and kept like their name."""

import secrets

from tests.policy.person import Person, is_refused
from tests.policy.records import Records
from tests.policy.visiting import COLUMNS, bought, visit, visited

_VISITS = f"SELECT {', '.join(COLUMNS)}, groups FROM visits WHERE site_id=:s AND subject_id=:p"
_LINES = "SELECT ciphertext FROM purchases WHERE site_id=:s AND subject_id=:p"


def test_address_cookie_referrer_and_purchase_are_encrypted_like_a_name(
    person: Person, records: Records
) -> None:
    """T-1.1.2-a"""
    canary = secrets.token_hex(8)
    made = visit(cookie=canary, ip="203.0.113.77", referrer=f"https://{canary}.kz/", page="/p")
    assert "recorded" in visited(person, made)[0]
    bought(person, "O-1", f"Кітап {canary}")
    where = {"s": person.site.site_id, "p": person.subject_id}
    rows = [*records.rows("vault", _VISITS, **where), *records.rows("vault", _LINES, **where)]
    values = [bytes(value) for row in rows for value in row]
    assert len(values) == len(COLUMNS) + 2
    assert all(value[0] == 1 for value in values), "a ciphertext of format 1"
    for plain in (canary, "203.0.113"):
        assert not any(plain.encode() in value for value in values)


def test_they_are_bound_to_purposes_like_a_name(person: Person) -> None:
    """T-1.1.2-a"""
    visited(person, visit())
    bought(person, "O-1", "Шам")
    plain = person.read("IDENTIFY_FOR_ORDER").json
    assert "visits" not in plain or not plain["visits"]
    assert not plain.get("purchases")
    for field in ("technical.ip", "technical.cookie", "technical.referrer", "purchases"):
        asked = person.read("IDENTIFY_FOR_ORDER", fields=[field])
        assert is_refused(asked, 403, "FIELD_NOT_PERMITTED", "6.2.1")
    asked = person.read("NEWS", fields=["technical.ip"])
    assert is_refused(asked, 403, "CONSENT_REQUIRED", "4.1.10")

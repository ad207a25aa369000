# SPDX-License-Identifier: Apache-2.0
"""A refused credential is evidence, and a flood of them is little of it (clause 1.1.1)."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from sqlalchemy import text

from gateway.book import CredentialBook
from gateway.credential import Holder, KeyRole, new_key
from gateway.refused import RefusedCredential, RefusedCredentials, Rule
from services.chassis import evidence
from services.chassis.clock import FixedClock
from services.chassis.database import Database
from services.chassis.refusal import Unauthenticated, Unavailable

Ask = Callable[..., httpx.Response]
# A minute of its own: the tests share a database, and what nobody holds has no other name.
START = datetime(2026, 11, 26, 9, 0, 10, tzinfo=UTC)


class Desk:
    """The keys of a gateway, and what is written of those that were refused."""

    def __init__(self, database: Database, clock: FixedClock) -> None:
        self.database = database
        self.clock = clock
        self.refused = RefusedCredentials(database, clock)
        self.book = CredentialBook(database, clock, refused=self.refused.note)

    def refuses(self, key: str) -> None:
        """Present a key that opens nothing."""
        with pytest.raises(Unauthenticated):
            self.book.credential_of(key)

    def tallies(self) -> list[tuple[str, str, int]]:
        """(principal, rule, count) of this minute's tallies, each with its one entry."""
        with self.database.transaction() as connection:
            rows = connection.execute(
                text(
                    "SELECT e.body, t.count FROM refusal_tallies t "
                    "JOIN evidence_entries e USING (entry_id) "
                    "WHERE t.minute = date_trunc('minute', cast(:now AS timestamptz)) "
                    "ORDER BY e.entry_id"
                ),
                {"now": self.clock.instant},
            ).all()
        return [
            (body["principal"], body["refs"]["rule"], count)
            for body, count in ((json.loads(row[0]), int(row[1])) for row in rows)
        ]

    def entries(self) -> int:
        """How many entries tell of refused credentials."""
        query = "SELECT count(*) FROM evidence_entries WHERE event = 'credential.refused'"
        with self.database.transaction() as connection:
            return int(connection.execute(text(query)).scalar_one())


@pytest.fixture
def desk(database: Database, request: pytest.FixtureRequest) -> Desk:
    day = sum(request.node.name.encode())
    return Desk(database, FixedClock(START + timedelta(days=day)))


def test_a_refused_key_is_evidence_with_its_holder_where_it_was_once_issued(desk: Desk) -> None:
    """T-1.1.1-a"""
    ended = desk.book.issue(Holder("ended", "demo", KeyRole.STOREFRONT))
    late = desk.book.issue(Holder("late", "demo", KeyRole.STOREFRONT), timedelta(seconds=1))
    desk.book.revoke(ended.credential.credential_id)
    desk.clock.instant += timedelta(seconds=1)
    desk.refuses(ended.key)
    desk.refuses(late.key)
    strange = new_key()
    desk.refuses(strange)
    desk.refused.write()
    assert sorted(desk.tallies()) == [
        ("ended", Rule.KEY_REVOKED, 1),
        ("late", Rule.KEY_EXPIRED, 1),
        ("unknown/gateway", Rule.KEY_UNKNOWN, 1),
    ]
    with desk.database.transaction() as connection:
        bodies = " ".join(connection.execute(text("SELECT body FROM evidence_entries")).scalars())
    assert ended.credential.credential_id in bodies
    assert not any(key[3:] in bodies for key in (ended.key, late.key, strange))


def test_a_flood_of_bad_keys_is_one_entry_a_minute_and_its_count(desk: Desk) -> None:
    """T-1.1.1-a"""
    before = desk.entries()
    with ThreadPoolExecutor(4) as threads:
        for _ in range(3):
            list(threads.map(lambda _: desk.refuses(new_key()), range(50)))
            assert desk.refused.write() > 0
    assert desk.tallies() == [("unknown/gateway", Rule.KEY_UNKNOWN, 150)]
    assert desk.entries() == before + 1
    desk.clock.instant += timedelta(minutes=1)
    desk.refuses(new_key())
    desk.refused.write()
    assert desk.tallies() == [("unknown/gateway", Rule.KEY_UNKNOWN, 1)]
    assert desk.entries() == before + 2


def test_two_gateways_count_on_one_entry(desk: Desk) -> None:
    """T-1.1.1-a"""
    before = desk.entries()
    other = Desk(desk.database, desk.clock)
    for each in (desk, other, desk):
        each.refuses(new_key())
        each.refused.write()
    assert desk.tallies() == [("unknown/gateway", Rule.KEY_UNKNOWN, 3)]
    assert desk.entries() == before + 1


def test_what_cannot_be_written_stays_counted(desk: Desk, url: str) -> None:
    """T-1.1.1-a"""
    impatient = Database(url, pool_size=1, timeout_ms=200)
    other = RefusedCredentials(impatient, desk.clock)
    late = RefusedCredential(Rule.CERTIFICATE_EXPIRED)
    other.note(late)
    with desk.database.transaction() as connection:
        evidence.append_counted(connection, [(late.entry(), 1)], desk.clock.now())
        with pytest.raises(Unavailable):
            other.write()
        other.note(late)
    other.write()
    other.write()
    assert desk.tallies() == [("unknown/gateway", Rule.CERTIFICATE_EXPIRED, 1 + 2)]
    impatient.close()


def test_a_key_used_for_another_site_is_evidence(
    ask: Ask, gateway_refused: list[RefusedCredential]
) -> None:
    """T-1.1.1-a"""
    assert ask("GET", "/v1/recipients").is_success
    assert gateway_refused == []
    assert ask("GET", "/v1/recipients", headers={"Qupia-Site": "other"}).status_code == 403
    (refused,) = gateway_refused
    assert refused.rule is Rule.SITE_ANOTHER
    entry = refused.entry()
    assert (entry.principal, entry.site_id, entry.reason) == (
        "shop-web",
        "demo",
        "PERMISSION_DENIED",
    )

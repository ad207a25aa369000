# SPDX-License-Identifier: Apache-2.0
"""API keys on a real database: two live keys at most, revocation at once, evidence of each."""

import json
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import inspect, text
from typer.testing import CliRunner

from cli.credentials import make_credentials
from gateway import store
from gateway.book import CredentialBook, CredentialRefused
from gateway.credential import Holder, KeyRole, digest
from services.chassis import evidence
from services.chassis.clock import FixedClock
from services.chassis.database import Database, DatabaseDefect
from services.chassis.refusal import Unauthenticated, Unavailable

MIGRATIONS = Path(store.__file__).parent / "migrations"
START = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
SHOP = Holder("shop-web", "demo", KeyRole.STOREFRONT, ("NEWS",))


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(START)


@pytest.fixture
def book(database: Database, clock: FixedClock) -> CredentialBook:
    return CredentialBook(database, clock, "operator/uid-1000")


def _entries(database: Database, credential_id: str) -> list[dict[str, object]]:
    with database.transaction() as connection:
        bodies = connection.execute(text("SELECT body FROM evidence_entries ORDER BY entry_id"))
        found = [json.loads(body) for (body,) in bodies]
    return [e for e in found if e["refs"].get("credential_id") == credential_id]


def test_a_key_opens_what_it_was_issued_for_until_it_is_revoked(
    book: CredentialBook, database: Database
) -> None:
    issued = book.issue(SHOP)
    assert book.holder_of(issued.key) == SHOP
    assert issued.key not in repr(issued)
    book.revoke(issued.credential.credential_id)
    with pytest.raises(Unauthenticated):
        book.holder_of(issued.key)
    entries = _entries(database, issued.credential.credential_id)
    assert [e["event"] for e in entries] == ["credential.issued", "credential.revoked"]
    assert {e["principal"] for e in entries} == {"operator/uid-1000"}
    assert issued.key not in json.dumps(entries)


def test_rotation_keeps_two_keys_alive_and_no_third(book: CredentialBook) -> None:
    holder = Holder("rotating", "demo", KeyRole.STOREFRONT)
    first = book.issue(holder)
    second = book.rotate("rotating")
    assert book.holder_of(first.key) == book.holder_of(second.key) == holder
    with pytest.raises(CredentialRefused, match=first.credential.credential_id):
        book.rotate("rotating")
    with pytest.raises(CredentialRefused):
        book.issue(holder)
    book.revoke(first.credential.credential_id)
    assert book.holder_of(book.rotate("rotating").key) == holder


def test_keys_rotated_at_the_same_moment_are_still_two(book: CredentialBook) -> None:
    book.issue(Holder("racing", "demo", KeyRole.STOREFRONT))
    outcomes: list[str] = []

    def rotate() -> None:
        try:
            book.rotate("racing")
            outcomes.append("rotated")
        except CredentialRefused:
            outcomes.append("refused")

    threads = [threading.Thread(target=rotate) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["refused"] * 3 + ["rotated"]


def test_a_change_waits_for_the_one_before(
    book: CredentialBook, database: Database, url: str
) -> None:
    book.issue(Holder("waiting", "demo", KeyRole.STOREFRONT))
    impatient = Database(url, pool_size=1, timeout_ms=200)
    other = CredentialBook(impatient, FixedClock(START))
    with database.transaction() as connection:
        store.lock_principal(connection, "waiting")
        with pytest.raises(Unavailable):
            other.rotate("waiting")
        with pytest.raises(Unavailable):
            other.issue(Holder("waiting", "demo", KeyRole.STOREFRONT))
    assert other.rotate("waiting").key
    impatient.close()


def test_a_key_ends_at_its_time(book: CredentialBook, clock: FixedClock) -> None:
    issued = book.issue(Holder("short", "demo", KeyRole.STOREFRONT), timedelta(days=1))
    clock.instant = START + timedelta(days=1) - timedelta(microseconds=1)
    assert book.holder_of(issued.key).principal_id == "short"
    clock.instant = START + timedelta(days=1)
    with pytest.raises(Unauthenticated):
        book.holder_of(issued.key)
    assert book.issue(issued.credential.holder).key != issued.key


@pytest.mark.parametrize("key", ["", "qk_", "qk_" + "A" * 43, "qk_" + "A" * 5000])
def test_what_is_no_key_opens_nothing(book: CredentialBook, key: str) -> None:
    with pytest.raises(Unauthenticated):
        book.holder_of(key)


@pytest.mark.parametrize(
    "holder",
    [
        Holder("courier", "demo", KeyRole.RECIPIENT),
        Holder("shop", "demo", KeyRole.STOREFRONT, (), "01890000-0000-7000-8000-000000000001"),
        Holder("courier", "demo", KeyRole.RECIPIENT, (), "not-an-id"),
        Holder("shop", "Demo", KeyRole.STOREFRONT),
        Holder("my shop", "demo", KeyRole.STOREFRONT),
        Holder("", "demo", KeyRole.STOREFRONT),
    ],
)
def test_a_holder_of_no_known_form_gets_no_key(book: CredentialBook, holder: Holder) -> None:
    with pytest.raises(CredentialRefused):
        book.issue(holder)


def test_no_evidence_no_key(book: CredentialBook, database: Database) -> None:
    class Unwritten(CredentialBook):
        def _record(self, *_: object) -> None:
            raise Unavailable

    with pytest.raises(Unavailable):
        Unwritten(database, FixedClock(START)).issue(Holder("none", "demo", KeyRole.STOREFRONT))
    assert "none" not in [c.holder.principal_id for c in book.every()]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE credentials SET role = 'STOREFRONT'",
        "UPDATE credentials SET expire_time = NULL",
        "DELETE FROM credentials",
        "UPDATE evidence_entries SET body = ''",
        "DELETE FROM evidence_entries",
        "TRUNCATE evidence_entries",
        "DROP TABLE credentials",
    ],
)
def test_the_gateway_cannot_rewrite_its_history(database: Database, statement: str) -> None:
    with pytest.raises((Unavailable, DatabaseDefect)), database.transaction() as connection:
        connection.execute(text(statement))


def test_only_the_digest_of_a_key_is_stored(book: CredentialBook, database: Database) -> None:
    issued = book.issue(Holder("digested", "demo", KeyRole.STOREFRONT))
    with database.transaction() as connection:
        rows = connection.execute(text("SELECT c::text FROM credentials c")).scalars().all()
        found = store.find(connection, digest(issued.key))
    assert found is not None
    assert found[0] == digest(issued.key)
    assert not [row for row in rows if issued.key[3:] in row]


def test_the_tables_are_those_the_code_speaks_of(database: Database) -> None:
    inspector = inspect(database.engine)
    for table in (store.credentials, evidence.entries):
        stored = {c["name"]: c["nullable"] for c in inspector.get_columns(table.name)}
        assert stored == {c.name: bool(c.nullable) for c in table.columns}


def test_the_command_issues_rotates_revokes_and_lists(url: str, database: Database) -> None:
    app = make_credentials(lambda: url)
    runner = CliRunner()

    def run(*arguments: str) -> str:
        result = runner.invoke(app, [*arguments, "--json"])
        assert result.exit_code == 0, result.output
        return result.stdout

    options = ["--site", "demo", "--role", "STOREFRONT", "--principal", "cli-shop"]
    issued = json.loads(run("issue", *options, "--purpose", "NEWS", "--expires-in-days", "30"))
    book = CredentialBook(database, FixedClock(datetime.now(UTC)))
    assert book.holder_of(issued["token"]).purposes == ("NEWS",)
    rotated = json.loads(run("rotate", "cli-shop"))
    assert rotated["purposes"] == ["NEWS"]
    revoked = json.loads(run("revoke", issued["credentialId"]))
    assert "revokeTime" in revoked[0]
    with pytest.raises(Unauthenticated):
        book.holder_of(issued["token"])
    listed = run("list")
    assert {issued["credentialId"], rotated["credentialId"]} <= {
        c["credentialId"] for c in json.loads(listed)
    }
    assert issued["token"] not in listed
    assert rotated["token"] not in listed


def test_the_command_says_what_is_wrong(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    app = make_credentials(lambda: url)
    runner = CliRunner()
    options = ["--site", "demo", "--principal", "p", "--role"]
    for arguments, code in (
        (["revoke", "nothing"], 1),
        (["rotate", "nobody"], 1),
        (["issue", *options, "RECIPIENT"], 1),
        (["issue", *options, "AUDITOR"], 2),
        (["issue", *options, "STOREFRONT", "--purpose", "SELLING"], 2),
    ):
        result = runner.invoke(app, arguments)
        assert result.exit_code == code, result.output
        assert "Traceback" not in result.output
    nowhere = make_credentials(lambda: "postgresql://nobody@127.0.0.1:1/none")
    assert runner.invoke(nowhere, ["list"]).exit_code == 69
    assert runner.invoke(make_credentials(lambda: "mysql://x/x"), ["list"]).exit_code == 78
    assert runner.invoke(make_credentials(lambda: "nonsense"), ["list"]).exit_code == 78
    monkeypatch.delenv("QUPIA_GATEWAY_DATABASE_URL", raising=False)
    assert runner.invoke(make_credentials(), ["list"]).exit_code == 78

# SPDX-License-Identifier: Apache-2.0
"""Nothing personal is written anywhere but encrypted: not by the story, not by any refusal (I8)."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from tests.harness.canary import Canary, Hit, Person, Scanner
from tests.harness.suite import Suite
from tests.harness.teller import Teller

PROCESSES = ("consent", "vault", "claims", "disclosure", "gateway")
DATABASES = ("consent", "vault", "keystore", "disclosure", "claims", "gateway")


@dataclass
class Told:
    """What came of telling canaries to a suite."""

    suite: Suite
    scanner: Scanner
    person: Person
    subject: str
    refusals: list[httpx.Response]
    sealed: Mapping[tuple[str, str, str], list[bytes]]


_SEALED = (
    ("vault", "data", "ciphertext"),
    ("vault", "data_history", "ciphertext"),
    ("vault", "corrections", "ciphertext"),
    ("vault", "documents", "ciphertext"),
    ("vault", "purchases", "ciphertext"),
    ("vault", "blind_index", "digest"),
    ("keystore", "data_keys", "wrapped"),
    *(
        ("vault", "visits", kind)
        for kind in ("ip", "cookie", "user_agent", "access_time", "page", "referrer")
    ),
)
_OWNER = {"documents": "owner_id", "data_keys": "owner_id"}
_DELIVERED = (
    ("claims", "sealed_documents", "sealed"),
    ("consent", "sealed_documents", "sealed"),
    ("disclosure", "orders", "sealed_message"),
)
_BYTES = (
    "SELECT table_name, column_name FROM information_schema.columns"
    " WHERE table_schema = 'public' AND data_type = 'bytea' ORDER BY 1, 2"
)


def _sealed(suite: Suite, subject: str, name: str, table: str, column: str) -> list[bytes]:
    owner = _OWNER.get(table, "subject_id")
    query = f"SELECT {column} FROM {table} WHERE {owner} = %s AND {column} IS NOT NULL"
    return [bytes(value) for (value,) in _rows(suite, name, query, subject)]


def _rows(suite: Suite, name: str, query: str, *values: object) -> list[Any]:
    with psycopg.connect(_libpq(suite, name)) as database:
        return database.execute(query.encode(), values or None).fetchall()


@pytest.fixture(scope="module")
def told() -> Iterator[Told]:
    """A suite of its own that was told a person, rightly and wrongly, until the person's end.

    `sealed` is what was the person's before it.
    """
    person = Person.mint()
    with Suite() as suite:
        teller = Teller(suite, person)
        subject = teller.story()
        sealed = {place: _sealed(suite, subject, *place) for place in _SEALED}
        teller.end(subject)
        _write_out(suite)
        yield Told(suite, Scanner(person.canaries), person, subject, teller.refusals, sealed)


def _write_out(suite: Suite) -> None:
    with psycopg.connect(_libpq(suite, "postgres"), autocommit=True) as server:
        server.execute("CHECKPOINT")


def _libpq(suite: Suite, database: str) -> str:
    url = suite.database_url(database, "superuser")
    return url.replace("postgresql+psycopg:", "postgresql:", 1)


def _folders(suite: Suite) -> tuple[Path, Path]:
    """All that the suite keeps; the database may lie elsewhere."""
    return suite.home, Path(suite.state["postgres"]["data"])


def test_no_file_of_the_suite_holds_a_canary(told: Told) -> None:
    hits = set(told.scanner.in_files(*_folders(told.suite)))
    assert hits == set()


def test_no_refusal_says_a_canary_back(told: Told) -> None:
    assert len(told.refusals) > 40
    hits = [
        hit
        for answer in told.refusals
        for hit in told.scanner.in_bytes(_whole(answer), f"the answer {answer.status_code}")
    ]
    assert hits == []


def _whole(answer: httpx.Response) -> bytes:
    head = b"".join(name + b": " + value + b"\n" for name, value in answer.headers.raw)
    return head + answer.content


@pytest.mark.parametrize("process", PROCESSES)
def test_no_figure_of_a_process_holds_a_canary(told: Told, process: str) -> None:
    figures = told.suite.metrics(process).encode()
    assert b"qupia_" in figures
    assert list(told.scanner.in_bytes(figures, process)) == []


def test_a_canary_that_is_planted_in_a_table_is_found_in_its_files(told: Told) -> None:
    planted = Canary("planted", told.person.family_name + told.person.given_name)
    with psycopg.connect(_libpq(told.suite, "consent"), autocommit=True) as database:
        database.execute("INSERT INTO wordings VALUES ('planted', 'planted', %s)", [planted.text])
    _write_out(told.suite)
    try:
        _home, data = _folders(told.suite)
        places = {Path(hit.place).parts[len(data.parts)] for hit in _found(planted, data)}
    finally:
        with psycopg.connect(_libpq(told.suite, "consent"), autocommit=True) as database:
            database.execute("DELETE FROM wordings WHERE site_id = 'planted'")
    assert {"base", "pg_wal"} <= places


def test_a_canary_that_is_planted_in_a_log_is_found(told: Told, tmp_path: Path) -> None:
    line = json.dumps({"event": "refused", "phone": told.person.given_name})
    (tmp_path / "vault.log").write_text(line)
    hits = list(told.scanner.in_files(tmp_path))
    assert {(hit.canary, hit.form) for hit in hits} == {("given_name", "\\u")}


def test_a_person_who_has_ended_is_in_nothing_that_any_key_opens(told: Told) -> None:
    """T-5.1-b, T-3.3-a: neither a ciphertext nor its key is left in a row of any database."""
    assert [place for place, found in told.sealed.items() if not found] == []
    sealed = [value for found in told.sealed.values() for value in found]
    for name in DATABASES:
        for table, column in _rows(told.suite, name, _BYTES):
            left = f"SELECT 1 FROM {table} WHERE {column} = ANY(%s) LIMIT 1"
            assert _rows(told.suite, name, left, sealed) == [], (name, table, column)
    # What was on its way to the vault is sealed to a key that the vault still has.
    for name, table, column in _DELIVERED:
        waiting = f"SELECT 1 FROM {table} WHERE {column} IS NOT NULL"
        assert _rows(told.suite, name, waiting) == [], (name, table)
    gone = told.suite.as_("storefront").post(
        f"/v1/subjects/{told.subject}/data:read", json={"purpose": "SECURITY_LOCATION"}
    )
    assert gone.json()["code"] == "SUBJECT_DESTROYED"


def _found(canary: Canary, folder: Path) -> list[Hit]:
    return list(Scanner([canary]).in_files(folder))

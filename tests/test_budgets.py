# SPDX-License-Identifier: Apache-2.0
"""A credential's daily budget of subjects: beyond it, new people are out of reach for the day."""

import json
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import httpx
import psycopg
import pytest
from typer.testing import CliRunner

from cli.__main__ import app
from services.chassis.ids import new_subject_id, new_uuid
from tests.harness.suite import Suite

_READ = {"purpose": "IDENTIFY_FOR_ORDER"}
Shop = Callable[[int], httpx.Client]


@pytest.fixture
def shop(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    """Makes a client with a new key of that budget."""
    monkeypatch.setenv("QUPIA_HOME", str(suite.home))
    clients = []

    def made(budget: int) -> httpx.Client:
        options = ("--site", "demo", "--role", "STOREFRONT", "--principal", f"shop-{new_uuid()}")
        issued = _credentials("issue", *options, "--daily-subjects", str(budget))
        assert issued["dailySubjects"] == budget
        client = _client(suite, issued)
        clients.append(client)
        return client

    yield made
    for client in clients:
        client.close()


def _credentials(*arguments: str) -> dict[str, Any]:
    done = CliRunner().invoke(app, ["credentials", *arguments, "--json"])
    assert done.exit_code == 0, done.output
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def _client(suite: Suite, issued: Mapping[str, Any]) -> httpx.Client:
    headers = {"Authorization": f"Bearer {issued['token']}", "X-Principal": issued["principal"]}
    return httpx.Client(base_url=suite.gateway, headers=headers, timeout=20, trust_env=False)


def _people(suite: Suite, number: int) -> list[tuple[str, str]]:
    """So many people: (subject, e-mail)."""
    made = []
    for _ in range(number):
        email = f"{new_subject_id()}@example.kz"
        made.append((suite.new_subject({"givenName": "Айгүл", "email": email}), email))
    return made


def _read(client: httpx.Client, subject: str, body: object = None) -> str:
    answer = client.post(f"/v1/subjects/{subject}/data:read", json=body or _READ)
    if answer.status_code == 429:
        assert answer.headers["retry-after"]
    return "OK" if answer.status_code == 200 else str(answer.json()["code"])


def test_beyond_the_budget_new_people_are_refused_and_earlier_ones_are_not(
    suite: Suite, shop: Shop
) -> None:
    (first, _), (second, _), (third, _) = _people(suite, 3)
    client = shop(2)
    assert [_read(client, each) for each in (first, second, first)] == ["OK", "OK", "OK"]
    assert _read(client, third) == "BUDGET_EXHAUSTED"
    assert [_read(client, each) for each in (first, second)] == ["OK", "OK"]
    entries = _entries(suite, client)
    assert [e["outcome"] for e in entries] == [*["PERMITTED"] * 3, "REFUSED", *["PERMITTED"] * 2]
    assert entries[3]["reason"] == "BUDGET_EXHAUSTED"
    # A key beside it, without a budget, reads whom it likes.
    assert _read(suite.as_("storefront"), third) == "OK"


def test_what_is_refused_anyway_spends_nothing(suite: Suite, shop: Shop) -> None:
    (first, _), (second, _) = _people(suite, 2)
    client = shop(1)
    assert _read(client, first, {"purpose": "NEWS"}) == "CONSENT_REQUIRED"
    assert _read(client, new_subject_id()) == "NOT_FOUND"
    assert _read(client, second) == "OK"
    assert _read(client, first) == "BUDGET_EXHAUSTED"


def test_of_a_batch_each_member_is_refused_or_read_by_itself(suite: Suite, shop: Shop) -> None:
    people = [subject for subject, _ in _people(suite, 4)]
    client = shop(2)
    assert _read(client, people[3]) == "OK"
    # The one that was read before costs nothing wherever it stands; one that comes twice costs one.
    asked = [people[0], people[0], people[1], people[3], people[2]]
    items = [{"subjectId": subject, **_READ} for subject in asked]
    answer = client.post("/v1/data:batchRead", json={"items": items}).json()
    told = [outcome.get("problem", {}).get("code", "OK") for outcome in answer["outcomes"]]
    assert told == ["OK", "OK", "BUDGET_EXHAUSTED", "OK", "BUDGET_EXHAUSTED"]
    exhausted = answer["outcomes"][2]
    assert "read" not in exhausted


def test_many_readers_at_once_never_go_beyond_the_budget(suite: Suite, shop: Shop) -> None:
    people = [subject for subject, _ in _people(suite, 16)]
    client = shop(5)

    def batch(subject: str) -> str:
        # Batches are transactions of their own; single reads share one.
        items = [{"subjectId": subject, **_READ}]
        (outcome,) = client.post("/v1/data:batchRead", json={"items": items}).json()["outcomes"]
        return str(outcome.get("problem", {}).get("code", "OK"))

    with ThreadPoolExecutor(16) as pool:
        told = [*pool.map(batch, people), *pool.map(lambda each: _read(client, each), people)]
    reached = {subject for subject, code in zip(people * 2, told, strict=True) if code == "OK"}
    assert len(reached) == 5
    assert set(told) == {"OK", "BUDGET_EXHAUSTED"}
    assert [_read(client, subject) for subject in reached] == ["OK"] * 5


def test_a_second_key_of_the_same_holder_has_the_same_budget(suite: Suite, shop: Shop) -> None:
    (first, _), (second, _) = _people(suite, 2)
    client = shop(1)
    assert _read(client, first) == "OK"
    with _client(suite, _credentials("rotate", client.headers["X-Principal"])) as other:
        assert _read(other, second) == "BUDGET_EXHAUSTED"
        assert _read(other, first) == "OK"


def test_who_has_used_up_the_budget_cannot_find_out_who_exists(suite: Suite, shop: Shop) -> None:
    (_, first), (second, email) = _people(suite, 2)
    client = shop(2)

    def find(contact: str) -> httpx.Response:
        return client.post("/v1/subjects:find", json={"email": contact})

    assert len(find(first).json()["subjectIds"]) == 1
    # Asking for nobody costs as much as asking for somebody, and asking again costs nothing.
    nobody = f"{new_subject_id()}@example.kz"
    assert [find(nobody).json().get("subjectIds", []) for _ in range(2)] == [[], []]
    present, absent = find(email), find(f"{new_subject_id()}@example.kz")
    assert (present.status_code, present.json()["code"]) == (429, "BUDGET_EXHAUSTED")
    assert _but_reference(present) == _but_reference(absent)
    assert find(first).status_code == find(nobody).status_code == 200
    assert _read(client, second) == "BUDGET_EXHAUSTED"


def test_whom_a_find_has_reached_is_read_without_further_cost(suite: Suite, shop: Shop) -> None:
    ((subject, email),) = _people(suite, 1)
    client = shop(1)
    assert client.post("/v1/subjects:find", json={"email": email}).status_code == 200
    assert _read(client, subject) == "OK"


def test_what_is_counted_names_nobody_and_nothing_is_counted_without_a_budget(
    suite: Suite, shop: Shop
) -> None:
    ((subject, email),) = _people(suite, 1)
    client, free = shop(3), shop(0)
    assert [_read(each, subject) for each in (client, free)] == ["OK", "OK"]
    assert free.post("/v1/subjects:find", json={"email": email}).status_code == 200
    marks = _rows(suite, "SELECT principal, mark FROM budget_subjects")
    mine = [bytes(mark) for principal, mark in marks if principal == _name(client)]
    assert [len(mark) for mark in mine] == [16]
    assert bytes.fromhex(subject) not in mine
    assert _name(free) not in [principal for principal, _ in marks]
    assert _rows(suite, "SELECT 1 FROM budget_days WHERE principal = %s", _name(free)) == []


@pytest.mark.parametrize(
    "options",
    [
        ("--role", "RECIPIENT", "--recipient", new_uuid(), "--daily-subjects", "5"),
        ("--role", "PARTNER", "--daily-subjects", "5"),
    ],
)
def test_only_a_storefronts_key_has_a_budget(
    suite: Suite, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...]
) -> None:
    monkeypatch.setenv("QUPIA_HOME", str(suite.home))
    arguments = ["credentials", "issue", "--site", "demo", "--principal", "other", *options]
    refused = CliRunner().invoke(app, arguments)
    assert refused.exit_code == 1
    assert "STOREFRONT" in refused.output


def _name(client: httpx.Client) -> str:
    return f"key/{client.headers['X-Principal']}"


def _but_reference(answer: httpx.Response) -> bytes:
    return answer.content.replace(answer.json()["reference"].encode(), b"")


def _rows(suite: Suite, statement: str, *arguments: object) -> list[Any]:
    url = suite.database_url("vault", "superuser").replace("postgresql+psycopg", "postgresql")
    with closing(psycopg.connect(url)) as connection:
        return connection.execute(statement, arguments).fetchall()


def _entries(suite: Suite, client: httpx.Client) -> list[dict[str, Any]]:
    rows = _rows(suite, "SELECT body FROM evidence_entries ORDER BY entry_id")
    bodies = [json.loads(body) for (body,) in rows]
    return [body for body in bodies if body["principal"] == _name(client)]

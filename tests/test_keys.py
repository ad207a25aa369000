# SPDX-License-Identifier: Apache-2.0
"""Keys rotated and retired over the public interfaces, while people are read and written."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Any

import psycopg
import pytest
from typer.testing import CliRunner, Result

from cli.__main__ import app
from tests.harness.suite import Suite
from tests.harness.waiting import awaited

pytestmark = pytest.mark.long

PEOPLE = 30
KINDS = ("KEK", "EPOCH", "INDEX")


@pytest.fixture(scope="module")
def own() -> Iterator[Suite]:
    """A suite whose rotations move twenty rows a second, so that much happens meanwhile."""
    with Suite({"QUPIA_VAULT_ROTATION_ROWS_PER_SECOND": "20"}) as suite:
        yield suite


@pytest.fixture(scope="module")
def people(own: Suite) -> Mapping[str, str]:
    """People with an e-mail: {subject: e-mail}."""
    made = {}
    for number in range(PEOPLE):
        email = f"person{number}@example.kz"
        made[own.new_subject({"givenName": "Әсел", "email": email})] = email
    return made


@pytest.fixture
def settled(own: Suite) -> Suite:
    """The suite, without any rotation under way or old epoch."""
    _ended(own)
    for epoch in _status(own)["epochs"]:
        if not epoch.get("current"):
            assert _retire(own, "EPOCH", epoch["keyId"]).status_code == 200
    return own


@pytest.fixture
def command(own: Suite, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Runs `qupia keys` beside the suite."""
    monkeypatch.setenv("QUPIA_HOME", str(own.home))
    return lambda *arguments: CliRunner().invoke(app, ["keys", *arguments])


def _status(suite: Suite, **query: str) -> dict[str, Any]:
    answer = suite.as_("keyCustodian").get("/v1/keys", params=query)
    assert answer.status_code == 200, answer.text
    document: dict[str, Any] = answer.json()
    return document


def _rotation(suite: Suite) -> dict[str, Any]:
    return dict(_status(suite, rotationOnly="true").get("rotation", {}))


def _ended(suite: Suite, seen: Callable[[Mapping[str, Any]], bool] | None = None) -> dict[str, Any]:
    """Waits until `seen` says so of the rotation, until it has ended where None."""

    def found() -> dict[str, Any] | None:
        rotation = _rotation(suite)
        holds = not rotation or (seen or (lambda r: r["state"] == "ENDED"))(rotation)
        return rotation if holds else None

    return awaited(found, "the rotation does not go on")


def _rotate(suite: Suite, kind: str, key: str = "") -> Any:
    headers = {"Idempotency-Key": key} if key else {}
    return suite.as_("keyCustodian").post("/v1/keys:rotate", json={"kind": kind}, headers=headers)


def _retire(suite: Suite, kind: str, key_id: str = "", key: str = "") -> Any:
    body = {"kind": kind} | ({"keyId": key_id} if key_id else {})
    headers = {"Idempotency-Key": key} if key else {}
    return suite.as_("keyCustodian").post("/v1/keys:retire", json=body, headers=headers)


def _old(suite: Suite, kind: str) -> list[dict[str, Any]]:
    """The old keys of a kind that were not destroyed."""
    member = {"KEK": "keks", "EPOCH": "epochs", "INDEX": "indexKeys"}[kind]
    found = [key for key in _status(suite)[member] if not key.get("current")]
    return [key for key in found if "destroyTime" not in key]


def _rows(key: Mapping[str, Any]) -> int:
    return sum(int(key.get(name, 0)) for name in ("rows", "epochKeys", "indexKeys", "sealingKeys"))


def _conflict(answer: Any, rule: str) -> str:
    """The refusal is that conflict; what it says."""
    assert (answer.status_code, answer.json()["code"]) == (409, "STATE_CONFLICT"), answer.text
    (error,) = answer.json()["errors"]
    assert error["code"] == rule
    return str(error["detail"])


@contextmanager
def _traffic(suite: Suite, people: Mapping[str, str]) -> Iterator[list[str]]:
    """Reads, finds and writes from three threads; yields what failed."""
    failed: list[str] = []
    over = threading.Event()
    done = dict.fromkeys(("read", "find", "write"), 0)

    def ask(what: str, ask_one: Callable[[str, str], bool]) -> None:
        while not over.is_set():
            for subject, email in people.items():
                if not ask_one(subject, email):
                    failed.append(f"{what} {subject}")
                done[what] += 1

    storefront = suite.as_("storefront")

    def read(subject: str, email: str) -> bool:
        body = {"purpose": "IDENTIFY_FOR_ORDER"}
        answer = storefront.post(f"/v1/subjects/{subject}/data:read", json=body)
        return answer.status_code == 200 and answer.json()["data"]["email"] == email

    def find(subject: str, email: str) -> bool:
        answer = storefront.post("/v1/subjects:find", json={"email": email})
        return answer.status_code == 200 and answer.json().get("subjectIds") == [subject]

    def write(subject: str, _email: str) -> bool:
        body = {"data": {"givenName": "Әсем"}}
        return storefront.patch(f"/v1/subjects/{subject}/data", json=body).status_code == 200

    threads = [
        threading.Thread(target=ask, args=(what, one))
        for what, one in (("read", read), ("find", find), ("write", write))
    ]
    for thread in threads:
        thread.start()
    try:
        yield failed
    finally:
        over.set()
        for thread in threads:
            thread.join()
    assert min(done.values()) > 0


@pytest.mark.parametrize("kind", KINDS)
def test_a_key_is_rotated_and_retired_while_reads_and_writes_go_on(
    settled: Suite, people: Mapping[str, str], command: Callable[..., Result], kind: str
) -> None:
    """T-1.1.4-a (confidentiality): every kind of key can be replaced, and nobody notices."""
    with _traffic(settled, people) as failed:
        rotated = command("rotate", kind.lower(), "--json")
    assert rotated.exit_code == 0, rotated.output
    rotation = json.loads(rotated.stdout)["rotation"]
    assert (rotation["kind"], rotation["state"]) == (kind, "ENDED")
    assert rotation["rewrapped"] == rotation["total"] >= (1 if kind == "KEK" else PEOPLE)
    assert failed == []
    old = _old(settled, kind)
    assert old
    assert [_rows(key) for key in old] == [0] * len(old)
    for key in old:
        names = () if kind == "INDEX" else (key["keyId"],)
        if kind == "INDEX" and key is not old[0]:
            continue
        assert command("retire", kind.lower(), *names).exit_code == 0
    assert _old(settled, kind) == []
    with _traffic(settled, people) as failed:
        pass
    assert failed == []


def test_a_rotation_goes_on_by_itself_after_kill_9(
    settled: Suite, people: Mapping[str, str]
) -> None:
    ordered = _rotate(settled, "EPOCH").json()["rotation"]
    middle = _ended(settled, lambda rotation: rotation.get("rewrapped", 0) > 0)
    assert middle["rewrapped"] < middle["total"]
    killed = settled.kill("vault")
    settled.await_back("vault", killed)
    rotation = _ended(settled)
    assert rotation["rotationId"] == ordered["rotationId"]
    assert rotation["rewrapped"] == rotation["total"] >= PEOPLE
    # It was killed in the middle: the second process has moved rows too.
    assert [_rows(key) for key in _old(settled, "EPOCH")] == [0]
    with _traffic(settled, people) as failed:
        pass
    assert failed == []


def test_one_rotation_is_under_way_at_a_time_and_a_repeated_order_is_the_same(
    settled: Suite, people: Mapping[str, str]
) -> None:
    assert people
    first = _rotate(settled, "EPOCH", "order-1").json()["rotation"]
    again = _rotate(settled, "EPOCH", "order-1").json()["rotation"]
    assert again["rotationId"] == first["rotationId"]
    _conflict(_rotate(settled, "INDEX"), "under_way")
    _conflict(_retire(settled, "KEK", "any"), "under_way")
    assert _ended(settled)["rotationId"] == first["rotationId"]
    # After its end too, the same order is the same rotation.
    late = _rotate(settled, "EPOCH", "order-1").json()["rotation"]
    assert (late["rotationId"], late["state"]) == (first["rotationId"], "ENDED")


def test_a_kek_is_not_rotated_while_an_old_epoch_stands(
    settled: Suite, people: Mapping[str, str]
) -> None:
    assert people
    _rotate(settled, "EPOCH")
    _ended(settled)
    _conflict(_rotate(settled, "KEK"), "in_use")


def test_the_current_key_is_not_retired(settled: Suite) -> None:
    status = _status(settled)
    for kind, member in (("KEK", "keks"), ("EPOCH", "epochs")):
        (current,) = [key for key in status[member] if key.get("current")]
        _conflict(_retire(settled, kind, current["keyId"]), "current")


def test_a_key_with_rows_is_not_retired_and_the_refusal_says_how_many(
    settled: Suite, people: Mapping[str, str], command: Callable[..., Result]
) -> None:
    first, second, *_ = people
    right = _wrapped(settled, first)
    _set_wrapped(settled, first, _wrapped(settled, second))
    try:
        rotated = command("rotate", "epoch", "--json")
        assert rotated.exit_code == 1, rotated.output
        assert json.loads(rotated.stdout)["rotation"]["failed"] == 1
        assert "fsck" in rotated.stderr
        (old,) = _old(settled, "EPOCH")
        refused = _retire(settled, "EPOCH", old["keyId"])
        assert "1 rows" in _conflict(refused, "in_use")
        told = command("retire", "epoch", old["keyId"])
        assert told.exit_code == 1
        assert "1 rows" in told.stderr
    finally:
        _set_wrapped(settled, first, right)
    assert command("rotate", "epoch").exit_code == 0
    assert _retire(settled, "EPOCH", old["keyId"], "retire-1").status_code == 200
    # The key is gone, and a repeat of what was done is no fault; another call is told so.
    assert _retire(settled, "EPOCH", old["keyId"], "retire-1").status_code == 200
    assert _retire(settled, "EPOCH", old["keyId"]).json()["code"] == "NOT_FOUND"


def test_whoever_ordered_and_retired_stands_in_evidence_by_name(settled: Suite) -> None:
    """T-1.1.1-a."""
    ordered = _rotate(settled, "EPOCH").json()["rotation"]
    _ended(settled)
    (old,) = _old(settled, "EPOCH")
    assert _retire(settled, "EPOCH", old["keyId"]).status_code == 200
    entries = _entries(settled)
    by_rotation = [
        e for e in entries if e.get("refs", {}).get("rotation_id") == ordered["rotationId"]
    ]
    assert [(e["event"], e["principal"]) for e in by_rotation] == [
        ("rotation.ordered", "person/qupia-development#key-custodian"),
        ("rotation.ended", "process/vault"),
    ]
    (retired,) = [e for e in entries if e.get("refs", {}).get("key_id") == old["keyId"]]
    assert (retired["event"], retired["outcome"]) == ("key.retired", "DONE")
    assert retired["principal"] == "person/qupia-development#key-custodian"
    assert retired["role"] == "KEY_CUSTODIAN"


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/v1/keys:rotate", {}, "kind"),
        ("/v1/keys:rotate", {"kind": "MASTER"}, "kind"),
        ("/v1/keys:retire", {"keyId": "x"}, "kind"),
        ("/v1/keys:retire", {"kind": "EPOCH"}, "keyId"),
        ("/v1/keys:retire", {"kind": "INDEX", "keyId": "email"}, "keyId"),
        ("/v1/keys:retire", {"kind": "KEK", "keyId": "кілт"}, "keyId"),
    ],
)
def test_bad_input_names_its_field(
    own: Suite, path: str, body: Mapping[str, str], field: str
) -> None:
    refused = own.as_("keyCustodian").post(path, json=body)
    assert refused.status_code == 400
    assert field in [error["field"] for error in refused.json()["errors"]]


def test_the_status_is_a_table_for_people(
    people: Mapping[str, str], command: Callable[..., Result]
) -> None:
    assert people
    told = command("status")
    assert told.exit_code == 0, told.output
    kinds = [line.split()[0] for line in told.stdout.splitlines()[1:]]
    assert {"kek", "epoch", "index"} <= set(kinds)
    assert command("retire", "epoch").exit_code == 2
    assert command("retire", "index", "email").exit_code == 2
    assert command("status", "--as", "auditor").exit_code == 77


def test_after_all_of_it_the_records_agree(
    own: Suite, people: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert people
    monkeypatch.setenv("QUPIA_HOME", str(own.home))
    checked = CliRunner().invoke(app, ["fsck", "--json"])
    assert checked.exit_code == 0, checked.output


def _entries(suite: Suite) -> list[dict[str, Any]]:
    with closing(psycopg.connect(_plain(suite.database_url("vault", "superuser")))) as connection:
        rows = connection.execute(
            "SELECT body FROM evidence_entries WHERE event IN "
            "('rotation.ordered', 'rotation.ended', 'key.retired') ORDER BY record_time"
        )
        return [json.loads(body) for (body,) in rows]


def _wrapped(suite: Suite, subject: str) -> bytes:
    with closing(_key_store(suite)) as connection:
        sql = "SELECT wrapped FROM data_keys WHERE owner_id = %s"
        row = connection.execute(sql, (subject,)).fetchone()
        assert row is not None
        return bytes(row[0])


def _set_wrapped(suite: Suite, subject: str, wrapped: bytes) -> None:
    with closing(_key_store(suite)) as connection, connection:
        sql = "UPDATE data_keys SET wrapped = %s WHERE owner_id = %s"
        assert connection.execute(sql, (wrapped, subject)).rowcount == 1


def _key_store(suite: Suite) -> "psycopg.Connection[Any]":
    return psycopg.connect(_plain(suite.database_url("keystore", "superuser")))


def _plain(url: str) -> str:
    return url.replace("postgresql+psycopg://", "postgresql://")

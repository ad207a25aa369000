# SPDX-License-Identifier: Apache-2.0
"""One effect per key; a key says nothing of a person (traps 11, 9; threat T37)."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from qupia.subject.v1 import subject_pb2
from qupia.vault.v1 import vault_pb2
from services.chassis.call import Call
from services.chassis.contract import load_contract
from services.chassis.database import Database
from services.chassis.idempotency import KEEP, IdempotencyKeys, forget_old
from services.chassis.identity import Principal
from services.chassis.ids import new_uuid
from services.chassis.refusal import IdempotencyKeyReused, InvalidArgument
from tests.chassis.desk import STORE, SUBJECT

NOW = datetime(2026, 5, 12, tzinfo=UTC)
KEYS = IdempotencyKeys(b"s" * 32)
PHONE = "+77011234567"


def _call(request_id: str, phone: str = PHONE, name: str = "key/shop", site: str = "demo") -> Call:
    request = vault_pb2.StoreDataRequest(
        subject_id=SUBJECT, data=subject_pb2.PersonalData(phone=phone), request_id=request_id
    )
    return Call(
        load_contract().methods[STORE],
        b"",
        None,  # type: ignore[arg-type]
        {},
        "ref",
        message=request,
        caller=Principal(name, site, frozenset({"STOREFRONT"})),
    )


def _begin(database: Database, call: Call, result: str, keys: IdempotencyKeys = KEYS) -> str:
    with database.transaction() as connection:
        return keys.begin(connection, call, result, NOW)


def _begin_and_fail(database: Database, call: Call) -> None:
    with database.transaction() as connection:
        KEYS.begin(connection, call, "one", NOW)
        raise RuntimeError


def test_the_second_time_the_first_result_stands(database: Database) -> None:
    key = new_uuid()
    assert _begin(database, _call(key), "one") == "one"
    assert _begin(database, _call(key), "two") == "one"


def test_an_effect_that_did_not_come_about_frees_its_key(database: Database) -> None:
    key = new_uuid()
    with pytest.raises(RuntimeError):
        _begin_and_fail(database, _call(key))
    assert _begin(database, _call(key), "two") == "two"


def test_a_result_may_be_amended_in_its_own_transaction(database: Database) -> None:
    key = new_uuid()
    with database.transaction() as connection:
        KEYS.begin(connection, _call(key), "2", NOW)
        KEYS.amend(connection, _call(key), "1")
    assert _begin(database, _call(key), "3") == "1"


def test_another_body_under_the_same_key_is_refused(database: Database) -> None:
    key = new_uuid()
    _begin(database, _call(key), "one")
    with pytest.raises(IdempotencyKeyReused):
        _begin(database, _call(key, phone="+77017654321"), "two")


@pytest.mark.parametrize("other", [{"name": "key/other"}, {"site": "other"}])
def test_two_callers_keys_do_not_meet(database: Database, other: dict[str, Any]) -> None:
    key = new_uuid()
    assert _begin(database, _call(key), "one") == "one"
    assert _begin(database, _call(key, **other), "two") == "two"


def test_a_mutating_call_without_a_key_is_refused(database: Database) -> None:
    with pytest.raises(InvalidArgument) as caught:
        _begin(database, _call(""), "one")
    assert [v.field for v in caught.value.fields] == ["requestId"]


def test_what_is_kept_says_nothing_of_the_request(database: Database) -> None:
    key = new_uuid()
    _begin(database, _call(key), "one")
    _begin(database, _call(f"{key}-2"), "one")
    query = text("SELECT t::text, fingerprint FROM idempotency_keys t WHERE request_id LIKE :k")
    with database.transaction() as connection:
        rows = connection.execute(query, {"k": f"{key}%"}).all()
    assert PHONE not in str(rows)
    # Without the secret nobody tells which request it was: the same body, another secret.
    other = IdempotencyKeys(b"t" * 32)
    with pytest.raises(IdempotencyKeyReused):
        _begin(database, _call(key), "one", other)


def test_of_many_at_once_one_makes_the_effect_and_all_get_its_result(database: Database) -> None:
    key, barrier = new_uuid(), threading.Barrier(8)
    results: list[str] = []

    def one(number: int) -> None:
        barrier.wait()
        results.append(_begin(database, _call(key), str(number)))

    _in_threads(8, one)
    assert len(results) == 8
    assert len(set(results)) == 1


def test_who_comes_while_the_first_is_under_way_waits_for_its_end(database: Database) -> None:
    key, results = new_uuid(), []
    with database.transaction() as connection:
        KEYS.begin(connection, _call(key), "first", NOW)
        waiting = threading.Thread(
            target=lambda: results.append(_begin(database, _call(key), "second"))
        )
        waiting.start()
        waiting.join(0.2)
        assert waiting.is_alive()
    waiting.join(5)
    assert results == ["first"]


def test_keys_are_forgotten_after_three_days(database: Database) -> None:
    key = new_uuid()
    _begin(database, _call(key), "one")
    with database.transaction() as connection:
        forget_old(connection, NOW + KEEP)
    assert _begin(database, _call(key), "two") == "one"
    with database.transaction() as connection:
        forget_old(connection, NOW + KEEP + timedelta(seconds=1))
    assert _begin(database, _call(key), "two") == "two"


def _in_threads(number: int, run: Callable[[int], None]) -> None:
    threads = [threading.Thread(target=run, args=(n,)) for n in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

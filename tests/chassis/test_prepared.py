# SPDX-License-Identifier: Apache-2.0
"""Statements compiled once, and the arrays that go into them."""

from datetime import UTC, date, datetime
from typing import Any

import pytest
from sqlalchemy import (
    BigInteger,
    Boolean,
    Date,
    DateTime,
    Integer,
    LargeBinary,
    Text,
    bindparam,
    delete,
    func,
    literal,
    select,
)

from services.chassis.arrays import Array, BigIntegers, Blobs, Dates, Instants, Integers, Texts
from services.chassis.database import Database, DatabaseDefect
from services.chassis.idempotency import idempotency_keys
from services.chassis.prepared import Prepared, given_in_order, inserting, matching

WRITTEN = ["", "Әбілқайырұлы", 'a"b\\c{d},e', "NULL", "\x1f\n"]
MOMENT = datetime(2026, 5, 12, 9, 30, 15, 123456, tzinfo=UTC)


@pytest.mark.parametrize(
    ("kind", "array", "values"),
    [
        (Text, Texts, WRITTEN),
        (LargeBinary, Blobs, [b"", b"\0\xff", "қ".encode()]),
        (Integer, Integers, [0, -1, 2**31 - 1]),
        (BigInteger, BigIntegers, [0, -(2**63), 2**63 - 1]),
        (Date, Dates, [date(1999, 12, 31), date(2026, 5, 12)]),
        (DateTime(timezone=True), Instants, [MOMENT, None, datetime(1900, 1, 1, tzinfo=UTC)]),
    ],
)
def test_the_values_of_a_column_arrive_as_they_are(
    database: Database, kind: Any, array: type[Array], values: list[Any]
) -> None:
    rows = given_in_order("rows", value=kind)
    statement = Prepared(select(rows.c.place, rows.c.value).order_by(rows.c.place))
    with database.transaction() as connection:
        for _ in range(3):
            assert statement.rows(connection, value=array(values)) == list(enumerate(values, 1))
        assert statement.rows(connection, value=array([])) == []


def test_literals_stand_in_the_statement_and_parameters_come_from_the_caller(
    database: Database,
) -> None:
    statement = Prepared(select(func.concat("fixed ", bindparam("given", type_=Text))))
    with database.transaction() as connection:
        assert statement.rows(connection, given="own") == [("fixed own",)]


def test_a_row_is_named_after_its_columns(database: Database) -> None:
    statement = Prepared(
        select(bindparam("given", type_=Text).label("own"), func.count().label("times"))
    )
    with database.transaction() as connection:
        row = statement.first(connection, given="a")
        assert (row.own, row.times) == ("a", 1)
        nothing = Prepared(select(literal(1)).where(bindparam("given", type_=Boolean)))
        assert nothing.first(connection, given=False) is None


def test_a_row_is_written_and_found_by_parameters_named_after_columns(database: Database) -> None:
    t = idempotency_keys.c
    write = inserting(idempotency_keys)
    here = matching(t.principal, t.method, t.request_id)
    find = Prepared(select(t.result_id).where(here))
    remove = Prepared(delete(idempotency_keys).where(here))
    place = {"principal": "Әлия", "method": "prepared", "request_id": "1"}
    with database.transaction() as connection:
        row = {"fingerprint": b"\0", "result_id": "a", "create_time": MOMENT}
        assert write.run(connection, **place, **row) == 1
        assert find.first(connection, **place).result_id == "a"
        assert find.rows(connection, **place) == [("a",)]
        assert remove.run(connection, **place) == 1
        assert remove.run(connection, **place) == 0


def test_an_error_of_the_driver_carries_its_code_and_no_text(database: Database) -> None:
    statement = Prepared(select(func.int4(bindparam("given", type_=Text))))
    with pytest.raises(DatabaseDefect) as raised, database.transaction() as connection:
        statement.rows(connection, given="Әлия")
    assert str(raised.value) == "SQLSTATE 22P02"
    with database.look() as connection:
        assert statement.rows(connection, given="7") == [(7,)]


def test_a_rollback_to_a_savepoint_leaves_what_is_prepared(database: Database) -> None:
    statement = Prepared(select(bindparam("given", type_=Integer)))
    with database.transaction() as connection:
        for _ in range(5):
            # The driver prepares by itself what comes again and again.
            connection.execute(select(literal(1))).all()
            assert statement.rows(connection, given=1) == [(1,)]
        with connection.begin_nested() as trial:
            trial.rollback()
        connection.execute(select(literal(1))).all()
        assert statement.rows(connection, given=2) == [(2,)]

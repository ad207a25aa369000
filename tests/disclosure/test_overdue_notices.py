# SPDX-License-Identifier: Apache-2.0
"""Notices that nobody fetches are found after a working day (Law 24(1)(3), 25(2)(8))."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from qupia.disclosure.v1 import notices_pb2
from services.chassis.identity import Principal
from services.chassis.ids import new_uuid
from services.chassis.metrics import Metrics
from services.disclosure.notice import Recall
from services.disclosure.overdue import Overdue
from services.disclosure.recaller import Heard, Recaller
from tests.disclosure.house import CALENDAR, SITE, START, SUBJECT, House, officer, release

# The day after START, a Tuesday, ends then in Almaty.
DUE = datetime(2026, 11, 24, 19, tzinfo=UTC)
LIFE = new_uuid()


@pytest.fixture
def holder(house: House) -> Principal:
    """A courier that was told to stop using what it holds, and has not looked yet."""
    recipient = house.recipient()
    house.call(recipient, release(house.delivery(recipient)))
    blocked = Recall(new_uuid(), SITE, SUBJECT, "BLOCKED", START)
    Recaller(house.database, lambda *_: Heard([blocked], "1/a", LIFE), house.clock).round()
    return recipient


def _overdue(house: House, caller: Principal | None = None) -> list[Any]:
    asked = notices_pb2.ListNoticesRequest(overdue=True)
    return list(house.call(caller or officer("one"), asked).notices)


def _gauge(house: House) -> float:
    metrics = Metrics()
    Overdue(house.database, CALENDAR, house.clock, metrics).round()
    value = metrics.registry.get_sample_value("qupia_overdue", {"duty": "notices"})
    assert value is not None
    return value


def test_a_notice_that_nobody_fetches_is_overdue_after_a_working_day(
    house: House, holder: Principal
) -> None:
    house.clock.instant = DUE - timedelta(microseconds=1)
    assert (_overdue(house), _gauge(house)) == ([], 0.0)
    house.clock.instant = DUE
    (found,) = _overdue(house)
    assert found.overdue
    assert found.due_time.ToDatetime(tzinfo=UTC) == DUE
    assert found.recipient_id == holder.recipient_id
    assert _gauge(house) == 1.0


def test_whoever_fetches_it_late_ends_that(house: House, holder: Principal) -> None:
    house.clock.instant = DUE
    (found,) = _overdue(house, holder)
    assert found.state == notices_pb2.Notice.OPEN
    assert (_overdue(house), _gauge(house)) == ([], 0.0)
    (sent,) = house.call(officer("one"), notices_pb2.ListNoticesRequest()).notices
    assert not sent.overdue

# SPDX-License-Identifier: Apache-2.0
"""When versions are in force (clauses 9.1, 9.2)."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.consent.schedule import (
    TICK,
    PastEffectiveTime,
    Schedule,
    Term,
    TooManyVersions,
    VersionScheduledLater,
)

START = datetime(2026, 11, 23, 10, tzinfo=UTC)
NONE: frozenset[str] = frozenset()


def hour(number: float) -> datetime:
    return START + timedelta(hours=number)


def publish(schedule: Schedule, now: datetime, effective: datetime | None = None) -> Schedule:
    return Schedule((*schedule.terms, schedule.next_term(now, effective, NONE)))


def test_a_version_without_a_date_is_in_force_from_its_publication_on() -> None:
    schedule = publish(publish(Schedule(), hour(0)), hour(1))
    assert schedule.in_force(hour(0) - TICK) == 0
    assert schedule.in_force(hour(0)) == 1
    assert schedule.in_force(hour(1) - TICK) == 1
    assert schedule.in_force(hour(1)) == 2


def test_the_former_version_stays_until_the_date_of_the_new_one() -> None:
    schedule = publish(publish(Schedule(), hour(0)), hour(1), hour(5))
    assert schedule.in_force(hour(5) - TICK) == 1
    assert schedule.in_force(hour(5)) == 2


def test_a_date_in_the_past_is_refused() -> None:
    with pytest.raises(PastEffectiveTime):
        Schedule().next_term(hour(1), hour(1) - TICK, NONE)
    assert Schedule().next_term(hour(1), hour(1), NONE).effective_time == hour(1)


@pytest.mark.parametrize("effective", [None, hour(4), hour(5)])
def test_a_later_version_never_takes_effect_before_or_with_a_scheduled_one(
    effective: datetime | None,
) -> None:
    schedule = publish(publish(Schedule(), hour(0)), hour(1), hour(5))
    with pytest.raises(VersionScheduledLater):
        schedule.next_term(hour(2), effective, NONE)
    assert schedule.next_term(hour(2), hour(5) + TICK, NONE).version == 3


def test_publications_keep_their_order_where_the_clock_steps_back() -> None:
    schedule = publish(publish(Schedule(), hour(1)), hour(0))
    assert schedule.terms[1].publish_time == hour(1) + TICK
    assert schedule.terms[1].effective_time == hour(1) + TICK


def test_a_schedule_holds_no_more_than_can_be_pushed() -> None:
    full = Schedule(tuple(Term(n, hour(n), hour(n), NONE) for n in range(1, 10_001)))
    with pytest.raises(TooManyVersions):
        full.next_term(hour(20_000), None, NONE)


def test_a_material_change_ends_earlier_consents_to_its_purposes_only() -> None:
    schedule = Schedule(
        (
            Term(1, hour(0), hour(0), NONE),
            Term(2, hour(1), hour(2), frozenset({"NEWS"})),
            Term(3, hour(3), hour(4), frozenset({"NEWS"})),
        )
    )
    assert schedule.outdated_time("NEWS", 1) == hour(2)
    assert schedule.outdated_time("NEWS", 2) == hour(4)
    assert schedule.outdated_time("NEWS", 3) is None
    assert schedule.outdated_time("ACCOUNT", 1) is None


@given(
    st.lists(
        st.tuples(st.integers(-50, 50), st.one_of(st.none(), st.integers(-5, 40))), max_size=25
    ),
    st.integers(-10, 100),
)
def test_exactly_one_version_is_in_force_at_any_time_after_the_first(
    wishes: list[tuple[int, int | None]], at: int
) -> None:
    schedule, now = Schedule(), 0
    for step, wish in wishes:
        now += step
        try:
            effective = None if wish is None else hour(now + wish)
            schedule = publish(schedule, hour(now), effective)
        except (PastEffectiveTime, VersionScheduledLater):
            continue
    terms = schedule.terms
    assert [t.version for t in terms] == list(range(1, len(terms) + 1))
    assert all(a.effective_time < b.effective_time for a, b in pairwise(terms))
    assert all(t.publish_time <= t.effective_time for t in terms)
    ends = [*(t.effective_time for t in terms), datetime.max.replace(tzinfo=UTC)][1:]
    holding = [
        t.version for t, end in zip(terms, ends, strict=True) if t.effective_time <= hour(at) < end
    ]
    version = schedule.in_force(hour(at))
    assert holding == ([version] if version else [])
    assert bool(holding) == (bool(terms) and terms[0].effective_time <= hour(at))

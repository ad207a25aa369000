# SPDX-License-Identifier: Apache-2.0
"""Floods of false claims: a storefront is limited, an officer is not, all is recorded (T32)."""

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from cli.postgres import DatabaseAccess
from qupia.subject.v1 import subject_pb2
from services.chassis.clock import FixedClock
from services.chassis.ids import new_uuid
from services.chassis.refusal import BudgetExhausted, ClaimLimitReached, Unavailable
from services.claims import store_acts
from services.claims.flooding import Limits
from services.claims.wire import instant, stamp
from tests.claims.suite import NOW, Claim, Suite, in_threads, new_claim

Make = Callable[..., Suite]


@pytest.fixture
def limited(empty: DatabaseAccess) -> Iterator[Make]:
    """Makes the claims service with limits."""
    made: list[Suite] = []

    def make(**limits: int) -> Suite:
        made.append(Suite(empty.runtime_url, limits=Limits(**limits)))
        made[0].meet_the_vault()
        return made[0]

    yield make
    for suite in made:
        suite.database.close()


def _entries(suite: Suite) -> list[dict[str, Any]]:
    rows = suite.rows(
        "SELECT body FROM evidence_entries WHERE event = 'claim.filed' ORDER BY entry_id"
    )
    return [json.loads(body) for (body,) in rows]


def _refused(suite: Suite) -> list[dict[str, Any]]:
    return [entry for entry in _entries(suite) if entry["outcome"] == "REFUSED"]


def test_a_storefront_files_so_many_open_claims_of_a_kind_and_no_more(limited: Make) -> None:
    suite = limited(open_per_subject=2)
    subject, other = suite.vault.subject(), suite.vault.subject()
    stand = [suite.file(subject).claim.claim_id for _ in range(2)]
    with pytest.raises(ClaimLimitReached) as refused:
        suite.file(other, subject)
    assert refused.value.clause == "6.2.3"
    assert [(hold.kind, hold.id) for hold in refused.value.holds] == [("CLAIM", i) for i in stand]
    # Nothing of it is kept, and what stands stays in force.
    assert [block.claim_id for block in suite.vault.slices["demo", subject].blocks] == stand
    assert ("demo", other) not in suite.vault.slices
    assert suite.rows("SELECT last FROM claim_numbers") == [(2,)]
    assert suite.file(subject, kind=Claim.UNLAWFUL_ACTS).claim.number == "2026-000003"
    assert suite.file(other).claim.number == "2026-000004"


def test_a_claim_that_is_turned_away_is_recorded_with_its_moment(limited: Make) -> None:
    suite = limited(open_per_subject=1)
    subject, other = suite.vault.subject(), suite.vault.subject()
    suite.file(subject)
    for statement in ("бірінші", "екінші"):
        with pytest.raises(ClaimLimitReached):
            suite.file(subject, other, statement=statement)
    entries = _refused(suite)
    # One for each subject; the second claim of the same minute is counted on the first one's.
    assert len({entry["subject"] for entry in entries}) == len(entries) == 2
    assert suite.rows("SELECT count FROM refusal_tallies") == [(2,), (2,)]
    for entry in entries:
        assert (entry["reason"], entry["clause"]) == ("CLAIM_LIMIT_REACHED", "6.2.3")
        assert entry["principal"].startswith("key/")
        assert entry["decidedOn"]["limit"] == "OPEN_PER_SUBJECT"
        assert entry["decidedOn"]["receiptTime"] == NOW.isoformat()
        assert set(entry["digests"]) == {"statement", "demand"}
        assert entry["subject"] not in (subject, other)


def test_past_its_budget_of_refusals_a_storefront_is_told_so(limited: Make) -> None:
    suite = limited(open_per_subject=1)
    subject = suite.vault.subject()
    suite.file(subject)
    with pytest.raises(ClaimLimitReached):
        suite.file(subject)
    with suite.database.transaction() as connection:
        connection.exec_driver_sql("UPDATE refusal_tallies SET count = 1000")
    with pytest.raises(BudgetExhausted):
        suite.file(subject)
    assert len(_refused(suite)) == 1


def test_an_officer_takes_what_was_turned_away_with_its_time_of_receipt(limited: Make) -> None:
    suite = limited(open_per_subject=1, daily_per_subject=1, daily_subjects_per_credential=1)
    subject = suite.vault.subject()
    suite.file(subject)
    with pytest.raises(ClaimLimitReached):
        suite.file(subject)
    moment = instant(stamp(NOW))
    assert isinstance(suite.clock, FixedClock)
    suite.clock.instant = NOW + timedelta(hours=3)
    claim = suite.file(subject, receipt_time=stamp(moment), metadata=suite.person()).claim
    assert instant(claim.receipt_time) == moment
    assert len(suite.vault.slices["demo", subject].blocks) == 2


def test_a_claim_that_has_its_answer_counts_no_more(limited: Make) -> None:
    suite = limited(open_per_subject=1)
    subject = suite.vault.subject()
    claim_id = suite.file(subject).claim.claim_id
    suite.conclude(claim_id, Claim.NOT_CONFIRMED)
    with pytest.raises(ClaimLimitReached):
        suite.file(subject)
    suite.rows(f"UPDATE claims SET state = 'ANSWERED' WHERE claim_id = '{claim_id}' RETURNING 1")
    assert suite.file(subject).claim.blocks


def test_claims_of_the_site_and_of_bodies_leave_the_person_theirs(limited: Make) -> None:
    suite = limited(open_per_subject=1, daily_per_subject=1)
    subject = suite.vault.subject()
    for claimant in (Claim.SITE, Claim.AUTHORISED_BODY):
        suite.file(subject, claimant=claimant, metadata=suite.person())
    assert suite.file(subject).claim.blocks


def test_subjects_of_one_contact_are_counted_together(limited: Make) -> None:
    suite = limited(open_per_subject=1)
    first, guest = suite.vault.subject(), suite.vault.subject()
    claim_id = suite.file(first).claim.claim_id
    moment = NOW.isoformat()
    suite.rows(
        "INSERT INTO same_contacts (site_id, subject_id, claim_id, state, since_time, block_time) "
        f"VALUES ('demo', '{guest}', '{claim_id}', 'PROVISIONAL', '{moment}', '{moment}') "
        "RETURNING 1"
    )
    with pytest.raises(ClaimLimitReached):
        suite.file(guest)
    suite.rows("UPDATE same_contacts SET state = 'RELEASED' RETURNING 1")
    assert suite.file(guest).claim.blocks


def test_a_day_is_one_of_almaty(limited: Make) -> None:
    suite = limited(daily_per_subject=2)
    subject = suite.vault.subject()
    assert isinstance(suite.clock, FixedClock)
    for kind in (Claim.OTHER, Claim.CONSUMER):
        suite.file(subject, kind=kind)
    # 18:59:59 is a second before midnight there.
    suite.clock.instant = NOW.replace(hour=18, minute=59, second=59)
    with pytest.raises(ClaimLimitReached) as refused:
        suite.file(subject)
    assert refused.value.retry_after == 1
    assert _refused(suite)[0]["decidedOn"]["limit"] == "DAILY_PER_SUBJECT"
    suite.clock.instant = NOW.replace(hour=19)
    assert suite.file(subject).claim.blocks


def test_a_credential_freezes_so_many_subjects_a_day_and_no_more(limited: Make) -> None:
    suite = limited(daily_subjects_per_credential=3)
    subjects = [suite.vault.subject() for _ in range(3)]
    suite.file(*subjects[:2])
    with pytest.raises(ClaimLimitReached) as refused:
        suite.file(*subjects[1:])
    assert refused.value.holds == ()
    # What was refused was not counted; a claim that names nobody yet counts as one.
    suite.file()
    with pytest.raises(ClaimLimitReached):
        suite.file()
    assert suite.rows("SELECT count FROM filed_subjects") == [(3,)]
    assert [e["decidedOn"]["limit"] for e in _refused(suite)] == 3 * [
        "DAILY_SUBJECTS_PER_CREDENTIAL"
    ]
    elsewhere = suite.vault.subject("other")
    assert suite.file(elsewhere, metadata=suite.storefront("other")).claim.blocks


def test_the_day_of_a_credential_is_one_of_almaty_too(limited: Make) -> None:
    suite = limited(daily_subjects_per_credential=1)
    assert isinstance(suite.clock, FixedClock)
    days = []
    for hour in (18, 19):
        suite.clock.instant = NOW.replace(hour=hour)
        assert suite.file(suite.vault.subject()).claim.blocks
        days = [str(day) for (day,) in suite.rows("SELECT day FROM filed_subjects ORDER BY day")]
    assert days == ["2026-11-23", "2026-11-24"]


def test_a_key_that_was_turned_away_is_free_for_the_same_claim_later(limited: Make) -> None:
    suite = limited(daily_per_subject=1)
    subject, key = suite.vault.subject(), new_uuid()
    suite.file(subject, kind=Claim.OTHER)
    with pytest.raises(ClaimLimitReached):
        suite.file(subject, request_id=key)
    assert isinstance(suite.clock, FixedClock)
    suite.clock.instant = NOW + timedelta(days=1)
    assert suite.file(subject, request_id=key).claim.blocks
    # Its repeat is answered as it was, though the limit is reached.
    assert suite.file(subject, request_id=key).claim.blocks


def test_claims_at_the_same_moment_count_each_other(limited: Make) -> None:
    suite = limited(open_per_subject=2)
    subject = suite.vault.subject()
    results = in_threads(8, lambda _: suite.file(subject))
    turned = [each for each in results if isinstance(each, ClaimLimitReached)]
    assert len(turned) == 6
    assert suite.rows("SELECT count(*) FROM claims") == [(2,)]
    # The push of the first may have been overtaken by the second's.
    assert suite.pusher.push(store_acts.key_of("demo", subject), 1)
    assert len(suite.vault.slices["demo", subject].blocks) == 2


def test_what_cannot_be_recorded_is_not_turned_away(
    limited: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    suite = limited(open_per_subject=1)
    subject = suite.vault.subject()
    suite.file(subject)

    def unwritable(*_: object, **__: object) -> None:
        raise Unavailable

    monkeypatch.setattr("services.chassis.evidence.append_all", unwritable)
    with pytest.raises(Unavailable):
        suite.file(subject)
    monkeypatch.undo()
    assert _refused(suite) == []


def test_without_limits_as_many_are_taken_as_come(limited: Make) -> None:
    suite = limited()
    subject = suite.vault.subject()
    states = {suite.file(subject).enforcement for _ in range(7)}
    assert states == {subject_pb2.Enforcement.IN_FORCE}
    assert new_claim().statement not in json.dumps(_entries(suite), ensure_ascii=False)

# SPDX-License-Identifier: Apache-2.0
"""What a book that was set back hears from the vault is put into it once, whole, and no further."""

from datetime import timedelta
from typing import Any

import pytest

from qupia.vault.v1 import recovery_pb2, vault_pb2
from services.chassis.ids import new_uuid
from services.claims.store_acts import key_of
from services.claims.wire import stamp
from tests.claims.suite import NOW, Suite

Block, Hold = vault_pb2.Block, vault_pb2.LegalHold
_RECEIVED = NOW - timedelta(days=4)


def block(claim_id: str, **members: Any) -> vault_pb2.Block:
    return Block(
        **{
            "claim_id": claim_id,
            "since_time": stamp(_RECEIVED),
            "recorded_time": stamp(_RECEIVED + timedelta(hours=1)),
            "ground": Block.UNLAWFUL_ACTS,
            "origin": Block.SUBJECT,
            **members,
        }
    )


def hold(claim_id: str, **members: Any) -> vault_pb2.LegalHold:
    return Hold(
        **{
            "hold_id": new_uuid(),
            "claim_id": claim_id,
            "kind": Hold.CLAIM,
            "since_time": stamp(_RECEIVED),
            **members,
        }
    )


def held(*facts: vault_pb2.Block | vault_pb2.LegalHold) -> vault_pb2.ClaimsSlice:
    return vault_pb2.ClaimsSlice(
        blocks=[each for each in facts if isinstance(each, Block)],
        holds=[each for each in facts if isinstance(each, Hold)],
    )


def lose(suite: Suite, slice_: vault_pb2.ClaimsSlice, subject: str = "") -> str:
    """Somebody of whom the book knows nothing, and the vault holds a slice."""
    subject = subject or suite.vault.subject()
    lost = recovery_pb2.LostClaims(site_id="demo", subject_id=subject, slice=slice_)
    suite.vault.lost.append(lost)
    return subject


def resync(suite: Suite) -> None:
    suite.rows("UPDATE decider_state SET resynced = true RETURNING 1")


def push(suite: Suite, subject: str) -> None:
    """Something is said of the subject again, which the vault answers with what it carried."""
    suite.file(subject, kind=5)


def test_what_the_vault_holds_of_a_lost_subject_is_pushed_again_as_it_was(suite: Suite) -> None:
    claim_id = new_uuid()
    stood = held(block(claim_id), hold(claim_id))
    subject = lose(suite, stood)
    resync(suite)
    suite.recover()
    pushed = suite.vault.slices["demo", subject]
    assert (list(pushed.blocks), list(pushed.holds)) == (list(stood.blocks), list(stood.holds))


def test_every_page_is_read(suite: Suite) -> None:
    subjects = [lose(suite, held(hold(new_uuid()))) for _ in range(3)]
    resync(suite)
    suite.recover()
    assert all(("demo", each) in suite.vault.slices for each in subjects)


@pytest.mark.parametrize(("own", "vaults"), [(True, False), (False, True)])
def test_nothing_counts_as_lost_before_all_was_pushed(
    suite: Suite, own: bool, vaults: bool
) -> None:
    lose(suite, held(hold(new_uuid())))
    suite.vault.resynced = vaults
    if own:
        resync(suite)
    suite.recover()
    assert suite.rows("SELECT 1 FROM claims") == []


def test_a_claim_that_two_subjects_lost_is_one_claim_that_names_both(suite: Suite) -> None:
    claim_id = new_uuid()
    slices = [held(block(claim_id), hold(claim_id)) for _ in range(2)]
    subjects = [lose(suite, each) for each in slices]
    resync(suite)
    suite.recover(rounds=2)
    assert suite.rows("SELECT number, recovery FROM claims") == [("2026-000001", "FOUND")]
    named = suite.rows("SELECT subject_id, hold_id FROM claim_subjects")
    ids = zip(subjects, slices, strict=True)
    assert set(named) == {(s, each.holds[0].hold_id) for s, each in ids}


def test_what_is_carried_twice_is_put_back_once(suite: Suite) -> None:
    claim_id, subject = new_uuid(), suite.vault.subject()
    suite.vault.carries["demo", subject] = held(block(claim_id), hold(claim_id))
    push(suite, subject)
    suite.pusher.push(key_of("demo", subject), 2.0)
    push(suite, subject)
    assert suite.rows("SELECT count(*) FROM claims WHERE recovery IS NOT NULL") == [(1,)]
    entries = "SELECT count(*) FROM evidence_entries WHERE event IN ('claim.recovered', {})"
    assert suite.rows(entries.format("'claim.mended'")) == [(1,)]


def test_an_outcome_is_said_of_all_whom_the_claim_names(suite: Suite) -> None:
    """The vault heard of it for one of them only: the other is blocked no longer than that one."""
    first, second = suite.vault.subject(), suite.vault.subject()
    claim_id = suite.file(first, second).claim.claim_id
    concluded = block(claim_id, ground=Block.INACCURATE_DATA, outcome=Block.NOT_CONFIRMED)
    suite.vault.carries["demo", first] = held(concluded)
    push(suite, first)
    assert not suite.vault.slices["demo", second].blocks[0].outcome
    suite.recover()
    assert suite.vault.slices["demo", second].blocks[0].outcome == Block.NOT_CONFIRMED
    assert suite.rows("SELECT 1 FROM mendings") == []


def test_confirmed_unlawful_acts_beat_what_the_book_has_concluded_since(suite: Suite) -> None:
    subject = suite.vault.subject()
    claim_id = suite.file(subject).claim.claim_id
    suite.conclude(claim_id, 1)
    unlawful = block(claim_id, ground=Block.INACCURATE_DATA, outcome=Block.UNLAWFUL_CONFIRMED)
    suite.vault.carries["demo", subject] = held(unlawful)
    push(suite, subject)
    where = f"WHERE claim_id = '{claim_id}'"
    assert suite.rows(f"SELECT outcome FROM claims {where}") == [("UNLAWFUL_CONFIRMED",)]
    assert suite.rows(f"SELECT kind FROM tasks {where}") == [("DESTROY",)]


def test_a_milder_outcome_takes_nothing_from_what_the_book_has_concluded(suite: Suite) -> None:
    subject = suite.vault.subject()
    claim_id = suite.file(subject).claim.claim_id
    suite.conclude(claim_id, 3)
    milder = block(claim_id, ground=Block.INACCURATE_DATA, outcome=Block.NOT_CONFIRMED)
    suite.vault.carries["demo", subject] = held(milder)
    push(suite, subject)
    where = f"WHERE claim_id = '{claim_id}'"
    assert suite.rows(f"SELECT outcome FROM claims {where}") == [("UNLAWFUL_CONFIRMED",)]


def test_what_is_concluded_for_a_representative_had_authority(suite: Suite) -> None:
    claim_id = new_uuid()
    represented = block(claim_id, origin=Block.REPRESENTATIVE, outcome=Block.INACCURATE_CONFIRMED)
    correction = new_uuid()
    represented.correction_id = correction
    lose(suite, held(represented, hold(claim_id)))
    resync(suite)
    suite.recover()
    found = suite.rows("SELECT state, outcome, authority FROM claims")
    assert found == [("VERIFIED", "INACCURATE_CONFIRMED", "CONFIRMED")]
    assert suite.rows("SELECT correction_id, version FROM corrections") == [(correction, 2)]
    assert suite.rows("SELECT kind FROM tasks WHERE done_time IS NULL") == [("RECOVERED_CLAIM",)]


def test_a_hold_that_ended_in_court_comes_back_as_it_ended(suite: Suite) -> None:
    claim_id, ended = new_uuid(), NOW - timedelta(days=1)
    stood = held(hold(claim_id, kind=Hold.COURT, ended_time=stamp(ended)))
    subject = lose(suite, stood)
    resync(suite)
    suite.recover()
    assert suite.rows("SELECT state FROM claims") == [("CLOSED",)]
    assert list(suite.vault.slices["demo", subject].holds) == list(stood.holds)


@pytest.mark.parametrize(("outcome", "state"), [(0, "PROVISIONAL"), (4, "RELEASED")])
def test_whoever_was_blocked_for_a_contact_is_known_again(
    suite: Suite, outcome: Any, state: str
) -> None:
    claim_id = suite.file(suite.vault.subject()).claim.claim_id
    shared = block(claim_id, ground=Block.INACCURATE_DATA, origin=Block.SAME_CONTACT)
    shared.outcome = outcome
    subject = lose(suite, held(shared))
    resync(suite)
    suite.recover()
    known = suite.rows("SELECT subject_id, state FROM same_contacts")
    assert known == [(subject, state)]
    assert list(suite.vault.slices["demo", subject].blocks) == [shared]


def test_a_contact_tells_of_no_claim_and_is_an_alarm_that_stays_with_the_vault(
    suite: Suite,
) -> None:
    subject = lose(suite, held(block(new_uuid(), origin=Block.SAME_CONTACT)))
    resync(suite)
    suite.recover(rounds=2)
    assert ("demo", subject) not in suite.vault.slices
    assert suite.metrics.alarms.labels("claims_lost")._value.get() == 1


def test_the_book_says_what_it_pushed(suite: Suite) -> None:
    """The slice, its acts and their evidence are written with what was put back."""
    claim_id = new_uuid()
    subject = lose(suite, held(block(claim_id), hold(claim_id)))
    resync(suite)
    suite.recover()
    acts = suite.rows("SELECT act_id, kind, enforcement FROM acts")
    assert [each[1:] for each in acts] == [("claim.recovered", "IN_FORCE")]
    (body,) = suite.rows("SELECT body FROM evidence_entries WHERE event = 'claim.recovered'")[0]
    assert acts[0][0] in body
    assert subject not in body

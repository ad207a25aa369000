# SPDX-License-Identifier: Apache-2.0
"""The rules of the push protocol, one by one."""

import pytest

from services.chassis.slices import (
    Answer,
    SliceVersion,
    Stamp,
    Step,
    Verdict,
    completes,
    judge,
    next_incarnation,
    next_step,
)


def stamp(incarnation: int, counter: int, digest: bytes = b"a") -> Stamp:
    return Stamp(SliceVersion(incarnation, counter), digest)


def test_versions_are_ordered_by_incarnation_then_counter() -> None:
    versions = [SliceVersion(2, 1), SliceVersion(1, 9), SliceVersion(1, 2)]
    assert sorted(versions) == [SliceVersion(1, 2), SliceVersion(1, 9), SliceVersion(2, 1)]


@pytest.mark.parametrize(
    ("current", "incoming", "highest", "expected"),
    [
        pytest.param(None, stamp(1, 1), 1, Verdict.APPLIED, id="first"),
        pytest.param(stamp(1, 1), stamp(1, 2), 1, Verdict.APPLIED, id="next"),
        pytest.param(stamp(1, 1), stamp(1, 7), 1, Verdict.APPLIED, id="with a gap"),
        pytest.param(stamp(1, 9), stamp(2, 1), 2, Verdict.APPLIED, id="new incarnation"),
        pytest.param(stamp(1, 2), stamp(1, 2), 1, Verdict.REPEAT, id="same bytes again"),
        pytest.param(stamp(1, 2), stamp(1, 2, b"b"), 1, Verdict.CONFLICT, id="other bytes"),
        pytest.param(stamp(1, 2), stamp(1, 1), 1, Verdict.STALE, id="older counter"),
        pytest.param(stamp(1, 2), stamp(1, 3), 2, Verdict.STALE, id="older incarnation"),
        pytest.param(stamp(1, 2), stamp(1, 2), 2, Verdict.STALE, id="repeat of a former life"),
        pytest.param(None, stamp(1, 1), 2, Verdict.STALE, id="first, of a former life"),
        pytest.param(stamp(1, 2), stamp(3, 1), 2, Verdict.CONFLICT, id="incarnation never given"),
    ],
)
def test_a_push_is_judged_by_its_version_and_digest(
    current: Stamp | None, incoming: Stamp, highest: int, expected: Verdict
) -> None:
    assert judge(current, incoming, highest, names_this_vault=True) is expected


@pytest.mark.parametrize("incoming", [stamp(1, 1), stamp(1, 2), stamp(1, 3), stamp(2, 1)])
def test_a_push_to_a_former_life_of_the_vault_needs_all(incoming: Stamp) -> None:
    verdict = judge(stamp(1, 2), incoming, 1, names_this_vault=False)
    assert verdict is Verdict.NEEDS_ALL


def test_a_new_incarnation_is_above_what_either_side_remembers() -> None:
    assert next_incarnation(4, 2) == 5
    assert next_incarnation(2, 4) == 5
    assert next_incarnation(0, 0) == 1


def test_a_resync_is_complete_only_for_both_present_lives() -> None:
    assert completes(True, 3, 3)
    assert not completes(True, 2, 3)
    assert not completes(False, 3, 3)


OWN = SliceVersion(2, 5)
NOW, BEFORE = "vault-b", "vault-a"


@pytest.mark.parametrize(
    ("sent", "answer", "expected"),
    [
        pytest.param((2, 5), (Verdict.APPLIED, NOW, 2, (2, 5)), Step.DONE, id="applied"),
        pytest.param((2, 4), (Verdict.APPLIED, NOW, 2, (2, 4)), Step.DONE, id="applied earlier"),
        pytest.param((2, 5), (Verdict.REPEAT, NOW, 2, (2, 5)), Step.DONE, id="repeat"),
        pytest.param((2, 4), (Verdict.STALE, NOW, 2, (2, 5)), Step.RETRY, id="overtaken"),
        pytest.param(
            (2, 5), (Verdict.STALE, NOW, 2, (2, 6)), Step.OPEN_INCARNATION, id="never pushed"
        ),
        pytest.param(
            (2, 5), (Verdict.STALE, NOW, 3, (2, 4)), Step.OPEN_INCARNATION, id="stray opening"
        ),
        pytest.param(
            (2, 5), (Verdict.STALE, NOW, 3, None), Step.OPEN_INCARNATION, id="nothing held"
        ),
        pytest.param(
            (2, 5), (Verdict.CONFLICT, NOW, 2, (2, 5)), Step.OPEN_INCARNATION, id="conflict"
        ),
        pytest.param((1, 5), (Verdict.APPLIED, NOW, 1, (1, 5)), Step.RETRY, id="own former life"),
        pytest.param((1, 5), (Verdict.CONFLICT, NOW, 1, (1, 5)), Step.RETRY, id="old conflict"),
        pytest.param(
            (2, 5), (Verdict.APPLIED, BEFORE, 2, (2, 5)), Step.RETRY, id="vault's former life"
        ),
        pytest.param(
            (2, 5), (Verdict.NEEDS_ALL, "vault-c", 1, None), Step.OPEN_INCARNATION, id="new vault"
        ),
        pytest.param(
            (1, 5), (Verdict.NEEDS_ALL, NOW, 2, (2, 5)), Step.RETRY, id="vault known by now"
        ),
    ],
)
def test_an_answer_settles_a_slice_only_within_the_present_lives(
    sent: tuple[int, int], answer: tuple[Verdict, str, int, tuple[int, int] | None], expected: Step
) -> None:
    verdict, vault, highest, current = answer
    held = None if current is None else SliceVersion(*current)
    step = next_step(SliceVersion(*sent), OWN, NOW, Answer(verdict, vault, highest, held))
    assert step is expected

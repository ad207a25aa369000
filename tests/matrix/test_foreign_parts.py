# SPDX-License-Identifier: Apache-2.0
"""A request for one's own that names another site's thing within: as if it named nothing (T1)."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.matrix.asking import ask, path_of
from tests.matrix.peers import methods_by_name
from tests.matrix.rows import row_of
from tests.matrix.things import BLOCKED, Thing, World, absent_thing, new_claim

METHODS = methods_by_name()
_READ = {"purpose": "IDENTIFY_FOR_ORDER"}


def _recipient(_own: Thing, strange: Thing) -> object:
    return {"recipientId": strange.recipient_id}


def _second_subject(own: Thing, strange: Thing) -> object:
    claim = new_claim(own.subject_id, blocks=True)
    return {"claim": {**claim, "subjectIds": [own.subject_id, strange.subject_id]}}


def _batch(own: Thing, strange: Thing) -> object:
    ids = (own.subject_id, strange.subject_id)
    return {"items": [{"subjectId": subject_id, **_READ} for subject_id in ids]}


def _verified_subject(_own: Thing, strange: Thing) -> object:
    return {"subjectId": strange.subject_id}


def _corrected_subject(_own: Thing, strange: Thing) -> object:
    return {
        "outcome": "INACCURATE_CONFIRMED",
        "correction": {"givenName": "Нұрлан"},
        "evidence": "Сверено.",
        "subjectId": strange.subject_id,
    }


def _with(body: Callable[[Thing, Thing], object], strange: Thing) -> Callable[[Thing], object]:
    return lambda own: body(own, strange)


CASES: dict[str, tuple[str, Callable[[Thing, Thing], object], int]] = {
    "DisclosureService.AssignOrder": ("storefront", _recipient, 404),
    "ClaimsService.FileClaim": ("storefront", _second_subject, 404),
    "VaultService.BatchReadData": ("storefront", _batch, 200),
    "VaultService.ReadForVerification": ("claimsOfficer", _verified_subject, 404),
    "ClaimsService.ConcludeVerification": ("claimsOfficer", _corrected_subject, 400),
}


@pytest.mark.parametrize("name", CASES)
def test_a_foreign_part_is_as_one_that_never_was(name: str, world: World) -> None:
    who, body, status = CASES[name]
    caller, method = world.callers[who], METHODS[name]
    own, other = (
        world.make("demo", blocked=name.startswith(("VaultService.ReadFor", "Claims"))),
        (world.things()["anotherSites"]),
    )
    foreign, absent = (
        ask(world.client, caller, method, replace(row_of(method), body=_with(body, strange)), own)
        for strange in (other, absent_thing())
    )
    assert foreign.status == status, foreign.content
    assert _without_entries(foreign.document) == _without_entries(absent.document)
    assert not any(each.encode() in foreign.content for each in other.ids)


def test_a_refused_claim_of_two_subjects_blocks_neither(world: World) -> None:
    own, other = world.make("demo"), world.make("other")
    method = METHODS["ClaimsService.FileClaim"]
    row = replace(row_of(method), body=lambda thing: _second_subject(thing, other))
    assert ask(world.client, world.callers["storefront"], method, row, own).status == 404
    standing = METHODS["VaultService.GetStanding"]
    for who, thing in (("storefront", own), ("otherStorefront", other)):
        told = ask(world.client, world.callers[who], standing, row_of(standing), thing).told
        assert told == "ACTIVE"


def test_a_verification_read_needs_the_claim_of_that_very_subject(world: World) -> None:
    method = METHODS["VaultService.ReadForVerification"]
    caller = world.callers["claimsOfficer"]
    first, second = (world.make("demo", blocked=True) for _ in range(2))
    crossed = replace(first, subject_id=second.subject_id)
    assert ask(world.client, caller, method, row_of(method), crossed).told == "NOT_FOUND"
    assert ask(world.client, caller, method, row_of(method), first).told == "OK"


def test_a_site_that_is_named_beside_a_key_has_to_be_its_own(world: World) -> None:
    method, own = METHODS["VaultService.ReadData"], world.things()[BLOCKED]
    for name, caller in world.callers.items():
        if not caller.is_known:
            continue
        strange = "other" if caller.site == "demo" else "demo"
        headers = {**caller.headers, "Qupia-Site": strange}
        verb, path = "POST", path_of(method, own)
        told: dict[str, Any] = world.client.request(verb, path, json=_READ, headers=headers).json()
        of_key = caller.role in ("STOREFRONT", "RECIPIENT", "PARTNER")
        assert told["code"] == ("PERMISSION_DENIED" if of_key else "UNAUTHENTICATED"), name


def _without_entries(value: Any) -> Any:
    """Without the ids that every answer has of its own."""
    if isinstance(value, dict):
        own = ("entryId", "reference")
        return {k: _without_entries(v) for k, v in value.items() if k not in own}
    if isinstance(value, list):
        return [_without_entries(each) for each in value]
    return value

# SPDX-License-Identifier: Apache-2.0
"""Ten requests at once under one Idempotency-Key: one effect, one answer (I7, R27)."""

import secrets
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from services.chassis.contract import Method, load_contract
from tests.chaos import preparing
from tests.chaos.books import duplicates, entries
from tests.chaos.preparing import NotPrepared, Request, prepare
from tests.harness.deep import cases
from tests.harness.suite import POLICY, USE, Suite
from tests.harness.waiting import awaited
from tests.matrix.asking import Answer, ask
from tests.matrix.rows import name_of
from tests.matrix.things import Thing, World, new_recipient

pytestmark = pytest.mark.long

# A package is picked up once, whoever asks again and under whichever key: tests/policy has it.
PICKED_UP = "PickUpAuthorityPackage"
MUTATING = [
    m for m in load_contract().methods.values() if m.http and m.mutates and m.name != PICKED_UP
]
RELEASES = ("DisclosureService.ReleaseDelivery", "DisclosureManifestService.ReleaseManifest")
# Nobody calls, so nobody's keys are theirs: a code and its key go together.
OF_NO_CALLER = "VaultAccessService.RedeemAccessCode"
# What `make test-long` asks of each process; `make test-deep` asks all.
_TYPICAL = (
    *RELEASES,
    OF_NO_CALLER,
    "ClaimsService.FileClaim",
    "ConsentService.GrantConsent",
    "ConsentService.RegisterSubject",
    "DisclosureService.RegisterOrder",
    "VaultService.StoreData",
)
_AT_ONCE = 10
# Refusals of the moment: whoever gets one asks again under the same key.
_LATER = ("UNAVAILABLE", "OVERLOADED", "IDEMPOTENCY_IN_PROGRESS", "DEADLINE_EXCEEDED")
_OTHER_BODIES: Mapping[str, object] = {
    "ConsentService.PublishPolicy": {**POLICY, "prevailingLanguage": "kk"},
    "ConsentService.RegisterSubject": {"use": {**USE, "page": "/elsewhere"}},
    "VaultKeyService.RotateKey": {"kind": "EPOCH"},
    "DisclosureAuthorityService.RegisterAuthority": {
        "authority": {"legalName": "Суд", "bin": "000140002217"}
    },
    "IncidentService.RegisterIncident": {
        "incident": {
            "kind": "LOST",
            "cause": "EMPLOYEE_ERROR",
            "intent": "UNKNOWN",
            "description": "Пропал журнал.",
        }
    },
    "DisclosureService.RegisterRecipient": {
        "recipient": {**new_recipient(), "agreement": "ДГ-2026/2"}
    },
}


def _is_deep(method: Method) -> bool:
    return name_of(method) not in _TYPICAL


@pytest.fixture(scope="module")
def world(suite: Suite) -> Iterator[World]:
    """Callers and things of both sites."""
    made = World(suite)
    yield made
    made.close()


def _settled(world: World, request: Request, key: str) -> Answer:
    headers = {"Idempotency-Key": key}

    def told() -> Answer | None:
        answer = ask(
            world.client, request.caller, request.method, request.row, request.thing, headers
        )
        return None if answer.told in _LATER else answer

    return awaited(told, "nobody is told how it ended")


@pytest.mark.parametrize("method", cases(MUTATING, name_of, _is_deep))
def test_ten_at_once_have_the_effect_of_one(method: Method, world: World) -> None:
    request, key = prepare(world, method), secrets.token_hex(16)
    before = Counter(entries(world.suite, method.process, method.evidence))
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        asked = [pool.submit(_settled, world, request, key) for _ in range(_AT_ONCE)]
        answers = [each.result() for each in asked]
    assert {answer.status for answer in answers} == {200}, [str(answer) for answer in answers]
    assert {answer.told for answer in answers} == {request.told}
    documents = [_lasting(answer.document, request.passing) for answer in answers]
    assert all(document == documents[0] for document in documents), documents
    written = Counter(entries(world.suite, method.process, method.evidence)) - before
    if name_of(method) in RELEASES:
        _check_ledger(world, request.thing)
        assert written == {"PERMITTED": _AT_ONCE}
    else:
        assert written == {"DONE": 1}
    if method.process != "vault":
        assert duplicates(world.suite, method.process) == []


def test_a_repeated_patch_that_changes_nothing_answers_as_the_first_time(world: World) -> None:
    request = prepare(world, next(m for m in MUTATING if m.name == "StoreData"))
    first, second, third = (secrets.token_hex(16) for _ in range(3))

    def named(name: str) -> Request:
        row = replace(request.row, body=lambda _: {"data": {"givenName": name}})
        return replace(request, row=row)

    assert _settled(world, named("Нұрлан"), first).document["version"] == 2
    nothing = _settled(world, named("Нұрлан"), second).document
    assert nothing["version"] == 2
    assert _settled(world, named("Нұрсұлтан"), third).document["version"] == 3
    assert _settled(world, named("Нұрлан"), second).document == nothing


@pytest.mark.parametrize(
    "method", cases((m for m in MUTATING if name_of(m) != OF_NO_CALLER), name_of, _is_deep)
)
def test_a_key_stands_for_one_request_only(method: Method, world: World) -> None:
    request, key = prepare(world, method), secrets.token_hex(16)
    first = _settled(world, request, key)
    assert (first.status, first.told) == (200, request.told), first.content
    before = entries(world.suite, method.process, method.evidence)
    other, name = prepare(world, method), name_of(method)
    if name in _OTHER_BODIES:
        other = replace(other, row=replace(other.row, body=lambda _: _OTHER_BODIES[name]))
    made = entries(world.suite, method.process, method.evidence)
    again = _settled(world, other, key)
    assert (again.status, again.told) == (422, "IDEMPOTENCY_KEY_REUSED"), again.content
    assert entries(world.suite, method.process, method.evidence) == made
    assert Counter(made) >= Counter(before)


def test_a_key_of_nobody_gives_one_code_nothing_of_another(world: World) -> None:
    method = next(m for m in MUTATING if name_of(m) == OF_NO_CALLER)
    first, other, key = prepare(world, method), prepare(world, method), secrets.token_hex(16)
    answers = [_settled(world, request, key).document for request in (first, other)]
    assert [answer["subjectId"] for answer in answers] == [
        request.thing.subject_id for request in (first, other)
    ]
    assert answers[0]["session"] != answers[1]["session"]
    assert _settled(world, first, secrets.token_hex(16)).told == "UNAUTHENTICATED"


def test_an_rpc_that_is_not_prepared_says_what_to_add(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    method = next(m for m in MUTATING if m.name == "ProposeLift")
    monkeypatch.setattr(preparing, "PREPARATIONS", {})
    with pytest.raises(NotPrepared, match=r"tests/chaos/preparing\.py a line"):
        prepare(world, method)


def test_what_is_typical_is_in_the_contract() -> None:
    assert set(_TYPICAL) <= {name_of(method) for method in MUTATING}


def test_what_is_prepared_is_in_the_contract() -> None:
    left = set(preparing.PREPARATIONS) - {name_of(method) for method in MUTATING}
    assert not left, f"PREPARATIONS in tests/chaos/preparing.py speak of RPCs that are gone: {left}"


def _check_ledger(world: World, thing: Thing) -> None:
    """A repeat of a release is decided on again and stands beside the first."""
    path = f"/v1/subjects/{thing.subject_id}/disclosures"
    lines = world.ask(world.callers["storefront"], "GET", path, None)["disclosures"]
    assert Counter(line["outcome"] for line in lines) == {"RELEASED": 1, "REPEAT": _AT_ONCE}


def _lasting(document: Any, passing: frozenset[str]) -> Any:
    """What every answer to the same request has to say alike."""
    if isinstance(document, Mapping):
        return {k: _lasting(v, passing) for k, v in document.items() if k not in passing}
    if isinstance(document, list):
        return [_lasting(each, passing) for each in document]
    return document

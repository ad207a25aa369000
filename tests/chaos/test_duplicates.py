# SPDX-License-Identifier: Apache-2.0
"""Ten requests at once under one Idempotency-Key: one effect, one answer (I7, R27)."""

import secrets
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cache
from typing import Any

import pytest

from services.chassis.contract import Method, load_contract
from tests.chaos.books import duplicates, entries
from tests.harness.suite import POLICY, USE, Suite
from tests.matrix.asking import Answer, ask
from tests.matrix.callers import Caller
from tests.matrix.rows import Row, name_of, row_of
from tests.matrix.things import Thing, World, new_recipient

MUTATING = [m for m in load_contract().methods.values() if m.http and m.mutates]
RELEASE = "DisclosureService.ReleaseDelivery"
_AT_ONCE = 10
_PATIENCE_SECONDS = 30.0
# Refusals of the moment: whoever gets one asks again under the same key.
_LATER = ("UNAVAILABLE", "OVERLOADED", "IDEMPOTENCY_IN_PROGRESS", "DEADLINE_EXCEEDED")
_CALLERS = {
    "STOREFRONT": "storefront",
    "CLAIMS_OFFICER": "claimsOfficer",
    # The one who did not register the recipient.
    "PRIVACY_OFFICER": "secondPrivacyOfficer",
    "RECIPIENT": "courier",
    "PARTNER": "partner",
}
# The thing's order has its courier already, and the same assignment again would be no act.
_ANOTHER_RECIPIENT = "DisclosureService.AssignOrder"
# Need the person's word for partners' sites.
_TOKENS = ("IssuePartnerToken", "RedeemPartnerToken")
_OTHER_BODIES: Mapping[str, object] = {
    "ConsentService.PublishPolicy": {**POLICY, "prevailingLanguage": "kk"},
    "ConsentService.RegisterSubject": {"use": {**USE, "page": "/elsewhere"}},
    "DisclosureService.RegisterRecipient": {
        "recipient": {**new_recipient(), "agreement": "ДГ-2026/2"}
    },
}


@pytest.fixture(scope="module")
def world(suite: Suite) -> Iterator[World]:
    """Callers and things of both sites."""
    made = World(suite)
    yield made
    made.close()


def _caller(world: World, method: Method) -> Caller:
    return next(
        world.callers[name] for role, name in _CALLERS.items() if role in (method.roles or ())
    )


def _thing(world: World, method: Method) -> Thing:
    thing = world.make("demo", blocked=method.name == "ConcludeVerification")
    if method.name in _TOKENS:
        path = f"/v1/subjects/{thing.subject_id}/consents/PARTNER_SITES:grant"
        body = {"language": "ru", "wording": "Хочу"}
        granted = world.ask(world.callers["storefront"], "POST", path, body)
        assert granted["enforcement"] == "IN_FORCE"
    return thing


def _row(world: World, method: Method) -> Row:
    """The RPC's row; what redeems does so with one token for each thing."""
    if method.name != "RedeemPartnerToken":
        return row_of(method)

    @cache
    def body(thing: Thing) -> object:
        path = f"/v1/subjects/{thing.subject_id}/partner-tokens"
        return {"token": world.ask(world.callers["storefront"], "POST", path, {})["token"]}

    return replace(row_of(method), body=body)


def _fixed(world: World, method: Method, thing: Thing) -> Row:
    """The RPC's row with one body for all requests."""
    row = _row(world, method)
    body = row.body(thing) if row.body else {}
    if name_of(method) == _ANOTHER_RECIPIENT:
        body = {"recipientId": world.callers["otherCourier"].recipient_id}
    return replace(row, body=lambda _: body)


def _settled(
    world: World, caller: Caller, method: Method, row: Row, thing: Thing, key: str
) -> Answer:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        answer = ask(world.client, caller, method, row, thing, {"Idempotency-Key": key})
        if answer.told not in _LATER or time.monotonic() > deadline:
            return answer


@pytest.mark.parametrize("method", MUTATING, ids=name_of)
def test_ten_at_once_have_the_effect_of_one(method: Method, world: World) -> None:
    thing, caller, key = _thing(world, method), _caller(world, method), secrets.token_hex(16)
    row = _fixed(world, method, thing)
    before = Counter(entries(world.suite, method.process, method.evidence))
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        asked = [
            pool.submit(_settled, world, caller, method, row, thing, key) for _ in range(_AT_ONCE)
        ]
        answers = [each.result() for each in asked]
    assert {answer.status for answer in answers} == {200}, [str(answer) for answer in answers]
    documents = [_lasting(answer.document) for answer in answers]
    assert all(document == documents[0] for document in documents)
    written = Counter(entries(world.suite, method.process, method.evidence)) - before
    if name_of(method) == RELEASE:
        _check_ledger(world, thing)
        assert written == {"PERMITTED": _AT_ONCE}
    else:
        assert written == {"DONE": 1}
    if method.process != "vault":
        assert duplicates(world.suite, method.process) == []


def test_a_repeated_patch_that_changes_nothing_answers_as_the_first_time(world: World) -> None:
    method = next(m for m in MUTATING if m.name == "StoreData")
    thing, caller, row = _thing(world, method), _caller(world, method), row_of(method)
    first, second = secrets.token_hex(16), secrets.token_hex(16)
    row = replace(row, body=lambda _: {"data": {"givenName": "Нұрлан"}})
    assert _settled(world, caller, method, row, thing, first).document["version"] == 2
    nothing = _settled(world, caller, method, row, thing, second).document
    assert nothing["version"] == 2
    third = replace(row, body=lambda _: {"data": {"givenName": "Нұрсұлтан"}})
    key = secrets.token_hex(16)
    assert _settled(world, caller, method, third, thing, key).document["version"] == 3
    assert _settled(world, caller, method, row, thing, second).document == nothing


@pytest.mark.parametrize("method", MUTATING, ids=name_of)
def test_a_key_stands_for_one_request_only(method: Method, world: World) -> None:
    thing, caller, row = _thing(world, method), _caller(world, method), _row(world, method)
    key = secrets.token_hex(16)
    first = _settled(world, caller, method, row, thing, key)
    assert first.status == 200, first.content
    before = entries(world.suite, method.process, method.evidence)
    name = name_of(method)
    if name in _OTHER_BODIES:
        row = replace(row, body=lambda _: _OTHER_BODIES[name])
    other = _thing(world, method)
    made = entries(world.suite, method.process, method.evidence)
    again = _settled(world, caller, method, row, other, key)
    assert (again.status, again.told) == (422, "IDEMPOTENCY_KEY_REUSED"), again.content
    assert entries(world.suite, method.process, method.evidence) == made
    assert Counter(made) >= Counter(before)


def _check_ledger(world: World, thing: Thing) -> None:
    """A repeat of a release is decided on again and stands beside the first."""
    path = f"/v1/subjects/{thing.subject_id}/disclosures"
    lines = world.ask(world.callers["storefront"], "GET", path, None)["disclosures"]
    assert Counter(line["outcome"] for line in lines) == {"RELEASED": 1, "REPEAT": _AT_ONCE}


def _lasting(document: Mapping[str, Any]) -> Mapping[str, Any]:
    """What every answer to the same request has to say alike; a release has an id each time."""
    return {k: v for k, v in document.items() if k not in ("releaseId", "releaseTime")}

# SPDX-License-Identifier: Apache-2.0
"""A claim filed while the vault is away is recorded, and comes into force by itself (6.2.3)."""

import itertools
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from cli.postgres import DatabaseAccess
from qupia.claims.v1 import claims_pb2
from qupia.contract.v1 import contract_pb2
from qupia.subject.v1 import subject_pb2
from services.chassis.clock import SystemClock
from services.chassis.decider import pusher
from services.chassis.decider.dispatcher import Dispatcher
from services.chassis.ids import new_subject_id, new_uuid
from services.chassis.refusal import InvalidArgument, Unavailable
from services.claims import store_acts
from services.claims.wire import instant
from services.claims.wire_vault import Vault
from tests.claims.suite import Suite, new_claim
from tests.harness.waiting import awaited

State = subject_pb2.Enforcement


@pytest.fixture
def running(empty: DatabaseAccess) -> Iterator[Suite]:
    """The service with its dispatcher, on the machine's clock."""
    suite = Suite(empty.runtime_url, SystemClock())
    suite.meet_the_vault()
    dispatcher = Dispatcher(
        suite.database,
        suite.pusher,
        Vault(suite.vault).complete_resync,
        suite.clock,
        suite.metrics,
        suite.log,
    )
    dispatcher.start()
    yield suite
    dispatcher.stop()
    suite.database.close()


@pytest.mark.parametrize(("given", "waited"), [(30.0, 6.0), (1.5, 1.0)])
def test_who_acts_waits_for_the_vault_no_longer_than_is_set_or_than_the_call_has(
    suite: Suite, given: float, waited: float
) -> None:
    request = claims_pb2.FileClaimRequest(claim=new_claim(suite.vault.subject()))
    suite.ask("FileClaim", request, suite.storefront(), seconds=given)
    assert suite.vault.waits["ApplyClaimsSlice"] == pytest.approx(waited, abs=0.4)


def test_a_claim_filed_while_the_vault_is_away_comes_into_force_by_itself(running: Suite) -> None:
    subject, key = running.vault.subject(), new_uuid()
    running.vault.up = False
    answer = running.file(subject, request_id=key)
    assert answer.enforcement == answer.claim.enforcement == State.PENDING
    assert running.file(subject, request_id=key).enforcement == State.PENDING
    request = claims_pb2.GetActRequest(act_id=answer.act_id)
    assert running.ask("GetAct", request, running.storefront()).act.enforcement == State.PENDING
    running.vault.up = True

    def ended() -> Any:
        act = running.ask("GetAct", request, running.storefront()).act
        return None if act.enforcement == State.PENDING else act

    act = awaited(ended, "the act stays pending")
    assert act.enforcement == State.IN_FORCE
    assert instant(act.in_force_time) > instant(act.recorded_time)
    read = claims_pb2.GetClaimRequest(claim_id=answer.claim.claim_id)
    assert running.ask("GetClaim", read, running.storefront()).claim.enforcement == State.IN_FORCE
    assert len(running.vault.slices["demo", subject].blocks) == 1


def test_one_pending_subject_keeps_the_claim_pending(suite: Suite) -> None:
    first, second = suite.vault.subject(), suite.vault.subject()
    suite.file(first)
    suite.vault.looks_up = False
    suite.vault.refuses["ApplyClaimsSlices"] = Unavailable()
    answer = suite.file(first, second)
    assert answer.enforcement == State.PENDING
    del suite.vault.refuses["ApplyClaimsSlices"]
    suite.pusher.push(store_acts.key_of("demo", first), 1)
    read = claims_pb2.GetClaimRequest(claim_id=answer.claim.claim_id)
    assert suite.ask("GetClaim", read, suite.person()).claim.enforcement == State.PENDING
    suite.pusher.push(store_acts.key_of("demo", second), 1)
    assert suite.ask("GetClaim", read, suite.person()).claim.enforcement == State.IN_FORCE


def test_a_claim_about_an_unknown_subject_is_refused_in_the_end_where_the_vault_was_away(
    suite: Suite,
) -> None:
    suite.vault.looks_up = False
    answer = suite.file(new_subject_id())
    assert answer.enforcement == State.REFUSED
    act = suite.ask(
        "GetAct", claims_pb2.GetActRequest(act_id=answer.act_id), suite.storefront()
    ).act
    assert act.reason == contract_pb2.Refusal.NOT_FOUND
    # Its documents go under the claim's own key, so that they are not lost.
    owners = [place.owner_id for place, _ in suite.vault.documents.values()]
    assert owners == [answer.claim.claim_id] * 2


def test_slices_that_are_tried_alone_share_the_time_of_all(
    suite: Suite, monkeypatch: pytest.MonkeyPatch
) -> None:
    subjects = [suite.vault.subject() for _ in range(8)]
    suite.vault.up = False
    suite.file(*subjects)
    suite.vault.up = True
    suite.vault.refuses["ApplyClaimsSlices"] = InvalidArgument()
    suite.vault.asked.clear()
    ticks = itertools.count()
    monkeypatch.setattr(pusher, "time", SimpleNamespace(monotonic=lambda: next(ticks)))
    keys = [store_acts.key_of("demo", each) for each in subjects]
    confirmed = suite.pusher.push_all(keys, 6.0)
    assert 0 < len(confirmed) == suite.vault.asked.count("ApplyClaimsSlice") < 8
    waiting = suite.rows("SELECT subject_id FROM outbox WHERE attempts > 1")
    assert {subject for (subject,) in waiting} == {*subjects} - {k.subject_id for k in confirmed}

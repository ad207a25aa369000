# SPDX-License-Identifier: Apache-2.0
"""A vault that is killed or frozen: acts are recorded and PENDING, nothing is served, and all comes
into force by itself within ten seconds of its return (6.2.3, I6)."""

import secrets
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from services.chassis.ids import new_uuid
from tests.harness.suite import Suite
from tests.matrix.things import new_data

pytestmark = pytest.mark.long

NAME = "Нұрсұлтан"
_READ = {"purpose": "IDENTIFY_FOR_ORDER"}
_NEWS = {"purpose": "NEWS"}
_IN_FORCE_SECONDS = 30.0


@contextmanager
def _without_vault(suite: Suite, kind: str) -> Iterator[None]:
    """Within, the vault is `frozen` or `killed`; afterwards it serves again."""
    if kind == "killed":
        with suite.unattended():
            killed = suite.kill("vault")
            yield
        suite.await_back("vault", killed)
        return
    suite.stop_process("vault")
    try:
        yield
    finally:
        suite.continue_process("vault")


@dataclass
class Acts:
    """What was asked during an outage, by name: the answer, and where to poll."""

    suite: Suite
    answers: dict[str, httpx.Response] = field(default_factory=dict)

    def ask(self, requests: dict[str, tuple[str, object]]) -> None:
        """POSTs all at once as the storefront."""
        storefront = self.suite.as_("storefront")
        with ThreadPoolExecutor(len(requests)) as pool:
            asked = {
                name: pool.submit(storefront.post, path, json=body)
                for name, (path, body) in requests.items()
            }
            self.answers = {name: each.result() for name, each in asked.items()}

    def act(self, name: str) -> dict[str, Any]:
        """The act as it stands."""
        location = self.answers[name].headers["location"]
        answer = self.suite.as_("storefront").get(location)
        assert answer.status_code == 200, answer.text
        act: dict[str, Any] = answer.json()["act"]
        return act


@pytest.mark.parametrize("kind", [pytest.param("frozen", marks=pytest.mark.deep), "killed"])
def test_acts_during_an_outage_are_recorded_and_come_into_force_by_themselves(
    mortal: Suite, kind: str
) -> None:
    claimed, withdrawn, left, buyer, done = (mortal.new_subject(new_data()) for _ in range(5))
    grant = f"/v1/subjects/{withdrawn}/consents/NEWS:grant"
    wording = {"language": "ru", "wording": "Хочу новости"}
    assert mortal.as_("storefront").post(grant, json=wording).status_code == 200
    assert _read(mortal, withdrawn, _NEWS).status_code == 200
    order_id, (closed_id, _) = f"P-{secrets.token_hex(6)}", mortal.new_order(done)
    acts = Acts(mortal)
    with _without_vault(mortal, kind):
        acts.ask(
            {
                "claim": ("/v1/claims", {"claim": _claim(claimed)}),
                "withdrawal": (f"/v1/subjects/{withdrawn}/consents/NEWS:withdraw", {}),
                "disagreement": (f"/v1/subjects/{left}/policy:reject", {}),
                "order": ("/v1/orders", {"order": {"orderId": order_id, "subjectId": buyer}}),
                "closing": (f"/v1/orders/{closed_id}:close", {}),
            }
        )
        for name, answer in acts.answers.items():
            assert answer.status_code == 202, f"{name}: {answer.text}"
            assert answer.json()["enforcement"] == "PENDING"
            assert acts.act(name)["enforcement"] == "PENDING"
        _check_nothing_is_served(mortal, [claimed, withdrawn, left, buyer])
        _check_nobody_else_sees(acts)
        claim_id = acts.answers["claim"].json()["claim"]["claimId"]
        filed = mortal.as_("storefront").get(f"/v1/claims/{claim_id}").json()["claim"]
        assert (filed["state"], filed["enforcement"]) == ("RECEIVED", "PENDING")
        assert _order(mortal, order_id)["state"] == "PENDING"
        assert mortal.as_("").get("/healthz").status_code == 503
    _await_force(acts)
    _check_what_stands(mortal, claimed, withdrawn, left)
    assert _order(mortal, order_id)["state"] == "OPEN"
    assert _order(mortal, closed_id)["state"] == "CLOSED"


def test_a_grant_during_an_outage_is_no_consent_before_the_vault_has_said_so(
    mortal: Suite,
) -> None:
    subject_id, gone = (mortal.new_subject(new_data()) for _ in range(2))
    rejected = mortal.as_("storefront").post(f"/v1/subjects/{gone}/policy:reject", json={})
    assert rejected.json()["enforcement"] == "IN_FORCE"
    acts = Acts(mortal)
    with _without_vault(mortal, "frozen"):
        body = {"language": "ru", "wording": "Хочу новости"}
        order = {"orderId": f"P-{secrets.token_hex(6)}", "subjectId": gone}
        acts.ask(
            {
                "grant": (f"/v1/subjects/{subject_id}/consents/NEWS:grant", body),
                "refused order": ("/v1/orders", {"order": order}),
            }
        )
        assert {answer.status_code for answer in acts.answers.values()} == {202}
    deadline = time.monotonic() + _IN_FORCE_SECONDS
    while "PENDING" in {acts.act(name)["enforcement"] for name in acts.answers}:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert acts.act("grant")["enforcement"] == "IN_FORCE"
    assert _read(mortal, subject_id, _NEWS).status_code == 200
    refused = acts.act("refused order")
    assert (refused["enforcement"], refused["reason"]) == ("REFUSED", "POLICY_DISAGREED")
    assert _order(mortal, str(order["orderId"]))["state"] == "REFUSED"


def _claim(subject_id: str) -> dict[str, object]:
    return {
        "subjectIds": [subject_id],
        "kind": "INACCURATE_DATA",
        "claimant": "SUBJECT",
        "statement": "Данные неверны.",
        "demand": "Исправить.",
        "language": "ru",
    }


def _read(suite: Suite, subject_id: str, body: object = _READ) -> httpx.Response:
    return suite.as_("storefront").post(f"/v1/subjects/{subject_id}/data:read", json=body)


def _order(suite: Suite, order_id: str) -> dict[str, Any]:
    order: dict[str, Any] = suite.as_("storefront").get(f"/v1/orders/{order_id}").json()["order"]
    return order


def _check_nothing_is_served(suite: Suite, subjects: list[str]) -> None:
    with ThreadPoolExecutor(len(subjects)) as pool:
        for answer in pool.map(lambda subject_id: _read(suite, subject_id), subjects):
            assert answer.status_code in (503, 504), answer.text
            assert answer.json()["code"] in ("UNAVAILABLE", "DEADLINE_EXCEEDED")
            assert NAME not in answer.text


def _check_nobody_else_sees(acts: Acts) -> None:
    """For another site a pending act is one that never was."""
    stranger = acts.suite.as_("otherStorefront")
    for answer in acts.answers.values():
        location = answer.headers["location"]
        seen = stranger.get(location)
        never = stranger.get(f"{location.rpartition('/')[0]}/{new_uuid()}")
        assert (seen.status_code, seen.json()["code"]) == (404, "NOT_FOUND")
        assert _but_reference(seen) == _but_reference(never)


def _but_reference(answer: httpx.Response) -> bytes:
    return answer.content.replace(str(answer.json()["reference"]).encode(), b"")


def _await_force(acts: Acts) -> None:
    deadline = time.monotonic() + _IN_FORCE_SECONDS
    for name in acts.answers:
        while (act := acts.act(name))["enforcement"] != "IN_FORCE":
            assert time.monotonic() < deadline, f"{name} is {act} after {_IN_FORCE_SECONDS:.0f} s"
            time.sleep(0.05)
        assert act["inForceTime"] > act["recordedTime"]


def _check_what_stands(suite: Suite, claimed: str, withdrawn: str, left: str) -> None:
    for subject_id, body, code in (
        (claimed, _READ, "SUBJECT_BLOCKED"),
        (withdrawn, _NEWS, "CONSENT_WITHDRAWN"),
        (left, _READ, "POLICY_DISAGREED"),
    ):
        assert _read(suite, subject_id, body).json()["code"] == code
    assert _read(suite, withdrawn).status_code == 200

# SPDX-License-Identifier: Apache-2.0
"""A database that is set back to an earlier state: no block of an acknowledged claim is lost, and
a vault that was set back serves nobody before it has heard all deciders again."""

import secrets
import time
from dataclasses import dataclass

import httpx
import pytest

from tests.chaos.backup import AnotherDatabase, Backup, SameDatabase, without
from tests.harness.suite import Suite
from tests.harness.waiting import wait_until
from tests.matrix.things import new_data

pytestmark = pytest.mark.long

NAME = "Нұрсұлтан"
_ORDER_STATUS = "ORDER_STATUS"
_QUIET_SECONDS = 1.5


@dataclass
class People:
    """Those to whom something happens after the backup, and one to whom nothing does."""

    suite: Suite
    order_id: str
    claimed: str
    guest: str
    cleared: str
    cleared_claim: str
    withdrawn: str
    buyer: str
    quiet: str

    @classmethod
    def before(cls, suite: Suite) -> "People":
        """What stands at the time of the backup."""
        made = [suite.new_subject(new_data()) for _ in range(5)]
        shared = new_data()
        made[0], guest = suite.new_subject(shared), suite.new_subject(shared)
        claimed, cleared, withdrawn, buyer, quiet = made
        claim_id = suite.new_claim(cleared)
        _consent(suite, withdrawn, "grant", {"language": "ru", "wording": "Хочу"})
        order_id = f"R-{secrets.token_hex(6)}"
        return cls(suite, order_id, claimed, guest, cleared, claim_id, withdrawn, buyer, quiet)

    def go_on(self) -> None:
        """What is acknowledged after it."""
        storefront, officer = self.suite.as_("storefront"), self.suite.as_("claimsOfficer")
        self.suite.new_claim(self.claimed)
        _consent(self.suite, self.withdrawn, "withdraw", {})
        order = {"order": {"orderId": self.order_id, "subjectId": self.buyer}}
        _in_force(storefront.post("/v1/orders", json=order))
        path = f"/v1/claims/{self.cleared_claim}:concludeVerification"
        outcome = {"outcome": "NOT_CONFIRMED", "evidence": "Сверено."}
        _in_force(officer.post(path, json=outcome))

    def check(self) -> None:
        """All that was acknowledged holds."""
        assert _told(self.suite, self.claimed) == "SUBJECT_BLOCKED"
        # Who has the same contact was blocked with them, by the vault itself.
        assert _told(self.suite, self.guest) == "SUBJECT_BLOCKED"
        assert _told(self.suite, self.withdrawn, "NEWS") == "CONSENT_WITHDRAWN"
        assert _told(self.suite, self.withdrawn) == "OK"
        assert _told(self.suite, self.buyer, _ORDER_STATUS, self.order_id) == "OK"
        assert _told(self.suite, self.cleared) == "OK"
        assert _told(self.suite, self.quiet) == "OK"


def _consent(suite: Suite, subject_id: str, act: str, body: object) -> None:
    path = f"/v1/subjects/{subject_id}/consents/NEWS:{act}"
    _in_force(suite.as_("storefront").post(path, json=body))


def _in_force(answer: httpx.Response) -> None:
    assert answer.status_code == 200, answer.text
    assert answer.json()["enforcement"] == "IN_FORCE"


def _told(
    suite: Suite, subject_id: str, purpose: str = "IDENTIFY_FOR_ORDER", reference: str = ""
) -> str:
    body = {"purpose": purpose} | ({"reference": reference} if reference else {})
    answer = suite.as_("storefront").post(f"/v1/subjects/{subject_id}/data:read", json=body)
    if answer.status_code == 200:
        assert answer.json()["data"]["givenName"] == NAME
        return "OK"
    assert NAME not in answer.text
    return str(answer.json()["code"])


def _await_told(
    suite: Suite, subject_id: str, code: str, purpose: str = "IDENTIFY_FOR_ORDER"
) -> None:
    def is_told() -> bool:
        told = _told(suite, subject_id, purpose)
        assert told in (code, "UNAVAILABLE", "DEADLINE_EXCEEDED", "VAULT_NOT_READY"), told
        return told == code

    wait_until(is_told, f"a read is not told {code}")


@pytest.mark.parametrize(
    "backup",
    [
        pytest.param(AnotherDatabase(), id="replaced", marks=pytest.mark.deep),
        pytest.param(SameDatabase(), id="in place"),
    ],
)
def test_a_vault_that_was_set_back_serves_nobody_before_it_has_heard_all(
    own_suite: Suite, backup: Backup
) -> None:
    people = People.before(own_suite)
    with without(own_suite, "vault"):
        backup.take(own_suite, "vault")
    _await_told(own_suite, people.quiet, "OK")
    people.go_on()
    people.check()
    own_suite.stop_process("claims")
    try:
        with without(own_suite, "vault"):
            backup.restore(own_suite, "vault")
        _await_told(own_suite, people.quiet, "VAULT_NOT_READY")
        until = time.monotonic() + _QUIET_SECONDS
        while time.monotonic() < until:
            for subject_id in (people.claimed, people.withdrawn, people.quiet):
                assert _told(own_suite, subject_id) == "VAULT_NOT_READY"
            time.sleep(0.1)
    finally:
        own_suite.continue_process("claims")
    _await_told(own_suite, people.quiet, "OK")
    people.check()


def test_a_book_of_claims_that_was_set_back_lifts_no_block(own_suite: Suite) -> None:
    subject_id = own_suite.new_subject(new_data())
    backup = AnotherDatabase()
    with without(own_suite, "claims"):
        backup.take(own_suite, "claims")
    _await_health(own_suite)
    own_suite.new_claim(subject_id)
    assert _told(own_suite, subject_id) == "SUBJECT_BLOCKED"
    with without(own_suite, "claims"):
        backup.restore(own_suite, "claims")
    _await_health(own_suite)
    # A claim after the loss is a slice without the block that the vault holds: it is carried on.
    own_suite.new_claim(subject_id, kind="OTHER")
    _await_told(own_suite, subject_id, "SUBJECT_BLOCKED")
    alarm = 'qupia_alarms_total{kind="restriction_carried"}'
    wait_until(lambda: alarm in own_suite.metrics("claims"), "no alarm")


def test_a_book_of_consents_that_was_set_back_is_mended_with_what_the_vault_carried(
    own_suite: Suite,
) -> None:
    subject_id = own_suite.new_subject(new_data())
    _consent(own_suite, subject_id, "grant", {"language": "ru", "wording": "Хочу"})
    backup = AnotherDatabase()
    with without(own_suite, "consent"):
        backup.take(own_suite, "consent")
    _await_health(own_suite)
    _consent(own_suite, subject_id, "withdraw", {})
    with without(own_suite, "consent"):
        backup.restore(own_suite, "consent")
    _await_told(own_suite, subject_id, "CONSENT_WITHDRAWN", "NEWS")
    path = f"/v1/subjects/{subject_id}/consents"
    wait_until(
        lambda: _states(own_suite, path).get("NEWS") == "WITHDRAWN",
        lambda: f"the consents are {_states(own_suite, path)}",
    )
    _await_told(own_suite, subject_id, "CONSENT_WITHDRAWN", "NEWS")


def _states(suite: Suite, path: str) -> dict[str, str]:
    answer = suite.as_("storefront").get(path)
    consents = answer.json().get("consents", []) if answer.status_code == 200 else []
    return {each["purpose"]: each["state"] for each in consents}


def _await_health(suite: Suite) -> None:
    wait_until(suite.healthy, "the suite is not healthy")

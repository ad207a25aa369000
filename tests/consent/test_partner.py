# SPDX-License-Identifier: Apache-2.0
"""Click-through tokens: they name nobody, work once, and end (clauses 2.3, 4.1.12)."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from qupia.consent.v1 import consent_pb2
from qupia.subject.v1 import subject_pb2
from services.chassis.refusal import (
    ConsentRequired,
    ConsentWithdrawn,
    NotAvailable,
    NotFound,
    PermissionDenied,
    PolicyDisagreed,
)
from services.consent.partner_token import LIFE
from tests.consent.suite import Suite

PARTNER_SITES = subject_pb2.Purpose.PARTNER_SITES


def issue(suite: Suite, person: str, key: str = "", **more: Any) -> Any:
    request = consent_pb2.IssuePartnerTokenRequest(subject_id=person, request_id=key)
    return suite.ask(request, consent_pb2.IssuePartnerTokenResponse, **more)


def redeem(suite: Suite, token: str, key: str = "", role: str = "PARTNER", **more: Any) -> Any:
    request = consent_pb2.RedeemPartnerTokenRequest(token=token, request_id=key)
    return suite.ask(request, consent_pb2.RedeemPartnerTokenResponse, role=role, **more)


@pytest.fixture
def person(suite: Suite) -> str:
    """Somebody who consented to partners' sites."""
    suite.publish()
    subject_id = suite.register().subject_id
    suite.grant(subject_id, PARTNER_SITES)
    return subject_id


def test_a_token_names_nobody_and_is_kept_by_its_digest_only(suite: Suite, person: str) -> None:
    token = issue(suite, person).token
    assert person not in token
    with suite.database.transaction() as connection:
        rows = connection.exec_driver_sql("SELECT * FROM partner_tokens").all()
    assert not any(token in str(row) for row in rows)
    assert not any(token in body for body in suite.evidence())


def test_a_token_works_once(suite: Suite, person: str) -> None:
    token = issue(suite, person).token
    assert redeem(suite, token).HasField("redeem_time")
    with pytest.raises(NotAvailable):
        redeem(suite, token)
    refused = json.loads(suite.evidence()[-1])
    assert (refused["event"], refused["reason"], refused["clause"]) == (
        "partner_token.redeemed",
        "STATE_CONFLICT",
        "4.1.12",
    )


def test_the_answer_tells_nothing_of_the_person() -> None:
    fields = [f.name for f in consent_pb2.RedeemPartnerTokenResponse.DESCRIPTOR.fields]
    assert fields == ["redeem_time"]


def test_of_many_at_once_one_redeems(suite: Suite, person: str) -> None:
    token = issue(suite, person).token

    def attempt(_: int) -> bool:
        try:
            redeem(suite, token)
        except NotAvailable:
            return False
        return True

    with ThreadPoolExecutor(6) as threads:
        assert sum(threads.map(attempt, range(6))) == 1


def test_the_same_request_gets_the_same_answer(suite: Suite, person: str) -> None:
    first = issue(suite, person, "issue-1")
    assert issue(suite, person, "issue-1") == first
    assert issue(suite, person, "issue-2").token != first.token
    redeemed = redeem(suite, first.token, "redeem-1")
    assert redeem(suite, first.token, "redeem-1") == redeemed


def test_a_token_ends(suite: Suite, person: str) -> None:
    suite.clock.instant = datetime.now(UTC) + timedelta(days=1)
    answer = issue(suite, person)
    assert answer.expire_time.ToDatetime(UTC) == suite.clock.instant + LIFE
    suite.clock.instant += LIFE
    with pytest.raises(NotAvailable):
        redeem(suite, answer.token)


def test_without_consent_there_is_no_token(suite: Suite) -> None:
    suite.publish()
    subject_id = suite.register().subject_id
    with pytest.raises(ConsentRequired) as refused:
        issue(suite, subject_id)
    assert refused.value.clause == "4.1.12"
    suite.grant(subject_id, PARTNER_SITES)
    suite.withdraw(subject_id, PARTNER_SITES)
    with pytest.raises(ConsentWithdrawn):
        issue(suite, subject_id)


def test_a_grant_that_is_not_yet_in_force_gives_no_token(suite: Suite) -> None:
    suite.publish()
    subject_id = suite.register().subject_id
    suite.vault.absent = True
    suite.grant(subject_id, PARTNER_SITES)
    with pytest.raises(ConsentRequired):
        issue(suite, subject_id)


def test_after_disagreement_there_is_no_token(suite: Suite, person: str) -> None:
    suite.reject(person)
    with pytest.raises(PolicyDisagreed):
        issue(suite, person)


def test_a_withdrawal_ends_the_tokens_that_are_out(suite: Suite, person: str) -> None:
    token = issue(suite, person).token
    suite.withdraw(person, PARTNER_SITES)
    with pytest.raises(NotAvailable):
        redeem(suite, token)


@pytest.mark.parametrize("token", ["qt_nobodys", "x" * 64])
def test_nobodys_token_and_another_sites_look_alike(suite: Suite, person: str, token: str) -> None:
    with pytest.raises(NotAvailable):
        redeem(suite, token)
    with pytest.raises(NotAvailable):
        redeem(suite, issue(suite, person).token, site="s-elsewhere")
    with pytest.raises(NotFound):
        issue(suite, person, site="s-elsewhere")


def test_a_partner_may_do_nothing_else(suite: Suite, person: str) -> None:
    with pytest.raises(PermissionDenied):
        issue(suite, person, role="PARTNER")
    request = consent_pb2.GetPolicyInForceRequest()
    with pytest.raises(PermissionDenied):
        suite.ask(request, consent_pb2.GetPolicyInForceResponse, role="PARTNER")
    with pytest.raises(PermissionDenied):
        redeem(suite, "x", role="STOREFRONT")

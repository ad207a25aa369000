# SPDX-License-Identifier: Apache-2.0
"""Policy versions through the service (clauses 9.1, 9.2)."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy

from cli.postgres import DatabaseAccess
from qupia.consent.v1 import consent_pb2
from qupia.subject.v1 import subject_pb2
from services.chassis.refusal import (
    IdempotencyKeyReused,
    InvalidArgument,
    NoPolicyInForce,
    NotFound,
    PermissionDenied,
    StateConflict,
)
from services.consent.policy import PolicyText, digest
from tests.consent.suite import Suite

Purpose = subject_pb2.Purpose
IN_FORCE = subject_pb2.Enforcement.IN_FORCE
PENDING = subject_pb2.Enforcement.PENDING
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def get(suite: Suite, version: int, role: str = "STOREFRONT") -> consent_pb2.Policy:
    request = consent_pb2.GetPolicyRequest(version=version)
    return suite.ask(request, consent_pb2.GetPolicyResponse, role=role).policy


def in_force(suite: Suite, at: datetime | None = None) -> int:
    request = consent_pb2.GetPolicyInForceRequest()
    if at is not None:
        request.at_time.FromDatetime(at)
    return suite.ask(request, consent_pb2.GetPolicyInForceResponse).policy.version


def faults(error: pytest.ExceptionInfo[InvalidArgument]) -> set[tuple[str, str]]:
    return {(f.field, f.rule) for f in error.value.fields}


def test_a_version_without_a_date_is_in_force_at_once(suite: Suite) -> None:
    answer = suite.publish()
    policy = answer.policy
    assert (policy.version, answer.enforcement) == (1, IN_FORCE)
    assert policy.effective_time == policy.publish_time
    assert policy.prevailing_language == "ru"
    assert in_force(suite) == 1


def test_the_digest_can_be_checked_from_the_texts_that_are_returned(suite: Suite) -> None:
    suite.publish(body="Бірінші\r\nи\u0306")
    policy = get(suite, 1)
    texts = [PolicyText(t.language, t.title, t.body) for t in policy.texts]
    assert [t.language for t in texts] == ["kk", "ru"]
    assert texts[0].body == "Бірінші\nй"
    assert policy.sha256 == digest(policy.version, policy.prevailing_language, texts)


def test_a_date_in_the_past_is_refused_and_named(suite: Suite) -> None:
    suite.clock.instant = NOON
    with pytest.raises(InvalidArgument) as error:
        suite.publish(NOON - timedelta(microseconds=1))
    assert faults(error) == {("effectiveTime", "not_past")}
    with pytest.raises(NoPolicyInForce):
        in_force(suite)


def test_the_former_version_stays_until_the_date_of_the_new_one(suite: Suite) -> None:
    suite.clock.instant = NOON
    suite.publish()
    suite.publish(NOON + timedelta(days=7))
    at = NOON + timedelta(days=7)
    assert in_force(suite) == 1
    assert in_force(suite, at - timedelta(microseconds=1)) == 1
    assert in_force(suite, at) == 2
    with pytest.raises(NoPolicyInForce):
        in_force(suite, NOON - timedelta(microseconds=1))


def test_no_version_takes_effect_before_a_scheduled_one(suite: Suite) -> None:
    suite.clock.instant = NOON
    suite.publish()
    suite.publish(NOON + timedelta(days=7))
    for wish in (None, NOON + timedelta(days=1), NOON + timedelta(days=7)):
        with pytest.raises(StateConflict) as error:
            suite.publish(wish)
        assert [f.field for f in error.value.fields] == ["effectiveTime"]
    assert suite.publish(NOON + timedelta(days=8)).policy.version == 3


def test_two_officers_at_the_same_moment_get_one_order_without_a_gap(suite: Suite) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: suite.publish(), range(16)))
    policies = sorted((a.policy for a in answers), key=lambda p: p.version)
    assert [p.version for p in policies] == list(range(1, 17))
    times = [p.effective_time.ToNanoseconds() for p in policies]
    assert times == sorted(set(times))
    suite.push_all()
    assert [t.version for t in suite.vault.schedules[-1][1].terms] == list(range(1, 17))


def test_texts_material_purposes_and_the_prevailing_language_are_checked(suite: Suite) -> None:
    text = consent_pb2.PolicyText(language="kk", title="Саясат", body=" \n")
    request = consent_pb2.PublishPolicyRequest(
        texts=[text, text],
        prevailing_language="en",
        material_purposes=[Purpose.NEWS, Purpose.FEEDBACK, Purpose.CODE_UNSPECIFIED],
    )
    with pytest.raises(InvalidArgument) as error:
        suite.ask(request, consent_pb2.PublishPolicyResponse, role="PRIVACY_OFFICER")
    assert faults(error) == {
        ("texts[0].body", "blank"),
        ("texts[1].body", "blank"),
        ("texts[1].language", "unique"),
        ("prevailingLanguage", "among_texts"),
        ("materialPurposes[1]", "express_consent"),
        ("materialPurposes[2]", "express_consent"),
    }


def test_only_a_privacy_officer_publishes(suite: Suite) -> None:
    request = consent_pb2.PublishPolicyRequest(
        texts=[consent_pb2.PolicyText(language="kk", title="С", body="М")]
    )
    with pytest.raises(PermissionDenied):
        suite.ask(request, consent_pb2.PublishPolicyResponse)
    assert json.loads(suite.evidence()[-1])["outcome"] == "REFUSED"


def test_the_schedule_is_pushed_with_its_material_purposes(suite: Suite) -> None:
    suite.publish()
    suite.publish(material=(Purpose.NEWS, Purpose.ACCOUNT, Purpose.NEWS))
    header, schedule = suite.vault.schedules[-1]
    assert (header.site_id, header.subject_id, header.version.counter) == (suite.site, "", 2)
    assert [t.version for t in schedule.terms] == [1, 2]
    assert list(schedule.terms[1].material_purposes) == [Purpose.ACCOUNT, Purpose.NEWS]


def test_a_publication_without_vault_is_pending_and_comes_into_force_by_itself(
    suite: Suite,
) -> None:
    suite.vault.absent = True
    answer = suite.publish()
    assert answer.enforcement == PENDING
    assert in_force(suite) == 1
    suite.vault.absent = False
    suite.push_all()
    act = suite.act(answer.act_id)
    assert (act.kind, act.enforcement) == ("policy.published", IN_FORCE)


def test_the_same_key_publishes_once(suite: Suite) -> None:
    request = consent_pb2.PublishPolicyRequest(
        texts=[consent_pb2.PolicyText(language="kk", title="С", body="М")], request_id="k-1"
    )
    answers = [
        suite.ask(request, consent_pb2.PublishPolicyResponse, role="PRIVACY_OFFICER")
        for _ in range(2)
    ]
    assert answers[0] == answers[1]
    assert answers[0].policy.version == 1
    request.texts[0].body = "Басқа"
    with pytest.raises(IdempotencyKeyReused):
        suite.ask(request, consent_pb2.PublishPolicyResponse, role="PRIVACY_OFFICER")


def test_versions_are_listed_newest_first_page_by_page_without_texts(suite: Suite) -> None:
    for _ in range(5):
        suite.publish()
    request, seen = consent_pb2.ListPoliciesRequest(page_size=2), []
    while True:
        page = suite.ask(request, consent_pb2.ListPoliciesResponse)
        assert not any(p.texts for p in page.policies)
        seen += [p.version for p in page.policies]
        if not page.next_page_token:
            break
        request.page_token = page.next_page_token
    assert seen == [5, 4, 3, 2, 1]


def test_a_page_token_of_another_site_is_refused(suite: Suite) -> None:
    for _ in range(2):
        suite.publish()
    first = suite.ask(
        consent_pb2.ListPoliciesRequest(page_size=1), consent_pb2.ListPoliciesResponse
    )
    request = consent_pb2.ListPoliciesRequest(page_token=first.next_page_token)
    with pytest.raises(InvalidArgument):
        suite.ask(request, consent_pb2.ListPoliciesResponse, site="elsewhere")


def test_another_sites_versions_are_not_found(suite: Suite) -> None:
    suite.publish()
    request = consent_pb2.GetPolicyRequest(version=1)
    with pytest.raises(NotFound):
        suite.ask(request, consent_pb2.GetPolicyResponse, site="elsewhere")
    assert get(suite, 1, role="RECIPIENT").version == 1


@pytest.mark.parametrize("table", ["policies", "policy_texts", "consent_events", "wordings"])
@pytest.mark.parametrize("change", ["UPDATE {} SET site_id = 'x'", "DELETE FROM {}"])
def test_what_was_published_or_happened_cannot_be_changed(
    access: DatabaseAccess, table: str, change: str
) -> None:
    engine = sqlalchemy.create_engine(access.runtime_url)
    with engine.connect() as connection, pytest.raises(sqlalchemy.exc.ProgrammingError):
        connection.exec_driver_sql(change.format(table))
    engine.dispose()


def test_a_publication_leaves_evidence_of_what_was_published(suite: Suite) -> None:
    answer = suite.publish()
    entry = json.loads(suite.evidence()[0])
    assert entry["event"] == "policy.published"
    assert entry["decidedOn"]["policySha256"] == answer.policy.sha256
    assert entry["refs"] == {"act_id": answer.act_id}

# SPDX-License-Identifier: Apache-2.0
"""Registration, use, acceptance and disagreement through the service (1.1.5, 2.1, 2.2, 2.3)."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from qupia.consent.v1 import consent_pb2
from qupia.subject.v1 import subject_pb2
from services.chassis.refusal import (
    IdempotencyKeyReused,
    InvalidArgument,
    NoPolicyInForce,
    NotFound,
    SubjectRestricted,
)
from services.consent.store_events import read_events
from tests.consent.suite import Suite, use

Acceptance = consent_pb2.Acceptance
State = subject_pb2.Enforcement
NEWS = subject_pb2.Purpose.NEWS
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def test_the_first_use_is_agreement_with_the_version_in_force(suite: Suite) -> None:
    policy = suite.publish().policy
    answer = suite.register()
    acceptance = answer.acceptance
    assert answer.enforcement == State.IN_FORCE
    assert len(answer.subject_id) == 32
    assert (acceptance.policy_version, acceptance.policy_sha256) == (1, policy.sha256)
    assert (acceptance.mode, acceptance.strength) == (Acceptance.IMPLIED, Acceptance.STRONG)
    assert (acceptance.language, acceptance.HasField("disagreed_time")) == ("kk", False)
    assert suite.act(answer.act_id).kind == "subject.registered"


def test_the_first_use_proposes_an_acceptance_that_is_not_explicit(suite: Suite) -> None:
    suite.publish()
    answer = suite.register()
    header, slice_ = suite.vault.consents[-1]
    assert header.subject_id == answer.subject_id
    assert list(header.open_proposals) == [answer.act_id]
    assert slice_.proposed_acceptance.proposal_id == answer.act_id
    assert (slice_.proposed_acceptance.version, slice_.proposed_acceptance.explicit) == (1, False)
    assert slice_.accepted_version == 0


def test_nobody_registers_where_no_policy_is_in_force(suite: Suite) -> None:
    with pytest.raises(NoPolicyInForce):
        suite.register()
    suite.clock.instant = NOON
    suite.publish(NOON + timedelta(days=1))
    with pytest.raises(NoPolicyInForce):
        suite.register()


def test_a_use_without_the_notice_is_recorded_as_weak_evidence(suite: Suite) -> None:
    suite.publish()
    assert suite.register(notice=False).acceptance.strength == Acceptance.WEAK


def test_the_page_of_a_use_is_in_no_row_and_no_entry(suite: Suite) -> None:
    suite.publish()
    request = consent_pb2.RegisterSubjectRequest(use=use(consent_pb2.Use.VIEW, page="/canary-7d1f"))
    subject_id = suite.ask(request, consent_pb2.RegisterSubjectResponse).subject_id
    with suite.database.transaction() as connection:
        (event,) = read_events(connection, suite.site, subject_id)[:1]
        tables = connection.exec_driver_sql(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
        ).scalars()
        for table in tables.all():
            rows = connection.exec_driver_sql(f"SELECT t::text FROM {table} t").scalars()
            assert not any("canary-7d1f" in row for row in rows)
    assert event.use is not None
    assert len(event.use.page_digest) == 64
    (entry,) = [e for e in suite.evidence() if '"subject.registered"' in e]
    assert json.loads(entry)["digests"] == {"page": event.use.page_digest}
    assert subject_id not in "".join(suite.evidence())


def test_a_use_that_changes_nothing_makes_no_act_and_no_push(suite: Suite) -> None:
    suite.publish()
    registered = suite.register()
    pushes = len(suite.vault.consents)
    answer = suite.use(registered.subject_id)
    assert (answer.act_id, answer.enforcement) == (registered.act_id, State.IN_FORCE)
    assert answer.acceptance == registered.acceptance
    assert len(suite.vault.consents) == pushes
    assert sum('"use.recorded"' in entry for entry in suite.evidence()) == 1


def test_a_use_accepts_the_newer_version_in_force(suite: Suite) -> None:
    suite.publish()
    registered = suite.register()
    policy = suite.publish().policy
    answer = suite.use(registered.subject_id)
    assert answer.act_id != registered.act_id
    assert answer.acceptance.policy_version == 2
    assert answer.acceptance.policy_sha256 == policy.sha256
    assert suite.use(registered.subject_id).act_id == answer.act_id


def test_a_use_after_disagreement_is_recorded_and_accepts_nothing(suite: Suite) -> None:
    suite.publish()
    subject_id = suite.register().subject_id
    rejected = suite.reject(subject_id)
    suite.publish()
    pushes = len(suite.vault.consents)
    answer = suite.use(subject_id, consent_pb2.Use.ORDER)
    assert answer.acceptance.mode == Acceptance.DISAGREED
    assert answer.acceptance.disagreed_time == rejected.disagreed_time
    assert not answer.acceptance.HasField("accept_time")
    assert answer.act_id == rejected.act_id
    assert len(suite.vault.consents) == pushes
    with suite.database.transaction() as connection:
        kinds = [e.kind for e in read_events(connection, suite.site, subject_id)]
    assert kinds[-1] == "USED"


def test_only_an_express_acceptance_returns_from_disagreement(suite: Suite) -> None:
    suite.publish()
    subject_id = suite.register().subject_id
    suite.reject(subject_id)
    answer = suite.accept(subject_id)
    assert suite.vault.consents[-1][1].proposed_acceptance.explicit
    assert answer.acceptance.mode == Acceptance.EXPRESS
    assert not answer.acceptance.HasField("disagreed_time")
    assert suite.consents_of(subject_id).acceptance == answer.acceptance


def test_a_return_on_its_way_leaves_the_disagreement_standing(suite: Suite) -> None:
    suite.publish()
    subject_id = suite.register().subject_id
    suite.reject(subject_id)
    suite.vault.absent = True
    answer = suite.accept(subject_id)
    assert answer.enforcement == State.PENDING
    assert answer.acceptance.HasField("disagreed_time")
    assert suite.consents_of(subject_id).acceptance.mode == Acceptance.DISAGREED
    suite.vault.absent = False
    suite.push_all()
    assert suite.consents_of(subject_id).acceptance.mode == Acceptance.EXPRESS


def test_only_the_version_in_force_can_be_accepted(suite: Suite) -> None:
    suite.clock.instant = NOON
    suite.publish()
    subject_id = suite.register().subject_id
    suite.publish(NOON + timedelta(days=1))
    assert suite.accept(subject_id, 1).acceptance.policy_version == 1
    for version in (2, 3):
        with pytest.raises(InvalidArgument) as error:
            suite.accept(subject_id, version)
        assert [f.field for f in error.value.fields] == ["version"]


def test_disagreement_is_never_refused_and_takes_the_place_of_what_is_on_its_way(
    suite: Suite,
) -> None:
    suite.publish()
    suite.vault.absent = True
    registered = suite.register()
    granted = suite.grant(registered.subject_id, NEWS)
    rejected = suite.reject(registered.subject_id)
    assert rejected.enforcement == State.PENDING
    for act_id in (registered.act_id, granted.act_id):
        assert suite.act(act_id).enforcement == State.SUPERSEDED
    suite.vault.absent = False
    suite.push_all()
    assert suite.act(rejected.act_id).enforcement == State.IN_FORCE
    header, slice_ = suite.vault.consents[-1]
    assert list(header.open_proposals) == []
    assert slice_.disagreed_time == rejected.disagreed_time
    assert not slice_.HasField("proposed_acceptance")
    assert slice_.consents[0].HasField("withdrawn_time")


def test_disagreement_leaves_the_acceptance_in_the_slice(suite: Suite) -> None:
    suite.publish()
    subject_id = suite.register().subject_id
    suite.reject(subject_id)
    slice_ = suite.vault.consents[-1][1]
    assert slice_.accepted_version == 1
    assert slice_.disagreed_time.ToNanoseconds() > slice_.accepted_time.ToNanoseconds()


def test_what_the_vault_refuses_was_never_in_force(suite: Suite) -> None:
    suite.publish()
    subject_id = suite.register().subject_id
    suite.publish()
    suite.vault.refusing = "SUBJECT_RESTRICTED"
    with pytest.raises(SubjectRestricted):
        suite.use(subject_id)
    assert suite.consents_of(subject_id).acceptance.policy_version == 1
    events = [json.loads(e)["event"] for e in suite.evidence()]
    assert events.count("use.recorded") == 1
    assert events.count("use.recorded_refused") == 1


def test_registration_without_vault_is_pending_and_comes_into_force_by_itself(
    suite: Suite,
) -> None:
    suite.publish()
    suite.vault.absent = True
    answer = suite.register()
    assert answer.enforcement == State.PENDING
    assert answer.acceptance.policy_version == 1
    assert not suite.consents_of(answer.subject_id).HasField("acceptance")
    suite.vault.absent = False
    suite.push_all()
    act = suite.act(answer.act_id)
    assert act.enforcement == State.IN_FORCE
    assert act.in_force_time.ToNanoseconds() >= act.recorded_time.ToNanoseconds()
    assert suite.consents_of(answer.subject_id).acceptance == answer.acceptance


def test_the_same_key_registers_one_person(suite: Suite) -> None:
    suite.publish()
    request = consent_pb2.RegisterSubjectRequest(use=use(consent_pb2.Use.VIEW), request_id="k-1")
    answers = [suite.ask(request, consent_pb2.RegisterSubjectResponse) for _ in range(3)]
    assert answers[0] == answers[1] == answers[2]
    request.use.page = "/other"
    with pytest.raises(IdempotencyKeyReused):
        suite.ask(request, consent_pb2.RegisterSubjectResponse)


def test_a_repeat_after_the_vault_is_back_is_in_force(suite: Suite) -> None:
    suite.publish()
    suite.vault.absent = True
    request = consent_pb2.RegisterSubjectRequest(use=use(consent_pb2.Use.VIEW), request_id="k-2")
    first = suite.ask(request, consent_pb2.RegisterSubjectResponse)
    suite.vault.absent = False
    again = suite.ask(request, consent_pb2.RegisterSubjectResponse)
    assert (first.subject_id, first.act_id) == (again.subject_id, again.act_id)
    assert (first.enforcement, again.enforcement) == (State.PENDING, State.IN_FORCE)


def test_an_unknown_subject_and_another_sites_are_not_found_alike(suite: Suite) -> None:
    suite.publish()
    subject_id = suite.register().subject_id
    own, suite.site = suite.site, "elsewhere"
    for unknown in (subject_id, "f" * 32):
        for ask in (suite.use, suite.accept, suite.reject, suite.consents_of):
            with pytest.raises(NotFound):
                ask(unknown)
        with pytest.raises(NotFound):
            suite.grant(unknown, NEWS)
        with pytest.raises(NotFound):
            suite.withdraw(unknown, NEWS)
    suite.site = own
    with suite.database.transaction() as connection:
        left = connection.exec_driver_sql(
            "SELECT count(*) FROM slices WHERE site_id = 'elsewhere' AND subject_id <> ''"
        ).scalar_one()
    assert left == 0


def test_another_sites_act_is_not_found(suite: Suite) -> None:
    act_id = suite.publish().act_id
    request = consent_pb2.GetActRequest(act_id=act_id)
    with pytest.raises(NotFound):
        suite.ask(request, consent_pb2.GetActResponse, site="elsewhere")

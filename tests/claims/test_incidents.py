# SPDX-License-Identifier: Apache-2.0
"""What an incident and its notice need of others, and what they do while those are away (7.1)."""

from collections.abc import Callable
from typing import cast

import pytest
from google.protobuf.message import Message

from qupia.claims.v1 import claims_pb2, incidents_pb2, work_pb2
from qupia.subject.v1 import subject_pb2
from services.chassis.ids import new_subject_id, new_uuid
from services.chassis.refusal import (
    DeadlineExceeded,
    InvalidArgument,
    NotFound,
    Overloaded,
    PeerNotAllowed,
    Refusal,
    Unavailable,
    VaultNotReady,
)
from tests.claims.suite import Suite


def _incident(*subject_ids: str) -> incidents_pb2.NewIncident:
    return incidents_pb2.NewIncident(
        kind=incidents_pb2.Incident.DISCLOSED,
        cause=incidents_pb2.Incident.UNDETERMINED,
        intent=incidents_pb2.Incident.UNKNOWN,
        subject_ids=subject_ids,
        description="Выгрузка найдена в открытом доступе.",
    )


def _register(suite: Suite, *subject_ids: str) -> incidents_pb2.Incident:
    request = incidents_pb2.RegisterIncidentRequest(incident=_incident(*subject_ids))
    answer: incidents_pb2.RegisterIncidentResponse = suite.ask(
        "RegisterIncident", request, suite.person("PRIVACY_OFFICER")
    )
    return answer.incident


@pytest.mark.parametrize("away", [Unavailable, Overloaded, DeadlineExceeded, VaultNotReady])
def test_a_vault_that_is_away_keeps_no_incident_out(suite: Suite, away: type[Refusal]) -> None:
    suite.vault.refuses["LookUpSubject"] = away()
    subject_id = new_subject_id()
    assert list(_register(suite, subject_id).subject_ids) == [subject_id]


def test_people_whom_the_site_does_not_have_are_affected_by_nothing(suite: Suite) -> None:
    known = [suite.vault.subject() for _ in range(20)]
    # The vault is asked about twenty at a time: one unknown among the later ones counts too.
    with pytest.raises(NotFound):
        _register(suite, *known, new_subject_id())
    assert suite.rows("SELECT count(*) FROM incidents") == [(0,)]
    assert len(_register(suite, *known).subject_ids) == 20


@pytest.mark.parametrize("fault", [PeerNotAllowed, InvalidArgument, NotFound])
def test_a_vault_that_refuses_to_say_is_not_taken_for_one_that_agrees(
    suite: Suite, fault: type[Refusal]
) -> None:
    suite.vault.refuses["LookUpSubject"] = fault()
    with pytest.raises(Unavailable):
        _register(suite, new_subject_id())
    assert suite.rows("SELECT count(*) FROM incidents") == [(0,)]


def _tell(suite: Suite, incident: incidents_pb2.Incident, request_id: str) -> None:
    request = _notice(suite, incident, request_id)
    suite.ask("AddIncidentNotice", request, suite.person("PRIVACY_OFFICER"))


def _notice(
    suite: Suite, incident: incidents_pb2.Incident, request_id: str
) -> incidents_pb2.AddIncidentNoticeRequest:
    request = incidents_pb2.AddIncidentNoticeRequest(
        incident_id=incident.incident_id,
        addressee=incidents_pb2.IncidentNotice.AUTHORISED_BODY,
        authority_request_id=request_id,
    )
    request.dispatch.channel = claims_pb2.Dispatch.POST
    request.dispatch.time.FromDatetime(suite.clock.now())
    request.dispatch.proof = "Вх. № 17-221"
    return request


@pytest.mark.parametrize("fault", [Unavailable, DeadlineExceeded, PeerNotAllowed])
def test_a_broker_that_does_not_answer_is_not_taken_for_one_that_agrees(
    suite: Suite, fault: type[Refusal]
) -> None:
    incident, request_id = _register(suite), new_uuid()
    suite.authority_requests.add(request_id)
    suite.broker_refuses = fault()
    with pytest.raises(Unavailable):
        _tell(suite, incident, request_id)
    assert suite.rows("SELECT count(*) FROM incident_notices") == [(0,)]
    # Notice that names no request waits for nobody.
    _tell(suite, incident, "")
    suite.broker_refuses = None
    _tell(suite, incident, request_id)
    told = suite.rows("SELECT authority_request_id FROM incident_notices ORDER BY notice_id")
    assert told == [(None,), (request_id,)]


def _registration(suite: Suite) -> Message:
    return incidents_pb2.RegisterIncidentRequest(incident=_incident(suite.vault.subject()))


def _assessment(suite: Suite) -> Message:
    return incidents_pb2.AssessIncidentRequest(
        incident_id=_register(suite).incident_id,
        subject_ids=[suite.vault.subject()],
        measures="Доступ закрыт.",
    )


def _told(suite: Suite) -> Message:
    request_id = new_uuid()
    suite.authority_requests.add(request_id)
    return _notice(suite, _register(suite), request_id)


def _exemption(suite: Suite) -> Message:
    subject_id, act_id = suite.vault.subject(), new_uuid()
    suite.consents[subject_id] = act_id
    request = incidents_pb2.ProposeExemptionRequest(
        incident_id=_register(suite).incident_id,
        code=incidents_pb2.Exemption.WITH_CONSENT,
        reference="Согласие на рассылку.",
    )
    request.consent.subject_id, request.consent.act_id = subject_id, act_id
    request.consent.purpose = subject_pb2.Purpose.NEWS
    request.consent.disclosure_time.FromDatetime(suite.clock.now())
    return request


def _attachment(suite: Suite) -> Message:
    return work_pb2.AttachSubjectRequest(
        claim_id=suite.file().claim.claim_id,
        subject_id=suite.vault.subject(),
        reason="Паспорт сверен.",
    )


@pytest.mark.parametrize(
    ("rpc", "role", "request_of"),
    [
        ("RegisterIncident", "PRIVACY_OFFICER", _registration),
        ("AssessIncident", "PRIVACY_OFFICER", _assessment),
        ("AddIncidentNotice", "PRIVACY_OFFICER", _told),
        ("ProposeExemption", "PRIVACY_OFFICER", _exemption),
        ("AttachSubject", "CLAIMS_OFFICER", _attachment),
    ],
)
def test_a_repeat_is_answered_whatever_others_say_by_now(
    suite: Suite, rpc: str, role: str, request_of: Callable[[Suite], Message]
) -> None:
    """What others were asked before they agreed holds for what was granted then."""
    request = request_of(suite)
    granted = suite.ask(rpc, request, suite.person(role))
    suite.authority_requests.clear()
    suite.consents.clear()
    suite.vault.subjects.clear()
    assert suite.ask(rpc, request, suite.person(role)) == granted
    suite.broker_refuses = Unavailable()
    suite.vault.looks_up = False
    assert suite.ask(rpc, request, suite.person(role)) == granted
    suite.broker_refuses, suite.vault.looks_up = None, True
    cast(incidents_pb2.RegisterIncidentRequest, request).request_id = new_uuid()
    with pytest.raises((InvalidArgument, NotFound)):
        suite.ask(rpc, request, suite.person(role))

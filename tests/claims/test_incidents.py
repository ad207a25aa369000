# SPDX-License-Identifier: Apache-2.0
"""What an incident and its notice need of others, and what they do while those are away (7.1)."""

import pytest

from qupia.claims.v1 import claims_pb2, incidents_pb2
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


def _register(suite: Suite, *subject_ids: str) -> incidents_pb2.Incident:
    incident = incidents_pb2.NewIncident(
        kind=incidents_pb2.Incident.DISCLOSED,
        cause=incidents_pb2.Incident.UNDETERMINED,
        intent=incidents_pb2.Incident.UNKNOWN,
        subject_ids=subject_ids,
        description="Выгрузка найдена в открытом доступе.",
    )
    request = incidents_pb2.RegisterIncidentRequest(incident=incident)
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
    request = incidents_pb2.AddIncidentNoticeRequest(
        incident_id=incident.incident_id,
        addressee=incidents_pb2.IncidentNotice.AUTHORISED_BODY,
        authority_request_id=request_id,
    )
    request.dispatch.channel = claims_pb2.Dispatch.POST
    request.dispatch.time.FromDatetime(suite.clock.now())
    request.dispatch.proof = "Вх. № 17-221"
    suite.ask("AddIncidentNotice", request, suite.person("PRIVACY_OFFICER"))


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

# SPDX-License-Identifier: Apache-2.0
"""Messages of the register of incidents."""

from collections.abc import Sequence
from datetime import datetime

from qupia.claims.v1 import claims_pb2, incidents_pb2
from services.claims.incident import Exemption, Incident, IncidentNotice
from services.claims.wire import stamp

Kinds = incidents_pb2.Incident


def incident_message(incident: Incident, subject_ids: Sequence[str] = ()) -> incidents_pb2.Incident:
    """An incident as officers see it; `subject_ids` are the first of those affected."""
    message = Kinds(
        incident_id=incident.incident_id,
        kind=Kinds.Kind.Value(incident.kind),
        cause=Kinds.Cause.Value(incident.cause),
        intent=Kinds.Intent.Value(incident.intent),
        detect_time=stamp(incident.detect_time),
        record_time=stamp(incident.record_time),
        author=incident.author,
        affected=incident.affected,
        subject_ids=subject_ids,
        notice_due_date=incident.deadline.due_date.isoformat(),
        notice_due_time=stamp(incident.deadline.due_time),
        calendar_version=incident.deadline.calendar_version,
        notices=[_notice(each) for each in incident.notices],
        exemptions=[_exemption(each) for each in incident.exemptions],
    )
    _set_time(message, "overdue_time", incident.overdue_time)
    _set_time(message, "notice_time", incident.notice_time)
    _set_time(message, "close_time", incident.close_time)
    return message


def _set_time(message: incidents_pb2.Incident, name: str, time: datetime | None) -> None:
    if time is not None:
        getattr(message, name).CopyFrom(stamp(time))


def _notice(notice: IncidentNotice) -> incidents_pb2.IncidentNotice:
    return incidents_pb2.IncidentNotice(
        addressee=incidents_pb2.IncidentNotice.Addressee.Value(notice.addressee),
        channel=claims_pb2.Dispatch.Channel.Value(notice.channel),
        dispatch_time=stamp(notice.dispatch_time),
        author=notice.author,
        authority_request_id=notice.authority_request_id or "",
    )


def _exemption(exemption: Exemption) -> incidents_pb2.Exemption:
    day = exemption.reference_date
    return incidents_pb2.Exemption(
        code=incidents_pb2.Exemption.Code.Value(exemption.code),
        clause=exemption.code.clause,
        author=exemption.author,
        record_time=stamp(exemption.record_time),
        reference_date=day.isoformat() if day else "",
        consent_act_id=exemption.consent_act_id or "",
    )

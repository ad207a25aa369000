# SPDX-License-Identifier: Apache-2.0
"""Incidents stand as their steps on record say, and no notice of them was made up (7.1, 7.2)."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from datetime import datetime

from cli.consistency.fault import Fault
from cli.consistency.store_incidents import IncidentRow, Place, Story, ToldEntry
from services.chassis.calendar import WorkingCalendar
from services.claims.incident import notice_deadline
from services.claims.incident_clock import OVERDUE

_REGISTERED, _ASSESSED = "incident.registered", "incident.assessed"
_NOTICE, _EXEMPTION, _CLOSED = "incident_notice.sent", "exemption.proposed", "incident.closed"


def incident_faults(
    stories: Iterable[Story], calendar: WorkingCalendar, gone: Collection[Place]
) -> Iterator[Fault]:
    """Incidents that are not what their entries tell; `gone` are (site, subject) of the destroyed,
    whose names in evidence nobody knows any more."""
    for story in stories:
        if story.incident is None:
            yield _fault(story.place, "it is on record, and there is none")
            continue
        what = (
            _registration_fault(story.incident, _of(story, _REGISTERED))
            or _term_fault(story.incident, calendar)
            or _assessment_fault(story)
            or _end_fault(story, story.incident)
        )
        if what:
            yield _fault(story.place, what)
        yield from _notice_faults(story)
        yield from _exemption_faults(story)
        yield from _subject_faults(story, gone)


def _registration_fault(incident: IncidentRow, registered: list[ToldEntry]) -> str:
    if len(registered) != 1:
        return "no evidence entry tells of it"
    told = registered[0].decided_on
    stands = (
        incident.kind,
        incident.due_date.isoformat(),
        incident.calendar_version,
        incident.author,
    )
    if stands != (
        told.get("kind"),
        told.get("noticeDueDate"),
        told.get("calendar"),
        registered[0].principal,
    ):
        return "its kind, author or term is not the one on record"
    if _time(told.get("detectTime")) != incident.detect_time:
        return "it was detected at another time, as its record says"
    return ""


def _term_fault(incident: IncidentRow, calendar: WorkingCalendar) -> str:
    if incident.calendar_version != calendar.version:
        # Another edition of the calendar gave this term; it stays as it was given.
        return ""
    try:
        deadline = notice_deadline(incident.detect_time, calendar)
    except ValueError:
        return "its detection lies outside the calendar"
    if (deadline.due_date, deadline.due_time) != (incident.due_date, incident.due_time):
        return "the term of its notice is not the one of its detection"
    return ""


def _assessment_fault(story: Story) -> str:
    said = [each for each in story.told if each.event in (_REGISTERED, _ASSESSED)]
    last, incident = said[-1].decided_on, story.incident
    assert incident is not None
    if (incident.cause, incident.intent) != (last.get("cause"), last.get("intent")):
        return "its cause or intent is not what was said last"
    return ""


def _end_fault(story: Story, incident: IncidentRow) -> str:
    given = [each.dispatch_time for each in story.notices if each.addressee == "AUTHORISED_BODY"]
    if incident.notice_time != next(iter(given), None):
        return "the authorised body has its notice since another time"
    if incident.close_time is not None and incident.notice_time is None:
        return "it was closed before notice was given"
    if (incident.close_time is not None) != bool(_of(story, _CLOSED)):
        return "whether it was closed is not what is on record"
    if (incident.overdue_time is not None) != bool(_of(story, OVERDUE)):
        return "whether its notice was overdue is not what is on record"
    if incident.overdue_time is not None and incident.overdue_time < incident.due_time:
        return "it was overdue before its term had passed"
    return ""


def _notice_faults(story: Story) -> Iterator[Fault]:
    told = Counter(
        (
            each.decided_on.get("addressee"),
            _time(each.decided_on.get("dispatchTime")),
            each.principal,
        )
        for each in _of(story, _NOTICE)
    )
    for notice in story.notices:
        said = (notice.addressee, notice.dispatch_time, notice.author)
        if told[said] < 1:
            what = "no evidence entry tells of it as it stands"
            yield _fault(story.place, what, "incident_notices", notice_id=notice.notice_id)
        told[said] -= 1
    if any(left > 0 for left in told.values()):
        yield _fault(story.place, "a notice on record is missing", "incident_notices")


def _exemption_faults(story: Story) -> Iterator[Fault]:
    told = Counter(
        (each.decided_on.get("code"), each.decided_on.get("consentAct", ""), each.principal)
        for each in _of(story, _EXEMPTION)
    )
    for label in story.exemptions:
        said = (label.code, label.consent_act, label.author)
        if told[said] < 1:
            what = "no evidence entry tells of it as it stands"
            yield _fault(story.place, what, "exemptions", exemption_id=label.exemption_id)
        told[said] -= 1
    if any(left > 0 for left in told.values()):
        yield _fault(story.place, "an exemption on record is missing", "exemptions")


def _subject_faults(story: Story, gone: Collection[Place]) -> Iterator[Fault]:
    site, _ = story.place
    affected = {each.subject for each in story.affected}
    named = {each.subject_id for each in story.told if each.subject_id}
    for subject in sorted(affected - named):
        if (site, subject) not in gone:
            what = "no evidence entry tells that the subject is affected"
            yield _fault(story.place, what, "incident_subjects", subject_id=subject)
    for subject in sorted(named - affected):
        what = "a subject that is affected, as its record says, is missing"
        yield _fault(story.place, what, "incident_subjects", subject_id=subject)


def _of(story: Story, event: str) -> list[ToldEntry]:
    """The entries of an event that are about the incident itself."""
    return [each for each in story.told if each.event == event and not each.subject]


def _time(text: object) -> datetime | None:
    try:
        return datetime.fromisoformat(str(text))
    except ValueError:
        return None


def _fault(place: Place, what: str, table: str = "incidents", **key: object) -> Fault:
    return Fault.of("claims", table, what, site_id=place[0], incident_id=place[1], **key)

# SPDX-License-Identifier: Apache-2.0
"""`qupia tasks`: all that officers have to do, of every service, in one list by its last day.

Each service keeps what is to do in its own database and tells of it in a list of its own; the
gateway puts nothing together. Here they are one list, because an officer has one day.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any

import typer

from cli.office import Office, Problem
from cli.office_command import As, Json, at_office
from cli.terminal import LOCAL
from cli.urgency import shown

_OFFICER = "privacyOfficer"
# A state body's request is due within a year.
_ALL_DAYS = timedelta(days=400)

app = typer.Typer(help="List all that officers have to do, by its last day.")


@dataclass(frozen=True, slots=True)
class ToDo:
    """One thing to do: its last day in Almaty, what, in which list, and the ids it is about."""

    due_date: str
    kind: str
    listed_at: str
    ids: Mapping[str, str]


@app.callback(invoke_without_command=True)
def tasks(
    due_before: Annotated[str, typer.Option(help="Only those due on or before this day.")] = "",
    chosen: As = "",
    as_json: Json = False,
) -> None:
    """List what is to do, the most urgent first: tasks of claims, recipients that have not fetched
    a notice, state bodies that wait, incidents whose notice is owed."""
    with at_office(_OFFICER, as_json=as_json, chosen=chosen) as (office, terminal):
        found: list[ToDo] = []
        unseen: list[str] = []
        for path, ask in _LISTS.items():
            try:
                found += ask(office)
            except Problem as problem:
                if problem.code != "PERMISSION_DENIED":
                    raise
                unseen.append(path)
        wanted = [each for each in found if not due_before or each.due_date <= due_before]
        wanted.sort(key=lambda each: (each.due_date, each.kind, sorted(each.ids.items())))
        document = {"tasks": [_document(each) for each in wanted], "unseen": unseen}
        columns = ("due", "what", "about", "id")
        terminal.table(
            document,
            columns,
            [row for each in wanted for row in _rows(each)],
            whole=("due", "id"),
            spare=("about", "what"),
            empty="Nothing is to do.",
        )
        for path in unseen:
            terminal.warn(f"Not looked at: {path} is not for this credential.")


def _of_claims(office: Office) -> Iterator[ToDo]:
    for each in office.pages("/v1/tasks", "tasks"):
        yield ToDo(each["dueDate"], each["kind"], "/v1/tasks", _ids(each, "claimId", "subjectId"))


def _of_notices(office: Office) -> Iterator[ToDo]:
    """Recipients who are to be told by other means: they have not fetched a notice in time."""
    for each in office.pages("/v1/notices", "notices", {"overdue": "true"}):
        ids = _ids(each, "noticeId", "recipientId", "deliveryId")
        yield ToDo(_last_day(each["dueTime"]), "TELL_RECIPIENT", "/v1/notices", ids)


def _of_state_bodies(office: Office) -> Iterator[ToDo]:
    far = (datetime.now(LOCAL) + _ALL_DAYS).date().isoformat()
    for each in office.pages("/v1/authority-requests", "requests", {"dueBefore": far}):
        ids = {"authorityRequestId": each["requestId"]} | _ids(each["authorization"], "authorityId")
        due = each["authorization"]["dueDate"]
        yield ToDo(due, "ANSWER_STATE_BODY", "/v1/authority-requests", ids)


def _of_incidents(office: Office) -> Iterator[ToDo]:
    for each in office.pages("/v1/incidents", "incidents"):
        if "noticeTime" not in each:
            ids = _ids(each, "incidentId")
            yield ToDo(each["noticeDueDate"], "NOTIFY_OF_INCIDENT", "/v1/incidents", ids)


_LISTS = {
    "/v1/tasks": _of_claims,
    "/v1/notices": _of_notices,
    "/v1/authority-requests": _of_state_bodies,
    "/v1/incidents": _of_incidents,
}


def _ids(members: Mapping[str, Any], *names: str) -> dict[str, str]:
    return {name: str(members[name]) for name in names if members.get(name)}


def _last_day(due_time: str) -> str:
    """The last day of a term whose end, exclusive, is given."""
    end = datetime.fromisoformat(due_time).astimezone(LOCAL)
    return (end - timedelta(microseconds=1)).date().isoformat()


def _document(each: ToDo) -> dict[str, str]:
    return {"dueDate": each.due_date, "kind": each.kind, "list": each.listed_at, **each.ids}


def _rows(each: ToDo) -> Iterator[tuple[object, ...]]:
    """A row for each id, the first with day and kind."""
    due: object = shown(each.due_date, open_=True)
    kind = each.kind
    for name, value in each.ids.items():
        yield due, kind, name.removesuffix("Id"), value
        due, kind = "", ""

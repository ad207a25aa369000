# SPDX-License-Identifier: Apache-2.0
"""Incidents of a site, as its privacy officers register them."""

from datetime import UTC, datetime, timedelta
from typing import Any

from cli.conversation import Answered
from tests.policy.person import Person
from tests.policy.site import Site

DESCRIPTION = "Выгрузка заказов найдена в открытом доступе; заметил Ержан Ғабитұлы."
MEASURES = "Доступ закрыт, ключи заменены."
PROOF = "Вх. № 17-221 от уполномоченного органа"


def incident(*people: Person, **more: object) -> dict[str, object]:
    """An incident to register: data were disclosed, and nobody knows yet how."""
    return {
        "kind": "DISCLOSED",
        "cause": "UNDETERMINED",
        "intent": "UNKNOWN",
        "subjectIds": [person.subject_id for person in people],
        "description": DESCRIPTION,
        **more,
    }


def registered(site: Site, *people: Person, **more: object) -> dict[str, Any]:
    """An incident that was registered."""
    body = {"incident": incident(*people, **more)}
    answered = site.good("privacyOfficer", "POST", "/v1/incidents", body)
    found: dict[str, Any] = answered.json["incident"]
    return found


def step(site: Site, found: dict[str, Any], what: str, body: object) -> Answered:
    """A step of an incident by its officer."""
    path = f"/v1/incidents/{found['incidentId']}{what}"
    return site.ask("privacyOfficer", "POST", path, body)


def stands(site: Site, found: dict[str, Any]) -> dict[str, Any]:
    """The incident as it stands."""
    path = f"/v1/incidents/{found['incidentId']}"
    read: dict[str, Any] = site.good("auditor", "GET", path).json["incident"]
    return read


def notice(addressee: str = "AUTHORISED_BODY", **more: object) -> dict[str, object]:
    """Notice that was given just now."""
    dispatch = {"channel": "POST", "time": datetime.now(UTC).isoformat(), "proof": PROOF}
    return {"addressee": addressee, "dispatch": dispatch, **more}


def days_ago(days: int) -> str:
    """A time so many days back."""
    return (datetime.now(UTC) - timedelta(days=days)).isoformat()

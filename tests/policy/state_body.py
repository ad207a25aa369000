# SPDX-License-Identifier: Apache-2.0
"""A state body of a site, and what officers do with its requests (clause 5.3)."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from cli.conversation import Answered
from tests.policy.person import Person
from tests.policy.site import Site

OFFICIAL = {"name": "Сейітқалиев Ерлан Маратұлы", "position": "тергеуші"}
BIN = "000140002217"
PATH = "/v1/authority-requests"


@dataclass(frozen=True, slots=True)
class Request:
    """A request that was entered."""

    site: Site
    request_id: str

    def act(self, verb: str, body: object, who: str = "secondPrivacyOfficer") -> Answered:
        """A step of an officer's."""
        return self.site.ask(who, "POST", f"{PATH}/{self.request_id}:{verb}", body)

    def approved(self, *categories: str) -> Request:
        """The same, these categories approved by a second officer."""
        answered = self.act("approve", {"categories": list(categories)})
        assert answered.status == 200, answered.content.decode()
        return self

    def released(self, who: str = "secondPrivacyOfficer", **more: object) -> str:
        """The one-time code."""
        answered = self.act("release", more, who)
        assert answered.status == 200, answered.content.decode()
        return str(answered.json["code"])

    def shown(self) -> dict[str, Any]:
        """As a privacy officer sees it."""
        answered = self.site.good("privacyOfficer", "GET", f"{PATH}/{self.request_id}")
        found: dict[str, Any] = answered.json["request"]
        return found


def authority(site: Site, *, active: bool = True) -> str:
    """A state body of the site, let in by two officers; its id."""
    body = {"authority": {"legalName": "Полиция департаменті", "bin": BIN}}
    made = site.good("privacyOfficer", "POST", "/v1/authorities", body).json
    authority_id = str(made["authority"]["authorityId"])
    if active:
        path = f"/v1/authorities/{authority_id}:activate"
        site.good("secondPrivacyOfficer", "POST", path, {})
    return authority_id


def form(person: Person, authority_id: str, *categories: str, **more: object) -> dict[str, Any]:
    """A complete request; `more` are members of the authorization."""
    authorization = {
        "authorityId": authority_id,
        "official": dict(OFFICIAL),
        "ground": {
            "kind": "CRIMINAL_PROCEDURE",
            "act": "ҚР Қылмыстық-процестік кодексі",
            "article": "122(1)",
        },
        "document": {
            "kind": "RESOLUTION",
            "number": "17-2026",
            "date": "2026-01-12",
            "sha256": hashlib.sha256(b"scan").hexdigest(),
        },
        "subjectId": person.subject_id,
        **more,
    }
    tasks = [{"category": each} for each in categories or ("NAME", "PHONE")]
    return {"request": {"authorization": authorization, "tasks": tasks}}


def without(body: Mapping[str, Any], path: str) -> dict[str, Any]:
    """The same form without one member."""
    changed = deepcopy(dict(body))
    *way, last = path.split(".")
    place = changed
    for name in way:
        place = place[name]
    del place[last]
    return changed


def submit(site: Site, body: object, who: str = "privacyOfficer") -> Answered:
    """A request entered."""
    return site.ask(who, "POST", PATH, body)


def submitted(person: Person, authority_id: str, *categories: str, **more: object) -> Request:
    """A request that was taken in."""
    answered = submit(person.site, form(person, authority_id, *categories, **more))
    assert answered.status == 200, answered.content.decode()
    assert answered.json["request"]["state"] == "PENDING"
    return Request(person.site, str(answered.json["request"]["requestId"]))


def pick_up(site: Site, code: str, bin_number: str = BIN) -> Answered:
    """The package asked for by somebody without any credential."""
    body = {"code": code, "bin": bin_number}
    return site.ask("", "POST", "/v1/authority-packages:pickUp", body)


def opened(answered: Answered) -> dict[str, bytes]:
    """The files of a package."""
    assert answered.status == 200, answered.content.decode(errors="replace")
    assert answered.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(answered.content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def data_in(files: Mapping[str, bytes]) -> dict[str, Any]:
    """The personal data of a package."""
    found: dict[str, Any] = json.loads(files["data.json"])
    return found

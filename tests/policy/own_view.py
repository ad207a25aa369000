# SPDX-License-Identifier: Apache-2.0
"""How the person concerned gets to their own view in tests: the letter, the code, the session."""

from __future__ import annotations

import base64
import json
import re
import secrets
from collections.abc import Mapping
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from cli.conversation import Answered
from tests.harness.waiting import awaited
from tests.policy.person import Person

IDENTIFIED = {"method": "IDENTITY_DOCUMENT", "reference": "register:17"}
_CODE = re.compile(r"[0-9A-Z]{4}(?:-[0-9A-Z]{4}){4}")


def letters(home: Path, address: str = "") -> list[EmailMessage]:
    """The letters that have left, to an address where one is given, oldest first."""
    found = [
        message_from_bytes(path.read_bytes(), policy=policy.default)
        for path in sorted((home / "mail").glob("[0-9]*.eml"))
    ]
    return [letter for letter in found if address in ("", letter["To"])]


def await_letters(home: Path, address: str, count: int) -> list[EmailMessage]:
    """The letters to an address once there are so many: they leave after the answer."""

    def enough() -> list[EmailMessage] | None:
        found = letters(home, address)
        return found if len(found) >= count else None

    return awaited(enough, f"{count} letters did not come")


def code_in(letter: EmailMessage) -> str:
    """The code that a letter carries."""
    body = letter.get_body()
    assert body is not None
    found = _CODE.search(body.get_content())
    assert found is not None
    return found[0]


def ask_code(person: Person, who: str = "storefront", **more: object) -> Answered:
    """A code asked for."""
    return person.ask("POST", "/access-codes", dict(more), who)


def handed_code(person: Person, who: str = "claimsOfficer") -> str:
    """A code that an officer hands over."""
    answered = ask_code(person, who, identification=IDENTIFIED)
    assert answered.status == 200, answered.content.decode()
    return str(answered.json["code"])


def redeem(person: Person, code: str, headers: Mapping[str, str] | None = None) -> Answered:
    """A code tried by somebody without any credential."""
    return person.site.ask("", "POST", "/v1/access-codes:redeem", {"code": code}, headers)


def opened(person: Person, code: str = "") -> str:
    """A session of the person's; the name under which they call then."""
    answered = redeem(person, code or handed_code(person))
    assert answered.status == 200, answered.content.decode()
    assert answered.json["subjectId"] == person.subject_id
    name = f"person-{secrets.token_hex(4)}"
    person.site.hold(name, answered.json["session"])
    return name


def export(person: Person, who: str) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """All parts of an export: the document of each, and the answer it came in."""
    parts = []
    token = ""
    while True:
        answered = person.ask("POST", ":export", {"pageToken": token} if token else {}, who)
        assert answered.status == 200, answered.content.decode()
        parts.append((json.loads(answered.json["document"]), answered.json))
        token = answered.json.get("nextPageToken", "")
        if not token:
            return parts


def processing(person: Person, who: str, query: str = "") -> list[dict[str, Any]]:
    """What was done with the person's data, as they are told."""
    answered = person.ask("GET", f"/processing{query}", None, who)
    assert answered.status == 200, answered.content.decode()
    found: list[dict[str, Any]] = answered.json["acts"]
    return found


def printed(person: Person, who: str, language: str) -> bytes:
    """The pages."""
    answered = person.ask("POST", ":print", {"language": language}, who)
    assert answered.status == 200, answered.content.decode()
    assert answered.headers["content-type"] == "application/pdf"
    return answered.content


def signature_of(answer: Mapping[str, Any]) -> bytes:
    """The signature of a part."""
    return base64.b64decode(answer["signature"])

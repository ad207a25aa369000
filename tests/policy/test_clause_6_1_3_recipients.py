# SPDX-License-Identifier: Apache-2.0
"""Clauses 6.1.3, 6.2.2: in their own view a person reads who was given their data, not an id."""

import io
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pypdf import PdfReader

from tests.harness.waiting import awaited
from tests.policy.own_view import export, opened, printed, processing
from tests.policy.person import DATA, Person, release
from tests.policy.site import Site
from tests.policy.state_body import BIN, authority, pick_up, submitted
from tests.policy.state_body import opened as unpacked

BODY = "Полиция департаменті"
COURIER = "ТОО «Тез жеткізу»"


def _courier(site: Site) -> str:
    """A courier's id; two officers let it in under its own name."""
    body = {
        "recipient": {
            "kind": "COURIER",
            "legalName": COURIER,
            "bin": "181140010008",
            "agreement": "ДГ-2026/7",
        }
    }
    made = site.good("privacyOfficer", "POST", "/v1/recipients", body).json["recipient"]
    site.good("secondPrivacyOfficer", "POST", f"/v1/recipients/{made['recipientId']}:activate", {})
    return str(made["recipientId"])


def _given(person: Person, body: str, **more: object) -> None:
    """A phone number that a state body picked up."""
    code = submitted(person, body, "PHONE", **more).approved("PHONE").released()
    assert "data.json" in unpacked(pick_up(person.site, code))


def _until_named(look: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """The vault is told of names about a second after they are registered."""

    def named() -> dict[str, Any] | None:
        found = look()
        return found if "recipientName" in found else None

    return awaited(named, "the recipient's name did not come")


def _act(person: Person, who: str, event: str) -> dict[str, Any]:
    (found,) = [act for act in processing(person, who, "?language=ru") if act["event"] == event]
    return found


def _text(person: Person, who: str, language: str) -> str:
    pages = PdfReader(io.BytesIO(printed(person, who, language))).pages
    return " ".join(" ".join(page.extract_text().split()) for page in pages)


@pytest.fixture
def disclosed(own_site: Site) -> Person:
    """Somebody of whom a courier and a state body were given data."""
    own_site.recipients  # noqa: B018 - everybody has a key
    person = own_site.person(DATA)
    assert release(own_site, person.assigned("courier")).status == 200
    _given(person, authority(own_site))
    return person


def test_the_person_reads_who_was_given_what_on_which_order_or_ground(disclosed: Person) -> None:
    """T-6.1.3-a"""
    who = opened(disclosed)
    courier = _until_named(lambda: _act(disclosed, who, "data.read_for_release"))
    assert (courier["recipientKind"], courier["clause"]) == ("COURIER", "5.2")
    assert courier["orderId"]
    assert courier["recipientName"] in courier["words"]
    assert "курьерская служба" in courier["words"]
    assert "пункт политики 5.2" in courier["words"]
    body = _until_named(lambda: _act(disclosed, who, "data.read_for_authority"))
    assert (body["recipientName"], body["recipientBin"]) == (BODY, BIN)
    assert (body["recipientKind"], body["ground"]) == ("STATE_BODY", "CRIMINAL_PROCEDURE")
    assert (body["fields"], body["clause"]) == (["phone"], "5.3")
    assert f"государственный орган {BODY}, БИН {BIN}" in body["words"]
    assert "основание: уголовное производство" in body["words"]
    for value in disclosed.own.values():
        assert str(value) not in str([courier, body]), "never a value"


def test_export_and_pages_name_the_recipients_too(own_site: Site) -> None:
    """T-6.1.3-a"""
    courier_id, person = _courier(own_site), own_site.person(DATA)
    order_id = person.ordered()
    assign = {"recipientId": courier_id}
    assert own_site.ask("storefront", "POST", f"/v1/orders/{order_id}:assign", assign).status == 200
    who = opened(person)

    def assigned() -> dict[str, Any]:
        document, _ = export(person, who)[0]
        (order,) = document["subjects"][0]["standing"]["orders"]
        found: dict[str, Any] = order["assignments"][0]
        return found

    found = _until_named(assigned)
    assert found["recipientId"] == courier_id
    assert (found["recipientName"], found["recipientBin"]) == (COURIER, "181140010008")
    assert found["recipientKind"] == "COURIER"
    pages = _text(person, who, "kk")
    assert f"курьерлік қызмет {COURIER}, БСН 181140010008" in pages
    assert courier_id not in pages


def test_a_secret_request_is_not_told_before_its_time(own_site: Site) -> None:
    """T-6.1.3-a"""
    person, body = own_site.person(DATA), authority(own_site)
    until = datetime.now(UTC) + timedelta(days=1)
    _given(person, body, secretUntilTime=until.isoformat())
    open_ = own_site.person(DATA)
    _given(open_, body)
    known = opened(open_)
    _until_named(lambda: _act(open_, known, "data.read_for_authority"))
    who = opened(person)
    for told in (str(processing(person, who)), str(export(person, who)), _text(person, who, "ru")):
        assert BODY not in told
        assert BIN not in told

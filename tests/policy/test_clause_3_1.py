# SPDX-License-Identifier: Apache-2.0
"""Clause 3.1: what users supply leaves the house by one door."""

from collections.abc import Iterator

import pytest
from google.protobuf.descriptor import Descriptor

from qupia.consent.v1 import consent_pb2
from services.chassis.contract import (
    Method,
    fields_of,
    is_input_only,
    is_map,
    is_personal,
    load_contract,
)
from services.chassis.ids import new_uuid
from tests.policy.person import DATA, is_refused
from tests.policy.site import Site

# The routes by which decrypted personal data are answered, and to whom.
TO_THE_SITE = {
    "ReadData": {"STOREFRONT"},
    "BatchReadData": {"STOREFRONT"},
    "ReadForVerification": {"CLAIMS_OFFICER"},
    # What stood when, for the verification of a claim and for audit (6.1.2).
    "ListDataVersions": {"CLAIMS_OFFICER", "AUDITOR"},
    # In the officer's own words.
    "GetAnswer": {"CLAIMS_OFFICER", "SUBJECT"},
    # What came and went in a claim: an officer's note of it, and the papers themselves.
    "GetAttachment": {"CLAIMS_OFFICER"},
    "ReadDocument": {"CLAIMS_OFFICER"},
    # For a court, clause 8.3.
    "ExportBundle": {"CLAIMS_OFFICER"},
}
TO_THE_PERSON = {"ExportSubject": {"SUBJECT"}, "PrintSubject": {"SUBJECT"}}
# Clauses 5.2 and 5.3; whoever picks a package up brings a one-time code.
TO_OTHERS = {
    "ReleaseDelivery": {"RECIPIENT"},
    "ReleaseManifest": {"RECIPIENT"},
    "PickUpAuthorityPackage": {"anyone"},
}
# Who of a state body asks, and what its document says: never the person's own data.
OF_STATE_BODIES = {
    key: {"PRIVACY_OFFICER"}
    for key in (
        "SubmitAuthorityRequest",
        "GetAuthorityRequest",
        "ListAuthorityRequests",
        "ApproveAuthorityRequest",
        "RejectAuthorityRequest",
        "ReleaseToAuthority",
    )
}
# Of nobody's data but the operator's own contact and responsible person, whom it names itself.
OF_THE_OPERATOR = {
    "ProveConsent": {"STOREFRONT", "PRIVACY_OFFICER", "AUDITOR", "CLAIMS_OFFICER", "SUBJECT"},
}
# What happened in the house and who answers for it, in the operator's own words (7.1).
OF_INCIDENTS = {
    "GetIncident": {"PRIVACY_OFFICER", "AUDITOR"},
    "GetIncidentNotice": {"PRIVACY_OFFICER"},
}
OUTSIDERS = {"RECIPIENT", "PARTNER"}
BETWEEN_PROCESSES = {
    "ReadForRelease": {"disclosure"},
    "ReadForAuthority": {"disclosure"},
    "GetDocument": {"claims", "disclosure"},
}
PAGES = ("/", "/docs", "/openapi.json", "/healthz", "/problems/NOT_FOUND")


def test_only_the_broker_answers_outsiders_with_personal_data() -> None:
    """T-3.1-a"""
    answering = [m for m in load_contract().methods.values() if _tells(m)]
    routes = {m.name: set(m.roles or {"anyone"}) for m in answering if m.http}
    inside = TO_THE_SITE | TO_THE_PERSON | OF_THE_OPERATOR | OF_STATE_BODIES | OF_INCIDENTS
    assert routes == inside | TO_OTHERS
    for method in answering:
        if method.http and OUTSIDERS & set(method.roles or OUTSIDERS):
            assert (method.process, method.name) in {("disclosure", name) for name in TO_OTHERS}


def test_a_proof_of_consent_tells_of_the_operators_people_only() -> None:
    """T-3.1-a"""
    told = {
        f"{message.name}.{field.name}"
        for message in consent_pb2.DESCRIPTOR.message_types_by_name.values()
        for field in message.fields
        if message.name.startswith(("ProveConsentResponse", "Consent", "Policy", "Declaration"))
        and field.type in (field.TYPE_STRING, field.TYPE_BYTES)
        and is_personal(field)
    }
    # The page shows the contact and the responsible person too, and the subject by pseudonym.
    assert told == {
        "ConsentController.contact",
        "ConsentController.responsible",
        "ConsentPage.html",
    }


def test_what_has_no_route_answers_personal_data_to_our_own_processes_only() -> None:
    """T-3.1-a"""
    answering = [m for m in load_contract().methods.values() if _tells(m) and not m.http]
    assert {m.name: set(m.peers) for m in answering} == BETWEEN_PROCESSES


def test_the_gateway_has_no_route_that_the_contract_does_not_name(site: Site) -> None:
    """T-3.1-a"""
    served = site.good("", "GET", "/openapi.json").json["paths"]
    found = {(verb.upper(), path) for path, verbs in served.items() for verb in verbs}
    named = {(m.http.verb, _spelled(m)) for m in load_contract().methods.values() if m.http}
    assert named <= found
    assert {path for _, path in found - named} <= set(PAGES)


@pytest.mark.parametrize("name", TO_THE_SITE)
def test_a_recipient_is_refused_by_every_door_but_its_own(site: Site, name: str) -> None:
    """T-3.1-a"""
    person = site.person(DATA)
    person.assigned()
    [method] = [m for m in load_contract().methods.values() if m.name == name]
    assert method.http is not None
    ids = {"subject_id": person.subject_id, "claim_id": new_uuid(), "document_id": new_uuid()}
    path = method.http.path.format(**ids)
    item = {"subjectId": person.subject_id, "purpose": "IDENTIFY_FOR_ORDER"}
    body: object = {
        "ReadData": {"purpose": "IDENTIFY_FOR_ORDER"},
        "BatchReadData": {"items": [item]},
        "ReadForVerification": {"subjectId": person.subject_id},
    }.get(name)
    assert (body is None) == (method.http.verb == "GET"), f"{name} needs a body"
    for who in ("courier", "post", "telecom", site.stranger()):
        asked = site.ask(who, method.http.verb, path, body)
        assert is_refused(asked, 403, "PERMISSION_DENIED", "1.1.1")


def _tells(method: Method) -> bool:
    return bool(method.media_type) or any(_personal(method.output, set()))


def _personal(message: Descriptor, seen: set[str]) -> Iterator[bool]:
    if message.full_name in seen or message.full_name.startswith("google."):
        return
    seen.add(message.full_name)
    for field in message.fields:
        if is_input_only(field):
            continue
        if is_map(field):
            yield is_personal(field)
        elif field.message_type is not None:
            yield from _personal(field.message_type, seen)
        elif field.type in (field.TYPE_STRING, field.TYPE_BYTES):
            yield is_personal(field)


def _spelled(method: Method) -> str:
    """The path as OpenAPI writes it, its variables by their JSON names."""
    assert method.http is not None
    path = method.http.path
    for field in fields_of(method.input_class()):
        path = path.replace(f"{{{field.name}}}", f"{{{field.json_name}}}")
    return path

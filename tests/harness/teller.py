# SPDX-License-Identifier: Apache-2.0
"""Tells canaries to every place of a suite that takes anything personal, or refuses it."""

import base64
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import httpx

from tests.harness.acts import granted
from tests.harness.canary import Person
from tests.harness.suite import Suite
from tests.matrix.things import new_authority_request


class Teller:
    """Tells a person's values to every place that takes or refuses any."""

    def __init__(self, suite: Suite, person: Person) -> None:
        self._suite = suite
        self._person = person
        self.refusals: list[httpx.Response] = []
        self.orders: list[str] = []
        self.claims: list[str] = []

    def good(self, who: str, verb: str, path: str, body: object) -> dict[str, Any]:
        """A request that has to be granted."""
        return granted(self._suite.as_(who).request(verb, path, json=body))

    def refused(self, who: str, verb: str, path: str, **sent: Any) -> None:
        """A request that has to be refused; what came back is kept."""
        answer = self._suite.as_(who).request(verb, path, **sent)
        assert 400 <= answer.status_code < 500, f"{verb} {path}: {answer.status_code}"
        self.refusals.append(answer)

    def story(self) -> str:
        """The steps of the story that take personal data; the subject's id."""
        person = self._person
        self._suite.ensure_policy()
        use = {"kind": "FORM_SUBMIT", "page": f"/{person.family_name}", "noticeShown": True}
        use["language"] = "kk"
        use |= {"cookie": person.email, "userAgent": person.given_name, "referrer": person.phone}
        subject = self.good("storefront", "POST", "/v1/subjects", {"use": use})["subjectId"]
        path = f"/v1/subjects/{subject}"
        self.errors(path)
        self.good("storefront", "PATCH", f"{path}/data", {"data": self.data()})
        read = {"purpose": "IDENTIFY_FOR_ORDER"}
        shown = self.good("storefront", "POST", f"{path}/data:read", read)["data"]
        assert shown["familyName"] == person.family_name
        items = [{"subjectId": subject, **read}, {"subjectId": subject, "purpose": "NEWS"}]
        self.good("storefront", "POST", "/v1/data:batchRead", {"items": items})
        self.refused("storefront", "POST", f"{path}/data:read", json={"purpose": "NEWS"})
        order, delivery = self._suite.new_order(subject)
        self.orders.append(order)
        details = self.good("courier", "POST", f"/v1/deliveries/{delivery}:release", {})["details"]
        assert details["address"]["street"] == person.street
        self.refused("otherCourier", "POST", f"/v1/deliveries/{delivery}:release", json={})
        self.records(subject)
        self.state_body(subject)
        self.claim(subject, path, delivery)
        return str(subject)

    def records(self, subject: str) -> None:
        """A visit with all six technical kinds, and what was bought."""
        person = self._person
        visit = {
            "ip": "203.0.113.77",
            "cookie": person.email,
            "userAgent": person.given_name,
            "accessTime": datetime.now(UTC).isoformat(),
            "page": f"/{person.family_name}",
            "referrer": person.phone,
        }
        items = [{"subjectId": subject, "visit": visit}]
        answer = self.good("storefront", "POST", "/v1/visits", {"items": items})
        assert "problem" not in answer["outcomes"][0]
        line = {"title": person.street, "quantity": 1, "amount": "12990", "currency": "KZT"}
        bought = {"purchase": {"orderId": f"B-{subject[:12]}", "lines": [line]}}
        self.good("storefront", "POST", f"/v1/subjects/{subject}/purchases", bought)

    def end(self, subject: str) -> None:
        """What holds the person ends, and then the person."""
        path = f"/v1/subjects/{subject}"
        for order in self.orders:
            self.good("storefront", "POST", f"/v1/orders/{order}:close", {})
        for claim in self.claims:
            agreed = {"terms": self._person.answer}
            self.good("claimsOfficer", "POST", f"/v1/claims/{claim}:recordAgreement", agreed)
        ended = self.good("privacyOfficer", "POST", f"{path}:destroy", {"ground": "DEMAND"})
        assert ended["outcome"] == "DESTROYED", ended

    def state_body(self, subject: str) -> None:
        """A state body's request from its entry to its package, and what is refused on the way."""
        person, first, second = self._person, "privacyOfficer", "secondPrivacyOfficer"
        body = {"authority": {"legalName": "Полиция", "bin": "000140002217"}}
        authority = self.good(first, "POST", "/v1/authorities", body)["authority"]["authorityId"]
        self.good(second, "POST", f"/v1/authorities/{authority}:activate", {})
        request = new_authority_request(authority, subject)["request"]
        authorization = request["authorization"]
        authorization["official"] = {"name": person.official, "position": person.official}
        authorization["document"]["text"] = person.official_text
        wrong = {"request": {"authorization": authorization}}
        self.refused(first, "POST", "/v1/authority-requests", json=wrong)
        body = {"request": request}
        made = self.good(first, "POST", "/v1/authority-requests", body)["request"]
        step = f"/v1/authority-requests/{made['requestId']}"
        self.refused(second, "POST", f"{step}:approve", json={"categories": [person.official]})
        self.good(second, "POST", f"{step}:approve", {"categories": ["PHONE"]})
        shown = self.good(first, "GET", step, None)["request"]["authorization"]
        assert shown["official"]["name"] == person.official
        code = self.good(second, "POST", f"{step}:release", {})["code"]
        asked = {"code": code, "bin": "000140002217"}
        package = httpx.post(f"{self._suite.gateway}/v1/authority-packages:pickUp", json=asked)
        assert package.status_code == 200

    def claim(self, subject: str, path: str, delivery: str) -> None:
        """A claim from its filing to its answer, and what is refused under it."""
        person = self._person
        claim = {
            "subjectIds": [subject],
            "kind": "INACCURATE_DATA",
            "claimant": "SUBJECT",
            "statement": person.statement,
            "demand": person.demand,
            "replyAddress": person.reply_address,
            "proposedCorrection": {"phone": person.corrected_phone},
            "language": "kk",
        }
        self.representative(claim | {"subjectIds": [self._suite.new_subject()]})
        filed = self.good("storefront", "POST", "/v1/claims", {"claim": claim})["claim"]
        self.refused("storefront", "PATCH", f"{path}/data", json={"data": self.data()})
        self.refused("courier", "POST", f"/v1/deliveries/{delivery}:release", json={})
        wrong = {**claim, "claimant": person.unknown_value}
        self.refused("storefront", "POST", "/v1/claims", json={"claim": wrong})
        self.claims.append(filed["claimId"])
        step = f"/v1/claims/{filed['claimId']}"
        outcome = {"outcome": "INACCURATE_CONFIRMED", "evidence": person.evidence}
        bad = {**outcome, "correction": {"phone": person.wrong_phone}}
        self.refused("claimsOfficer", "POST", f"{step}:concludeVerification", json=bad)
        right = {**outcome, "correction": {"phone": person.corrected_phone}}
        self.good("claimsOfficer", "POST", f"{step}:concludeVerification", right)
        self.good("claimsOfficer", "GET", step, None)
        dispatch = {"channel": "EMAIL", "proof": person.proof}
        answer = {"decision": "SATISFIED", "text": person.answer, "dispatch": dispatch}
        self.refused("claimsOfficer", "POST", f"{step}:answer", json=answer)
        dispatch["time"] = datetime.now(UTC).isoformat()
        self.work(step, subject)
        self.good("claimsOfficer", "POST", f"{step}:answer", answer)
        self.incident(subject)

    def work(self, step: str, subject: str) -> None:
        """What officers write and keep about a claim."""
        person = self._person
        self.good("claimsOfficer", "POST", f"{step}/notes", {"text": person.reason})
        file = base64.b64encode(b"%PDF-1.7 " + person.statement.encode()).decode()
        self.good("claimsOfficer", "POST", f"{step}/attachments", {"content": file})
        bad = base64.b64encode(person.statement.encode()).decode()
        self.refused("claimsOfficer", "POST", f"{step}/attachments", json={"content": bad})
        attached = {"subjectId": subject, "reason": person.reason}
        self.refused("claimsOfficer", "POST", f"{step}:attachSubject", json=attached)
        documents = self.good("claimsOfficer", "GET", f"{step}/documents", None)["documents"]
        statement = next(each for each in documents if each["kind"] == "STATEMENT")
        path = f"{step}/documents/{statement['documentId']}"
        assert self.good("claimsOfficer", "GET", path, None)["text"] == person.statement

    def incident(self, subject: str) -> None:
        """An incident that affects the person, until it is closed."""
        person, officer = self._person, "privacyOfficer"
        new = {
            "kind": "DISCLOSED",
            "cause": "EMPLOYEE_ERROR",
            "intent": "UNKNOWN",
            "subjectIds": [subject],
            "description": person.statement,
        }
        body = {"incident": new}
        made = self.good(officer, "POST", "/v1/incidents", body)["incident"]
        step = f"/v1/incidents/{made['incidentId']}"
        self.refused(officer, "POST", f"{step}:close", json={"reason": person.reason})
        self.good(officer, "POST", f"{step}:assess", {"measures": person.evidence})
        exemption = {"code": "PUBLIC_BEFORE", "reference": person.notice}
        self.refused(officer, "POST", f"{step}/exemptions", json=exemption)
        exemption["referenceDate"] = "2020-01-01"
        self.good(officer, "POST", f"{step}/exemptions", exemption)
        dispatch = {"channel": "POST", "time": datetime.now(UTC).isoformat()}
        dispatch["proof"] = person.proof
        told = {"addressee": "AUTHORISED_BODY", "dispatch": dispatch}
        self.good(officer, "POST", f"{step}/notices", told)
        self.good(officer, "POST", f"{step}:close", {"reason": person.reason})

    def representative(self, claim: Mapping[str, object]) -> None:
        """The same claim for somebody else, by one who has no authority, as it turns out."""
        person = self._person
        paper = {
            "document": "POWER_OF_ATTORNEY",
            "number": person.authority_number,
            "issuer": person.authority_issuer,
        }
        theirs = {**claim, "claimant": "REPRESENTATIVE", "authority": paper}
        filed = self.good("claimsOfficer", "POST", "/v1/claims", {"claim": theirs})["claim"]
        step = f"/v1/claims/{filed['claimId']}"
        settled = {"decision": "CONFIRMED", "authority": paper, "reason": person.reason}
        self.refused("claimsOfficer", "POST", f"{step}:settleAuthority", json=settled)
        dispatch = {"channel": "POST", "time": datetime.now(UTC).isoformat()}
        dispatch["proof"] = person.proof
        notice = {"text": person.notice, "dispatch": dispatch}
        rejected = {"decision": "REJECTED", "reason": person.reason, "notice": notice}
        self.good("claimsOfficer", "POST", f"{step}:settleAuthority", rejected)

    def errors(self, path: str) -> None:
        """Values where they do not belong, in every way that a caller gets wrong."""
        person, data = self._person, self.data()
        patch = "PATCH", f"{path}/data"
        for wrong in (
            {"data": {**data, "phone": person.wrong_phone}},
            {"data": {**data, "email": f"{person.email}@{person.unknown_value}"}},
            {"data": {**data, "shoeSize": person.unknown_value}},
            {"data": {**data, "configured": {"loyaltyCard": person.unknown_value}}},
            {"data": {**data, "configured": {person.family_name: "43"}}},
            {"data": {**data, "configured": {"loyaltyCard": {"is": person.loyalty_card}}}},
            {"data": {**data, "configured": person.loyalty_card}},
            {"data": {**data, "phone": {"number": person.phone}}},
            {"data": {**data, "familyName": [person.family_name]}},
            {"data": {**data, "address": person.street}},
            {"data": {**data, "address": {"country": person.locality, "street": person.street}}},
            {"data": {"familyName": person.family_name * 200}},
            {"data": {"givenName": f"{person.given_name}\u0007"}},
            {"data": data, "supplier": person.unknown_value},
            {"data": data, "ifVersion": person.phone},
            {"subjectId": person.phone, "data": data},
            [person.family_name],
            person.family_name,
        ):
            self.refused("storefront", *patch, json=wrong)
        plain = json.dumps({"data": data}, ensure_ascii=False).encode()
        name = f'"familyName": "{person.family_name}"'.encode()
        headers = {"Content-Type": "application/json"}
        for content in (
            plain[:-1],
            plain.replace(name, name + b", " + name),
            plain.replace(name, name + b", " + name[:-4] + b"\xff"),
            plain.decode().encode("utf-16"),
            plain + b" " * 1_000_000,
            person.phone.encode(),
        ):
            self.refused("storefront", *patch, content=content, headers=headers)
        self.refused("storefront", *patch, content=plain, headers={"Content-Type": "text/plain"})
        self.misplaced(path)

    def misplaced(self, path: str) -> None:
        """Values in URLs, headers, names of fields and tokens."""
        person = self._person
        read = {"purpose": "IDENTIFY_FOR_ORDER"}
        for wrong in (
            {"purpose": person.unknown_value},
            {**read, "reference": person.unknown_value},
            {**read, "fields": [person.family_name]},
        ):
            self.refused("storefront", "POST", f"{path}/data:read", json=wrong)
        named = quote(person.family_name)
        for url in (
            f"/v1/subjects/{named}/standing",
            f"{path}/standing?phone={quote(person.phone)}",
            f"{path}/consents?atTime={named}",
            f"/v1/claims?state={named}",
            f"/v1/deliveries?pageToken={named}",
            f"/v1/{named}",
        ):
            self.refused("storefront", "GET", url)
        for header in ("Idempotency-Key", "If-Match", "Authorization", "Qupia-Site"):
            value = person.family_name.encode()
            headers = {header: b"Bearer " + value if header == "Authorization" else value}
            body = {"data": {"givenName": person.given_name}}
            self.refused("storefront", "PATCH", f"{path}/data", json=body, headers=headers)
        order = {"orderId": person.email, "subjectId": path.rsplit("/", 1)[1]}
        self.refused("storefront", "POST", "/v1/orders", json={"order": order})
        grant = {"language": person.unknown_value, "wording": "Жаңалықтар"}
        self.refused("storefront", "POST", f"{path}/consents/NEWS:grant", json=grant)

    def data(self) -> dict[str, Any]:
        """The person's data."""
        person = self._person
        return {
            "familyName": person.family_name,
            "givenName": person.given_name,
            "patronymic": person.patronymic,
            "phone": person.phone,
            "email": person.email,
            "configured": {"loyaltyCard": person.loyalty_card},
            "address": {
                "country": "KZ",
                "locality": person.locality,
                "street": person.street,
                "house": "10",
            },
        }


# What is encrypted under the person's key, or found by it, and the wrapped key itself.

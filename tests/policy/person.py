# SPDX-License-Identifier: Apache-2.0
"""A person of a site, and what a storefront, a recipient or an officer asks about them."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from cli.conversation import Answered
from tests.harness.contacts import new_email, new_phone

if TYPE_CHECKING:
    from tests.policy.site import Site

USE = {"kind": "FORM_SUBMIT", "page": "/checkout", "language": "ru", "noticeShown": True}
WORDING = "Хочу получать новости сайта по телефону и электронной почте"
ADDRESS = {
    "country": "KZ",
    "locality": "Алматы",
    "street": "Абай даңғылы",
    "house": "10",
    "flat": "5",
    "postalCode": "050000",
}
DATA: Mapping[str, Any] = {
    "familyName": "Әбілқайырұлы",
    "givenName": "Нұрсұлтан",
    "patronymic": "Ғалымұлы",
    "phone": "+77011234567",
    "email": "nursultan@example.kz",
    "address": ADDRESS,
}
FULL_NAME = "Әбілқайырұлы Нұрсұлтан Ғалымұлы"
CONTACT = {"familyName", "givenName", "patronymic", "phone", "email"}
EXPRESS = {"ACCOUNT": "4.1.6", "NEWS": "4.1.10", "ADVERTISING": "4.1.11", "PARTNER_SITES": "4.1.12"}


def with_own_contact(data: Mapping[str, Any]) -> dict[str, Any]:
    """The data, with a phone and an e-mail address that nobody else has for those of DATA."""
    own = {
        "phone": new_phone(),
        "email": new_email(),
    }
    return {**data, **{name: each for name, each in own.items() if data.get(name) == DATA[name]}}


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who used the site. What ends in -ed has to be answered 200.

    `own` are the data that the site was given of them, with a contact that nobody shares: who
    shares one shares a block (clause 6.2.3).
    """

    site: Site
    subject_id: str
    own: Mapping[str, Any] = field(default_factory=dict)

    @property
    def path(self) -> str:
        """Below which the person's things are found."""
        return f"/v1/subjects/{self.subject_id}"

    def ask(self, verb: str, what: str, body: object = None, who: str = "storefront") -> Answered:
        """A request for something of the person."""
        return self.site.ask(who, verb, f"{self.path}{what}", body)

    # -- the policy and consents ------------------------------------------------------------

    def use(self, **more: object) -> Answered:
        """Another use of the site."""
        return self.ask("POST", "/uses", {"use": {**USE, **more}})

    def accept(self) -> Answered:
        """An express acceptance of the version in force."""
        return self.ask("POST", "/policy:accept", {"language": "kk"})

    def reject(self) -> Answered:
        """Disagreement with the policy."""
        return self.ask("POST", "/policy:reject", {})

    def grant(self, purpose: str) -> Answered:
        """An express consent."""
        body = {"language": "ru", "wording": WORDING}
        return self.ask("POST", f"/consents/{purpose}:grant", body)

    def withdraw(self, purpose: str) -> Answered:
        """Its withdrawal."""
        return self.ask("POST", f"/consents/{purpose}:withdraw", {})

    def consents(self) -> dict[str, Any]:
        """What stands about acceptance and consents."""
        return self.ask("GET", "/consents").json

    def link(self, visitor: Person) -> Answered:
        """A visitor linked to the person's account."""
        return self.ask("POST", ":linkVisitor", {"visitorId": visitor.subject_id})

    def unlink(self, visitor: Person) -> Answered:
        """A wrong link undone by an officer."""
        body = {
            "visitorId": visitor.subject_id,
            "fault": "ANOTHER_PERSON",
            "reference": "case/2026-7",
        }
        return self.ask("POST", ":unlinkVisitor", body, "privacyOfficer")

    # -- data -------------------------------------------------------------------------------

    def place(self, data: Mapping[str, object], **more: object) -> Answered:
        """Data placed or changed."""
        return self.ask("PATCH", "/data", {"data": dict(data), **more})

    def placed(self, data: Mapping[str, object], **more: object) -> int:
        """Data placed; the version they made."""
        answered = self.place(data, **more)
        assert answered.status == 200, answered.content.decode()
        return int(answered.json["version"])

    def read(self, purpose: str, **more: object) -> Answered:
        """A read for a purpose."""
        return self.ask("POST", "/data:read", {"purpose": purpose, **more})

    def data(self, purpose: str = "IDENTIFY_FOR_ORDER", **more: object) -> dict[str, Any]:
        """What a purpose reaches; the read has to be permitted."""
        answered = self.read(purpose, **more)
        assert answered.status == 200, answered.content.decode()
        found: dict[str, Any] = answered.json["data"]
        return found

    def versions(self, who: str = "auditor", **asked: str) -> list[dict[str, Any]]:
        """The versions of the person's data, newest first."""
        query = "&".join(f"{name}={value}" for name, value in asked.items())
        answered = self.ask("GET", f"/data-versions?{query}", who=who)
        assert answered.status == 200, answered.content.decode()
        found: list[dict[str, Any]] = answered.json["versions"]
        return found

    def standing(self) -> dict[str, Any]:
        """What stands about the person at the vault."""
        answered = self.ask("GET", "/standing")
        assert answered.status == 200, answered.content.decode()
        found: dict[str, Any] = answered.json["standing"]
        return found

    # -- orders and disclosures -------------------------------------------------------------

    def order(self) -> Answered:
        """A new order."""
        order = {"orderId": f"P-{secrets.token_hex(6)}", "subjectId": self.subject_id}
        return self.site.ask("storefront", "POST", "/v1/orders", {"order": order})

    def ordered(self) -> str:
        """A new order that is open; its id."""
        answered = self.site.granted(self.order())
        return str(answered.json["order"]["orderId"])

    def assigned(self, recipient: str = "courier", order_id: str = "") -> str:
        """A delivery of an order to a recipient of the site; its id."""
        body = {"recipientId": self.site.recipients[recipient]}
        path = f"/v1/orders/{order_id or self.ordered()}:assign"
        made = self.site.good("storefront", "POST", path, body).json
        return str(made["delivery"]["deliveryId"])

    def disclosures(self) -> list[dict[str, Any]]:
        """The person's ledger, newest first."""
        answered = self.ask("GET", "/disclosures")
        assert answered.status == 200, answered.content.decode()
        found: list[dict[str, Any]] = answered.json.get("disclosures", [])
        return found

    # -- claims -----------------------------------------------------------------------------

    def claim(
        self,
        kind: str = "INACCURATE_DATA",
        claimant: str = "SUBJECT",
        who: str = "storefront",
        receipt: datetime | None = None,
        **more: object,
    ) -> Answered:
        """A claim that concerns the person."""
        claim: dict[str, object] = {
            "subjectIds": [self.subject_id],
            "kind": kind,
            "claimant": claimant,
            "statement": "Телефон указан неверно.",
            "demand": "Исправить телефон.",
            "language": "ru",
            **more,
        }
        if receipt is not None:
            claim["receiptTime"] = receipt.isoformat()
        return self.site.ask(who, "POST", "/v1/claims", {"claim": claim})

    def claimed(
        self, kind: str = "INACCURATE_DATA", claimant: str = "SUBJECT", who: str = "storefront"
    ) -> dict[str, Any]:
        """A claim that was filed, as it stands."""
        answered = self.site.granted(self.claim(kind, claimant, who))
        found: dict[str, Any] = answered.json["claim"]
        return found

    def concluded(self, claim_id: str, outcome: str, **more: object) -> dict[str, Any]:
        """The answer to a verification's conclusion."""
        body = {"outcome": outcome, "evidence": "Документы сверены с оригиналом.", **more}
        path = f"/v1/claims/{claim_id}:concludeVerification"
        return self.site.good("claimsOfficer", "POST", path, body).json


def release(site: Site, delivery_id: str, who: str = "courier") -> Answered:
    """A recipient asks for the details of a delivery."""
    return site.ask(who, "POST", f"/v1/deliveries/{delivery_id}:release", {})


def is_refused(answered: Answered, status: int, code: str, clause: str = "") -> bool:
    """Whether an answer is this refusal; says what it was where not."""
    found = (answered.status, answered.code, answered.clause if clause else "")
    assert found == (status, code, clause), answered.content.decode()
    return True

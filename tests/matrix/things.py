# SPDX-License-Identifier: Apache-2.0
"""What requests are about: a person, an order, a claim of one site; another's; blocked; absent."""

import secrets
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Final

import httpx

from cli.seed import OTHER_SITE, PARTNERS, SITE
from services.chassis.ids import new_subject_id, new_uuid
from tests.harness.contacts import new_email, new_phone
from tests.harness.suite import POLICY, USE, Suite
from tests.matrix.callers import (
    Caller,
    known_callers,
    partner_callers,
    recipient_caller,
    subject_caller,
)

RELATIONS = OWN, OTHERS, ABSENT, BLOCKED = "own", "anotherSites", "absent", "blocked"
CLAIMS_OFFICERS = {SITE: "claimsOfficer", OTHER_SITE: "otherClaimsOfficer"}
_SECONDS = 30.0
PART_OF: Final[Mapping[str, str]] = {
    "order_id": "order",
    "delivery_id": "order",
    "disclosure_id": "order",
    "disclosure_act_id": "order",
    "claim_id": "claim",
    "claims_act_id": "claim",
    "visitor_id": "visitor",
    "registered_id": "registered",
    "authority_id": "authority",
    "authority_request_id": "authority request",
}
"""The part of a thing that has to be there for a member to be the id of something."""
WHOLE: Final = frozenset({"data", *PART_OF.values()})


@dataclass(frozen=True, slots=True)
class Thing:
    """A person with all that hangs on them. Ids of the contract's forms, whether or not they are
    anybody's. `visitor_id` is linked to nobody, `registered_id` is a recipient that waits for its
    activation, `authority_id` a state body that does, `authority_request_id` one that waits for a
    second officer, `policy_version` a version that the site has."""

    site: str
    subject_id: str
    visitor_id: str
    order_id: str
    delivery_id: str
    disclosure_id: str
    claim_id: str
    recipient_id: str
    registered_id: str
    authority_id: str
    authority_request_id: str
    consent_act_id: str
    disclosure_act_id: str
    claims_act_id: str
    policy_version: int

    @property
    def ids(self) -> tuple[str, ...]:
        """What may stand in no answer to another site."""
        members = (getattr(self, field.name) for field in fields(self) if field.name != "site")
        return tuple(each for each in members if isinstance(each, str))


def absent_thing() -> Thing:
    """Nobody's: ids that never were."""
    return Thing(
        site="",
        subject_id=new_subject_id(),
        visitor_id=new_subject_id(),
        order_id=f"N-{secrets.token_hex(6)}",
        delivery_id=new_uuid(),
        disclosure_id=new_uuid(),
        claim_id=new_uuid(),
        recipient_id=new_uuid(),
        registered_id=new_uuid(),
        authority_id=new_uuid(),
        authority_request_id=new_uuid(),
        consent_act_id=new_uuid(),
        disclosure_act_id=new_uuid(),
        claims_act_id=new_uuid(),
        policy_version=1_000_000,
    )


class World:
    """The two sites of a suite, with all their callers; makes things on either.

    `versions` is each site's newest policy version.
    """

    def __init__(self, suite: Suite) -> None:
        self.suite = suite
        self.client = httpx.Client(base_url=suite.gateway, timeout=_SECONDS, trust_env=False)
        self.callers = known_callers(suite) | partner_callers(suite)
        self.versions: dict[str, int] = {}
        self._ensure_versions()
        recipient_id = self._activated(OTHER_SITE)
        other = recipient_caller(suite, OTHER_SITE, recipient_id)
        self.callers[other.name] = other
        self._authorities: dict[str, str] = {}
        self._shared: Mapping[str, Thing] = {}
        self._persons: dict[str, Caller] = {}

    def things(self) -> Mapping[str, Thing]:
        """One whole thing of each kind, the same for all tests: nobody may change them."""
        if not self._shared:
            self._shared = self.fresh_things()
        return self._shared

    def fresh_things(
        self, parts: Collection[str] = WHOLE, relations: Collection[str] = RELATIONS
    ) -> dict[str, Thing]:
        """One thing of each kind for one test, with these parts."""
        self._ensure_versions()
        makers: Mapping[str, Callable[[], Thing]] = {
            OWN: lambda: self.make(SITE, parts=parts),
            OTHERS: lambda: self.make(OTHER_SITE, parts=parts),
            ABSENT: absent_thing,
            BLOCKED: lambda: self.make(SITE, blocked=True, parts=parts),
        }
        return {name: makers[name]() for name in relations}

    def make(self, site: str, *, blocked: bool = False, parts: Collection[str] = WHOLE) -> Thing:
        """A person with data, an open order that was released once, and a claim: as far as they
        are among the `parts`; the members of the others name nothing.

        The claim blocks the data where `blocked`, and blocks nothing otherwise.
        """
        shop = self.callers["storefront" if site == SITE else "otherStorefront"]
        recipient = self.callers["courier" if site == SITE else "otherRecipient"]
        born = self.ask(shop, "POST", "/v1/subjects", {"use": USE})
        thing = replace(
            absent_thing(),
            site=site,
            subject_id=born["subjectId"],
            consent_act_id=born["actId"],
            recipient_id=recipient.recipient_id,
            policy_version=self.versions[site],
        )
        if "data" in parts or "order" in parts:
            data = {**new_data(), "email": email_of(thing.subject_id)}
            self.ask(shop, "PATCH", f"/v1/subjects/{thing.subject_id}/data", {"data": data})
        if "order" in parts:
            thing = self._with_order(thing, shop, recipient)
        if "claim" in parts or blocked:
            claim = {"claim": new_claim(thing.subject_id, blocked)}
            filed = self.ask(shop, "POST", "/v1/claims", claim)
            assert filed["claim"]["blocks"] is blocked
            claim_id = filed["claim"]["claimId"]
            thing = replace(thing, claim_id=claim_id, claims_act_id=filed["actId"])
        return self._with_others(thing, shop, parts)

    def _with_order(self, thing: Thing, shop: Caller, recipient: Caller) -> Thing:
        order = {"orderId": thing.order_id, "subjectId": thing.subject_id}
        opened = self.ask(shop, "POST", "/v1/orders", {"order": order})
        body = {"recipientId": recipient.recipient_id}
        assigned = self.ask(shop, "POST", f"/v1/orders/{thing.order_id}:assign", body)
        delivery_id = assigned["delivery"]["deliveryId"]
        released = self.ask(recipient, "POST", f"/v1/deliveries/{delivery_id}:release", {})
        return replace(
            thing,
            delivery_id=delivery_id,
            disclosure_id=released["releaseId"],
            disclosure_act_id=opened["actId"],
        )

    def _with_others(self, thing: Thing, shop: Caller, parts: Collection[str]) -> Thing:
        site, made = thing.site, dict[str, Any]()
        if "visitor" in parts:
            made["visitor_id"] = self.ask(shop, "POST", "/v1/subjects", {"use": USE})["subjectId"]
        if "registered" in parts:
            made["registered_id"] = self._registered(site)
        if "authority" in parts:
            made["authority_id"] = self._authority(site)
        if "authority request" in parts:
            made["authority_request_id"] = self._authority_request(site, thing.subject_id)
        return replace(thing, **made)

    def person(self, thing: Thing) -> Caller:
        """The person concerned behind a thing, with a session that an officer's code opened."""
        if thing.subject_id not in self._persons:
            officer = self.callers[CLAIMS_OFFICERS[thing.site]]
            made = subject_caller(self.client, officer, thing.subject_id)
            self._persons[thing.subject_id] = made
        return self._persons[thing.subject_id]

    def ask(self, caller: Caller, verb: str, path: str, body: object) -> dict[str, Any]:
        """A request that has to be answered 200."""
        answer = self.client.request(verb, path, json=body, headers=caller.headers)
        assert answer.status_code == 200, f"{caller.name} {verb} {path}: {answer.text}"
        document: dict[str, Any] = answer.json()
        return document

    def close(self) -> None:
        """Close the connections."""
        self.client.close()

    def _officer(self, site: str, *, second: bool = False) -> Caller:
        names = {
            SITE: ("privacyOfficer", "secondPrivacyOfficer"),
            OTHER_SITE: ("otherPrivacyOfficer", "otherSecondPrivacyOfficer"),
        }
        return self.callers[names[site][second]]

    def _ensure_versions(self) -> None:
        """Publishes until the other site has a version that the first has not."""
        versions = {site: self._newest(site) for site in (SITE, OTHER_SITE)}
        while versions[OTHER_SITE] <= versions[SITE] or not versions[SITE]:
            behind = OTHER_SITE if versions[SITE] else SITE
            published = self.ask(self._officer(behind), "POST", "/v1/policies", POLICY)
            versions[behind] = int(published["policy"]["version"])
        self.versions = versions

    def _newest(self, site: str) -> int:
        listed = self.client.get("/v1/policies", headers=self._officer(site).headers).json()
        return max((int(policy["version"]) for policy in listed["policies"]), default=0)

    def _registered(self, site: str) -> str:
        body = {"recipient": new_recipient()}
        made = self.ask(self._officer(site), "POST", "/v1/recipients", body)
        return str(made["recipient"]["recipientId"])

    def _authority(self, site: str) -> str:
        body = {"authority": {"legalName": "Прокуратура", "bin": PARTNERS["courier"].bin}}
        made = self.ask(self._officer(site), "POST", "/v1/authorities", body)
        return str(made["authority"]["authorityId"])

    def active_authority(self, site: str) -> str:
        """A state body of the site that may ask."""
        if site not in self._authorities:
            self._authorities[site] = self._authority(site)
            path = f"/v1/authorities/{self._authorities[site]}:activate"
            self.ask(self._officer(site, second=True), "POST", path, {})
        return self._authorities[site]

    def _authority_request(self, site: str, subject_id: str) -> str:
        body = new_authority_request(self.active_authority(site), subject_id)
        made = self.ask(self._officer(site), "POST", "/v1/authority-requests", body)
        return str(made["request"]["requestId"])

    def _activated(self, site: str) -> str:
        recipient_id = self._registered(site)
        path = f"/v1/recipients/{recipient_id}:activate"
        self.ask(self._officer(site, second=True), "POST", path, {})
        return recipient_id


def email_of(subject_id: str) -> str:
    """The address by which that person is found, and nobody else."""
    return f"{subject_id}@example.kz"


def new_data() -> dict[str, str]:
    """Data with a contact that nobody else has: who shares one shares a block, some day."""
    return {"givenName": "Нұрсұлтан", "phone": new_phone(), "email": new_email()}


def new_recipient() -> Mapping[str, object]:
    """A recipient to register."""
    return {
        "kind": "COURIER",
        "legalName": "ТОО «Курьер»",
        "bin": PARTNERS["courier"].bin,
        "agreement": "ДГ-2026/1",
    }


def new_authority_request(authority_id: str, subject_id: str) -> dict[str, Any]:
    """A complete request of a state body to enter."""
    authorization = {
        "authorityId": authority_id,
        "official": {"name": "Ерлан", "position": "тергеуші"},
        "ground": {"kind": "COURT_ACT", "act": "АПК", "article": "73"},
        "document": {
            "kind": "COURT_RULING",
            "number": "2-17",
            "date": "2026-01-12",
            "sha256": "0" * 64,
        },
        "subjectId": subject_id,
    }
    return {"request": {"authorization": authorization, "tasks": [{"category": "PHONE"}]}}


def new_claim(subject_id: str, blocks: bool) -> Mapping[str, object]:
    """A claim to file."""
    return {
        "subjectIds": [subject_id],
        "kind": "INACCURATE_DATA" if blocks else "OTHER",
        "claimant": "SUBJECT",
        "statement": "Данные неверны.",
        "demand": "Исправить.",
        "language": "ru",
    }

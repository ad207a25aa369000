# SPDX-License-Identifier: Apache-2.0
"""Every kind of credential: those of credentials.json, nobody's, a garbage key, and the roles that
the other site lacks there, so that each role has a holder on both sites."""

import secrets
from dataclasses import dataclass, field

import httpx

from cli.development_issuer import PEOPLE, DevelopmentIssuer, Person
from cli.layout import Layout
from cli.seed import OTHER_SITE, PARTNERS, SITE, STOREFRONTS
from gateway.book import CredentialBook
from gateway.credential import Holder, KeyRole, new_key
from services.chassis.clock import SystemClock
from services.chassis.contract import Method
from services.chassis.database import Database
from tests.harness.suite import Suite

ANONYMOUS, GARBAGE_KEY = "anonymous", "garbageKey"
OTHER_PEOPLE = {
    "otherSecondPrivacyOfficer": Person("other-second-officer", OTHER_SITE, "PRIVACY_OFFICER"),
    "otherClaimsOfficer": Person("other-claims-officer", OTHER_SITE, "CLAIMS_OFFICER"),
    "otherAuditor": Person("other-auditor", OTHER_SITE, "AUDITOR"),
}


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls. `site` and `role` are empty where the credential is none."""

    name: str
    token: str = field(repr=False)
    site: str = ""
    role: str = ""
    recipient_id: str = ""
    subject_id: str = ""

    @property
    def is_known(self) -> bool:
        """Whether the credential is valid at all."""
        return bool(self.role)

    def may_call(self, method: Method) -> bool:
        """Whether the contract lets the caller's role call."""
        anyone = method.any_caller and self.role != "PARTNER"
        right = self.is_known and (anyone or self.role in (method.roles or ()))
        return method.anyone or (right and self.is_known_to(method))

    def is_known_to(self, method: Method) -> bool:
        """Whether the credential is known there: whose session it is the vault alone knows, and the
        others ask it only where a person may call."""
        opens = method.any_caller or "SUBJECT" in (method.roles or ())
        return self.is_known and (self.role != "SUBJECT" or opens or method.process == "vault")

    @property
    def headers(self) -> dict[str, str]:
        """What the caller sends."""
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}


def known_callers(suite: Suite) -> dict[str, Caller]:
    """The callers of a suite by name, without otherRecipient, who has to be registered first."""
    tokens = {name: credential["token"] for name, credential in suite.credentials.items()}
    issuer, now = DevelopmentIssuer.open(Layout(suite.home)), SystemClock().now()
    callers = [Caller(ANONYMOUS, ""), Caller(GARBAGE_KEY, new_key())]
    callers += [
        Caller(name, tokens[name], site, "STOREFRONT") for name, site in STOREFRONTS.items()
    ]
    callers += [
        Caller(name, tokens[name], SITE, "RECIPIENT", suite.credentials[name]["recipientId"])
        for name in PARTNERS
    ]
    callers += [Caller(name, tokens[name], p.site, p.role) for name, p in PEOPLE.items()]
    callers += [
        Caller(name, issuer.token(p, now), p.site, p.role) for name, p in OTHER_PEOPLE.items()
    ]
    return {caller.name: caller for caller in callers}


def partner_callers(suite: Suite) -> dict[str, Caller]:
    """A partner of either site, by name."""
    sites = {"partner": SITE, "otherPartner": OTHER_SITE}
    return {
        name: Caller(name, _key(suite, site, KeyRole.PARTNER), site, "PARTNER")
        for name, site in sites.items()
    }


def subject_caller(client: httpx.Client, officer: Caller, subject_id: str) -> Caller:
    """A person concerned, let in by a code that an officer of the site handed over."""
    asked = {"identification": {"method": "IDENTITY_DOCUMENT", "reference": "register:1"}}
    path = f"/v1/subjects/{subject_id}/access-codes"
    code = client.post(path, json=asked, headers=officer.headers).json()["code"]
    session = client.post("/v1/access-codes:redeem", json={"code": code}).json()["session"]
    name = f"person {subject_id[:6]}"
    return Caller(name, session, officer.site, "SUBJECT", subject_id=subject_id)


def second_claims_officer(suite: Suite) -> Caller:
    """Another claims officer of the site, who approves what the first proposed."""
    person = Person("second-claims-officer", SITE, "CLAIMS_OFFICER")
    token = DevelopmentIssuer.open(Layout(suite.home)).token(person, SystemClock().now())
    return Caller("secondClaimsOfficer", token, person.site, person.role)


def recipient_caller(suite: Suite, site: str, recipient_id: str) -> Caller:
    """A recipient with a key of its own."""
    key = _key(suite, site, KeyRole.RECIPIENT, recipient_id)
    return Caller("otherRecipient", key, site, "RECIPIENT", recipient_id)


def _key(suite: Suite, site: str, role: KeyRole, recipient_id: str = "") -> str:
    """A key, issued as `qupia credentials issue` does."""
    database = Database(suite.database_url("gateway"), pool_size=1)
    try:
        book = CredentialBook(database, SystemClock(), "operator/test")
        name = f"{role.value.lower()}-{secrets.token_hex(4)}"
        return book.issue(Holder(name, site, role, (), recipient_id)).key
    finally:
        database.close()

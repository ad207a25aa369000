# SPDX-License-Identifier: Apache-2.0
"""A site of its own for tests of the policy: its officers, storefronts, recipients and persons.

What a test publishes, withdraws or files here disturbs no other site of the suite.
"""

import hashlib
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import datetime
from functools import cached_property
from typing import Any

from cli.conversation import Answered, Conversation
from cli.development_issuer import DevelopmentIssuer
from cli.development_issuer import Person as Officer
from cli.layout import Layout
from cli.seed import PARTNERS
from gateway.book import CredentialBook
from gateway.credential import Holder, KeyRole
from services.chassis.clock import SystemClock
from services.chassis.database import Database
from services.chassis.ids import new_uuid
from tests.harness.acts import await_force
from tests.harness.suite import POLICY, Suite
from tests.policy.person import USE, Person, with_own_contact

OFFICERS = {
    "privacyOfficer": "PRIVACY_OFFICER",
    "secondPrivacyOfficer": "PRIVACY_OFFICER",
    "claimsOfficer": "CLAIMS_OFFICER",
    "secondClaimsOfficer": "CLAIMS_OFFICER",
    "auditor": "AUDITOR",
    "keyCustodian": "KEY_CUSTODIAN",
}
KINDS = {"courier": "COURIER", "otherCourier": "COURIER", "post": "POSTAL", "telecom": "TELECOM"}
Texts = Mapping[str, object]


class Site:
    """A new site of a suite, with everybody who may call for it; use it in a `with`."""

    def __init__(self, suite: Suite) -> None:
        self.suite = suite
        self.site_id = f"site-{secrets.token_hex(6)}"
        issuer, now = DevelopmentIssuer.open(Layout(suite.home)), SystemClock().now()
        self._credentials = {
            name: {
                "token": issuer.token(Officer(f"{name}-{self.site_id}", self.site_id, role), now)
            }
            for name, role in OFFICERS.items()
        }
        self._credentials["storefront"] = {"token": self._key("storefront", KeyRole.STOREFRONT)}
        self.conversation = Conversation(suite.gateway, self._credentials)
        self.asked: list[Answered] = []

    # -- who calls --------------------------------------------------------------------------

    def ask(
        self,
        who: str,
        verb: str,
        path: str,
        body: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answered:
        """A request as `who`; nobody's where empty."""
        answered = self.conversation.ask(who, verb, path, body, headers)
        self.asked.append(answered)
        return answered

    def token(self, who: str) -> str:
        """What somebody of the site shows."""
        return self._credentials[who]["token"]

    def good(self, who: str, verb: str, path: str, body: object = None) -> Answered:
        """A request that has to be granted."""
        return self.granted(self.ask(who, verb, path, body))

    def granted(self, answered: Answered) -> Answered:
        """The answer to a request that has to be granted, once its act is in force."""
        if answered.status == 202:
            await_force(lambda: self._act_of(answered), answered.path)
        else:
            told = f"{answered.who} {answered.verb} {answered.path}"
            assert answered.status == 200, f"{told}: {answered.content.decode()}"
        return answered

    def _act_of(self, answered: Answered) -> Mapping[str, Any]:
        act: Mapping[str, Any]
        act = self.ask(answered.who, "GET", answered.headers["location"]).json.get("act", {})
        return act

    @cached_property
    def recipients(self) -> Mapping[str, str]:
        """The ids of the site's active recipients, by the names of KINDS; each has a key."""
        ids = {}
        for name, kind in KINDS.items():
            ids[name] = self.registered(kind)
            self.good("secondPrivacyOfficer", "POST", f"/v1/recipients/{ids[name]}:activate", {})
            self.admit(name, ids[name])
        return ids

    def registered(self, kind: str = "COURIER") -> str:
        """A recipient that one officer has registered and nobody activated; its id."""
        body = {"recipient": recipient(kind)}
        made = self.good("privacyOfficer", "POST", "/v1/recipients", body).json
        return str(made["recipient"]["recipientId"])

    def admit(self, name: str, recipient_id: str) -> None:
        """Gives `name` a key as the recipient of that id, whether or not it is registered."""
        self._credentials[name] = {"token": self._key(name, KeyRole.RECIPIENT, recipient_id)}

    def hold(self, name: str, token: str) -> None:
        """Lets `name` call with a token."""
        self._credentials[name] = {"token": token}

    def stranger(self) -> str:
        """The name of somebody who holds a recipient's key and was never registered."""
        name = f"stranger-{secrets.token_hex(4)}"
        self.admit(name, new_uuid())
        return name

    def template(self, kind: str = "SERVICE") -> str:
        """A message template that an officer has just registered; its id."""
        template_id = f"template:{secrets.token_hex(6)}"
        texts = [{"language": "kk", "sha256": hashlib.sha256("Хабарлама".encode()).hexdigest()}]
        body = {"template": {"templateId": template_id, "kind": kind, "texts": texts}}
        self.good("privacyOfficer", "POST", "/v1/templates", body)
        return template_id

    # -- what it has ------------------------------------------------------------------------

    def publish(
        self,
        texts: Texts = POLICY,
        effective: datetime | None = None,
        material: Sequence[str] = (),
    ) -> Answered:
        """Asks to publish a version, to be in force at `effective`, at once where None."""
        body = {**texts, "materialPurposes": list(material)}
        if effective is not None:
            body["effectiveTime"] = effective.isoformat()
        return self.ask("privacyOfficer", "POST", "/v1/policies", body)

    def person(self, data: Mapping[str, object] | None = None) -> Person:
        """A person who has just used the site, with the data given and a contact of their own."""
        born = self.good("storefront", "POST", "/v1/subjects", {"use": USE}).json
        person = Person(self, str(born["subjectId"]), with_own_contact(data or {}))
        if data:
            person.placed(person.own)
        return person

    def close(self) -> None:
        """Closes the connections."""
        self.conversation.close()

    def _key(self, name: str, role: KeyRole, recipient_id: str = "") -> str:
        holder = Holder(f"{name}-{self.site_id}", self.site_id, role, (), recipient_id)
        with closing(Database(self.suite.database_url("gateway"), pool_size=1)) as database:
            return CredentialBook(database, SystemClock(), "operator/test").issue(holder).key


@contextmanager
def new_site(suite: Suite, *, policy: bool = True) -> Iterator[Site]:
    """A new site, with a policy version in force unless `policy` is False."""
    with closing(Site(suite)) as site:
        if policy:
            site.granted(site.publish())
        yield site


def recipient(kind: str = "COURIER") -> Mapping[str, object]:
    """A recipient to register."""
    return {
        "kind": kind,
        "legalName": "ТОО «Курьер»",
        "bin": PARTNERS["courier"].bin,
        "agreement": "ДГ-2026/1",
    }

# SPDX-License-Identifier: Apache-2.0
"""What a fresh suite needs before it can be tried: people, recipients and keys of two sites.

Recipients are registered over the real API, by one privacy officer and activated by another. All
of it may be done again at every start: what stands is kept.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import httpx

from cli.development_issuer import PEOPLE, DevelopmentIssuer
from cli.layout import Layout
from cli.private_file import read_json, write_private_json
from gateway.book import CredentialBook
from gateway.credential import Holder, KeyRole
from services.chassis.clock import Clock
from services.chassis.database import Database
from services.chassis.refusal import Refusal
from services.chassis.start_error import StartError

SITE, OTHER_SITE = "demo", "other"
OPERATOR = "process/supervisor"
_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Partner:
    """A recipient of clause 5.2 with an invented name and a well-formed number."""

    kind: str
    legal_name: str
    bin: str
    agreement: str


PARTNERS: Mapping[str, Partner] = {
    "courier": Partner("COURIER", "«Жедел жеткізу» ЖШС", "181140010008", "ШРТ-2026/11"),
    "otherCourier": Partner("COURIER", "ТОО «Северный курьер»", "200240010005", "ДГ-2026/12"),
    "post": Partner("POSTAL", "«Дала поштасы» АҚ", "970540010005", "ДГ-2026/13"),
    "telecom": Partner("TELECOM", "АО «Степная связь»", "050840010004", "ДГ-2026/14"),
}
STOREFRONTS = {"storefront": SITE, "otherStorefront": OTHER_SITE}


@dataclass(frozen=True, slots=True)
class Seed:
    """Puts the first things into a running suite. Raises StartError where the suite refuses."""

    layout: Layout
    issuer: DevelopmentIssuer
    clock: Clock
    gateway: str
    gateway_database: str

    def plant(self) -> dict[str, object]:
        """Makes what is missing and writes credentials.json; returns what stands in it."""
        people = {name: self.issuer.token(each, self._now) for name, each in PEOPLE.items()}
        recipients = self._recipients(people)
        document: dict[str, object] = {
            "gateway": self.gateway,
            "credentials": {
                **self._keys(recipients),
                **{name: {"token": token} for name, token in people.items()},
            },
        }
        write_private_json(self.layout.credentials, document)
        return document

    @property
    def _now(self) -> datetime:
        return self.clock.now()

    def _recipients(self, people: Mapping[str, str]) -> dict[str, str]:
        """The recipients' ids by name."""
        ids: dict[str, str] = read_json(self.layout.seed).get("recipients", {})
        missing = [name for name in PARTNERS if name not in ids]
        if missing:
            with httpx.Client(base_url=self.gateway, timeout=_SECONDS, trust_env=False) as client:
                registrar = _Registrar(client, people)
                ids |= {name: registrar.register(name, PARTNERS[name]) for name in missing}
            write_private_json(self.layout.seed, {"recipients": ids})
        return ids

    def _keys(self, recipients: Mapping[str, str]) -> dict[str, dict[str, str]]:
        """What the holders of API keys call with, by name; keys that still open are kept."""
        kept = read_json(self.layout.credentials).get("credentials", {})
        holders = {
            name: Holder(name, site, KeyRole.STOREFRONT) for name, site in STOREFRONTS.items()
        } | {name: Holder(name, SITE, KeyRole.RECIPIENT, (), recipients[name]) for name in PARTNERS}
        database = Database(self.gateway_database, pool_size=1)
        book = CredentialBook(database, self.clock, OPERATOR)
        try:
            tokens = {
                name: _key(book, holder, str(kept.get(name, {}).get("token", "")))
                for name, holder in holders.items()
            }
        finally:
            database.close()
        return {
            name: {"token": token} | ({"recipientId": recipients[name]} if name in PARTNERS else {})
            for name, token in tokens.items()
        }


def _key(book: CredentialBook, holder: Holder, kept: str) -> str:
    """The key that is kept if it still opens, else a new one in place of those that are lost."""
    try:
        if kept and book.holder_of(kept) == holder:
            return kept
    except Refusal:
        pass
    for credential in book.every():
        lost = credential.holder.principal_id == holder.principal_id
        if lost and credential.revoke_time is None:
            book.revoke(credential.credential_id)
    return book.issue(holder).key


@dataclass(frozen=True, slots=True)
class _Registrar:
    client: httpx.Client
    people: Mapping[str, str]

    def register(self, name: str, partner: Partner) -> str:
        """Registers and activates a recipient; its id. A repeat changes nothing."""
        recipient = {
            "kind": partner.kind,
            "legalName": partner.legal_name,
            "bin": partner.bin,
            "agreement": partner.agreement,
        }
        registered = self._post(
            "privacyOfficer", "/v1/recipients", {"recipient": recipient}, f"seed-register-{name}"
        )
        recipient_id = str(registered["recipient"]["recipientId"])
        self._post(
            "secondPrivacyOfficer",
            f"/v1/recipients/{recipient_id}:activate",
            {},
            f"seed-activate-{name}",
        )
        return recipient_id

    def _post(self, who: str, path: str, body: object, key: str) -> dict[str, dict[str, object]]:
        headers = {"Authorization": f"Bearer {self.people[who]}", "Idempotency-Key": key}
        try:
            answer = self.client.post(path, json=body, headers=headers)
        except httpx.HTTPError as error:
            raise StartError(
                f"the gateway does not answer {path}: {type(error).__name__}"
            ) from None
        if answer.status_code != 200:
            raise StartError(f"{path} was answered {answer.status_code}: {answer.text}")
        document: dict[str, dict[str, object]] = answer.json()
        return document

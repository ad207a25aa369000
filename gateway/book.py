# SPDX-License-Identifier: Apache-2.0
"""The book of API keys: issue, rotate, revoke, look up; every change is evidence (1.1.1, 1.1.3)."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from gateway import store
from gateway.credential import (
    MOST_LIVE_KEYS,
    Credential,
    Holder,
    KeyRole,
    digest,
    new_key,
    same,
)
from gateway.refused import Note, RefusedCredential, Rule, unheard
from qupia.contract.v1 import contract_pb2
from services.chassis import evidence
from services.chassis.clock import Clock
from services.chassis.database import Database
from services.chassis.ids import new_uuid
from services.chassis.refusal import Unauthenticated
from services.chassis.validation import PATTERNS

_NO_DIGEST = bytes(32)
_ANY_UUID = "00000000-0000-0000-0000-000000000000"
_VERB = "SYSTEMATISE"


class CredentialRefused(Exception):
    """What was asked of the book cannot be; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Issued:
    """A key in the only moment in which it is known."""

    credential: Credential
    key: str = field(repr=False)


class CredentialBook:
    """The keys in a gateway's database.

    `operator` is recorded as who made a change, `refused` hears of keys that open nothing. Every
    method raises Unavailable where the database cannot serve.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        operator: str = "process/gateway",
        refused: Note = unheard,
    ) -> None:
        self._database = database
        self._clock = clock
        self._operator = operator
        self._refused = refused

    def credential_of(self, key: str) -> Credential:
        """The credential of a live key; Unauthenticated for any other, after the same work."""
        presented = digest(key)
        with self._database.transaction() as connection:
            found = store.find(connection, presented)
        stored, credential = found or (_NO_DIGEST, None)
        matches = same(presented, stored)
        if credential is None or not matches:
            self._refused(RefusedCredential(Rule.KEY_UNKNOWN))
            raise Unauthenticated
        if not credential.is_live(self._clock.now()):
            rule = Rule.KEY_REVOKED if credential.revoke_time else Rule.KEY_EXPIRED
            self._refused(RefusedCredential(rule, credential))
            raise Unauthenticated
        return credential

    def holder_of(self, key: str) -> Holder:
        """Who holds a live key. Raises as `credential_of`."""
        return self.credential_of(key).holder

    def issue(self, holder: Holder, lifetime: timedelta | None = None) -> Issued:
        """A first key for a principal. Raises CredentialRefused where one lives already."""
        _check_holder(holder)
        with self._database.transaction() as connection:
            store.lock_principal(connection, holder.principal_id)
            if self._live(connection, holder.principal_id):
                raise CredentialRefused(
                    f"{holder.principal_id} has a key already: rotate it, or revoke it first"
                )
            return self._add(connection, holder, lifetime, "credential.issued", {})

    def rotate(self, principal_id: str, lifetime: timedelta | None = None) -> Issued:
        """A second key with the grants of the first, which lives on until it is revoked.

        Raises CredentialRefused where the principal has no live key, or two.
        """
        with self._database.transaction() as connection:
            store.lock_principal(connection, principal_id)
            live = self._live(connection, principal_id)
            if not live:
                raise CredentialRefused(f"{principal_id} has no live key to rotate: issue one")
            if len(live) >= MOST_LIVE_KEYS:
                raise CredentialRefused(
                    f"{principal_id} has {len(live)} live keys: revoke one first; "
                    f"{live[0].credential_id} is the oldest"
                )
            refs = {"replaces": live[0].credential_id}
            return self._add(connection, live[0].holder, lifetime, "credential.rotated", refs)

    def revoke(self, credential_id: str) -> Credential:
        """End a key, effective with the next request. A second time changes nothing.

        Raises CredentialRefused for an id that no key has.
        """
        with self._database.transaction() as connection:
            credential = store.get(connection, credential_id)
            if credential is None:
                raise CredentialRefused("no key has this id: `qupia credentials list` shows them")
            store.lock_principal(connection, credential.holder.principal_id)
            if credential.revoke_time is None:
                now = self._clock.now()
                store.revoke(connection, credential_id, now)
                self._record(connection, credential, "credential.revoked", {}, now)
            return store.get(connection, credential_id) or credential

    def every(self) -> Sequence[Credential]:
        """All keys, ended ones too, by principal and age."""
        with self._database.transaction() as connection:
            return store.every(connection)

    def _live(self, connection: store.Transaction, principal_id: str) -> list[Credential]:
        now = self._clock.now()
        return [c for c in store.of_principal(connection, principal_id) if c.is_live(now)]

    def _add(
        self,
        connection: store.Transaction,
        holder: Holder,
        lifetime: timedelta | None,
        event: str,
        refs: dict[str, str],
    ) -> Issued:
        now = self._clock.now()
        expire_time = None if lifetime is None else now + lifetime
        credential = Credential(new_uuid(), holder, now, expire_time, None)
        key = new_key()
        store.add(connection, credential, digest(key))
        self._record(connection, credential, event, refs, now)
        return Issued(credential, key)

    def _record(
        self,
        connection: store.Transaction,
        credential: Credential,
        event: str,
        refs: dict[str, str],
        now: datetime,
    ) -> None:
        entry = evidence.Entry(
            event=event,
            verb=_VERB,
            outcome=evidence.DONE,
            site_id=credential.holder.site_id,
            principal=self._operator,
            clause="1.1.1",
            refs={
                "credential_id": credential.credential_id,
                "principal_id": credential.holder.principal_id,
                "role": credential.holder.role.value,
                **_budget(credential.holder),
                **refs,
            },
        )
        evidence.append(connection, entry, now)


def _budget(holder: Holder) -> dict[str, str]:
    return {"daily_subjects": str(holder.daily_subjects)} if holder.daily_subjects else {}


def _check_holder(holder: Holder) -> None:
    for text, form, what in (
        (holder.site_id, contract_pb2.TextRule.SITE_ID, "a site is"),
        (holder.principal_id, contract_pb2.TextRule.REFERENCE, "a principal is"),
        (holder.recipient_id or _ANY_UUID, contract_pb2.TextRule.UUID, "a recipient is"),
    ):
        if not re.fullmatch(PATTERNS[form], text):
            raise CredentialRefused(f"{what} {PATTERNS[form]}")
    if (holder.role is KeyRole.RECIPIENT) != bool(holder.recipient_id):
        raise CredentialRefused(
            "a RECIPIENT's key names its recipient, all others name none: see --recipient"
        )
    if holder.purposes and holder.role is not KeyRole.STOREFRONT:
        raise CredentialRefused("only a STOREFRONT's key is limited to purposes: see --purpose")
    if holder.daily_subjects and holder.role is not KeyRole.STOREFRONT:
        raise CredentialRefused("only a STOREFRONT's key has a budget: see --daily-subjects")

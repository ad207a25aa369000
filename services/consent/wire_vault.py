# SPDX-License-Identifier: Apache-2.0
"""What is pushed to the vault: the slice of a subject, the schedule of a site."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from qupia.subject.v1 import subject_pb2
from qupia.vault.v1 import pushes_pb2, uses_pb2, vault_pb2
from services.chassis.client import Client
from services.chassis.decider.store_outbox import Push
from services.chassis.decider.wire_pushes import together
from services.chassis.sealed.document import SealedDocument, SealingKey
from services.consent.agreement import Mode
from services.consent.book import Book
from services.consent.consent import Fact
from services.consent.schedule import Schedule
from services.consent.wire import purposes, timestamp

_CONSENT: Final = "/qupia.vault.v1.VaultConsentService"
_PUSH_TOGETHER: Final = "/qupia.vault.v1.VaultConsentPushService/ApplyConsentSlices"
_DECIDER: Final = "/qupia.vault.v1.VaultDeciderService"
_PUT_USE: Final = "/qupia.vault.v1.VaultUseService/PutUse"


def slice_body(book: Book) -> bytes:
    """The whole slice of a subject, in canonical bytes.

    Per purpose the fact that stands, and after it a grant on its way: until
    the vault has applied that one, the former goes on. A refused grant was
    never in force and is left out. Links are all there, ended ones too.
    """
    agreement = book.agreement
    message = vault_pb2.ConsentSlice(
        disagreed_time=timestamp(agreement.disagreement.time if agreement.disagreement else None),
        consents=[
            _fact(purpose, fact)
            for purpose, consent in sorted(book.consents.items())
            for fact in (consent.standing, consent.proposed)
            if fact is not None
        ],
        links=[
            vault_pb2.LinkFact(
                account_id=link.account_id,
                link_time=timestamp(link.time),
                ended_time=timestamp(link.end_time),
                proposal_id=link.act_id,
            )
            for link in (*book.links.settled, book.links.proposed)
            if link is not None
        ],
    )
    if agreement.accepted is not None:
        message.accepted_version = agreement.accepted.policy_version
        message.accepted_time.FromDatetime(agreement.accepted.time)
    if agreement.proposed is not None:
        proposed = message.proposed_acceptance
        proposed.version = agreement.proposed.policy_version
        proposed.time.FromDatetime(agreement.proposed.time)
        proposed.explicit = agreement.proposed.mode is Mode.EXPRESS
        proposed.proposal_id = agreement.proposed.act_id
    return message.SerializeToString(deterministic=True)


def _fact(purpose: str, fact: Fact) -> vault_pb2.ConsentFact:
    # A "no" that ended nothing is a refusal by the person; the time of granting
    # places it among the other facts of its purpose.
    return vault_pb2.ConsentFact(
        purpose=subject_pb2.Purpose.Code.Value(purpose),
        policy_version=fact.policy_version,
        granted_time=timestamp(fact.time),
        expires_time=timestamp(fact.expire_time),
        withdrawn_time=timestamp(fact.withdraw_time) if fact.given else None,
        refused_time=None if fact.given else timestamp(fact.time),
        proposal_id=fact.act_id,
    )


def schedule_body(schedule: Schedule) -> bytes:
    """The schedule of a site, in canonical bytes."""
    message = vault_pb2.PolicySchedule(
        terms=[
            vault_pb2.PolicyTerm(
                version=term.version,
                effective_time=timestamp(term.effective_time),
                material_purposes=purposes(tuple(sorted(term.material_purposes))),
            )
            for term in schedule.terms
        ]
    )
    return message.SerializeToString(deterministic=True)


class Vault:
    """The vault as the consent service calls it. Every call raises the vault's refusal."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def apply_slice(
        self, push: Push, header: vault_pb2.SliceHeader, timeout: float
    ) -> vault_pb2.SliceReceipt:
        """Push the slice of a subject."""
        request = vault_pb2.ApplyConsentSliceRequest(
            header=header, slice=vault_pb2.ConsentSlice.FromString(push.body)
        )
        answer = vault_pb2.ApplyConsentSliceResponse
        return self._client.call(f"{_CONSENT}/ApplyConsentSlice", request, answer, timeout).receipt

    def apply_slices(
        self, pushes: Sequence[tuple[Push, vault_pb2.SliceHeader]], timeout: float
    ) -> Sequence[vault_pb2.SliceReceipt]:
        """Push slices of subjects together; one whose receipt has no verdict was not taken."""
        request = together(pushes_pb2.ApplyConsentSlicesRequest(), pushes)
        answer = pushes_pb2.ApplyConsentSlicesResponse
        return self._client.call(_PUSH_TOGETHER, request, answer, timeout).receipts

    def apply_schedule(
        self, push: Push, header: vault_pb2.SliceHeader, timeout: float
    ) -> vault_pb2.SliceReceipt:
        """Push the schedule of a site."""
        request = vault_pb2.ApplyPolicyScheduleRequest(
            header=header, schedule=vault_pb2.PolicySchedule.FromString(push.body)
        )
        answer = vault_pb2.ApplyPolicyScheduleResponse
        path = f"{_CONSENT}/ApplyPolicySchedule"
        return self._client.call(path, request, answer, timeout).receipt

    def sealing_key(self, timeout: float) -> SealingKey:
        """The public key to seal uses with."""
        request, answer = vault_pb2.GetSealingKeyRequest(), vault_pb2.GetSealingKeyResponse
        found = self._client.call(f"{_DECIDER}/GetSealingKey", request, answer, timeout)
        return SealingKey(found.key_id, found.public_key)

    def put_use(self, document: SealedDocument, timeout: float) -> None:
        """Bring the sealed data of a use."""
        request = uses_pb2.PutUseRequest(
            site_id=document.site_id,
            subject_id=document.owner_id,
            event_id=document.document_id,
            sealing_key_id=document.key_id,
            sealed=document.sealed,
        )
        self._client.call(_PUT_USE, request, uses_pb2.PutUseResponse, timeout)

    def open_incarnation(self, known: int, timeout: float) -> vault_pb2.OpenIncarnationResponse:
        """Ask for a new incarnation of the consent service, higher than the known one."""
        request = vault_pb2.OpenIncarnationRequest(known_incarnation=known)
        answer = vault_pb2.OpenIncarnationResponse
        return self._client.call(f"{_DECIDER}/OpenIncarnation", request, answer, timeout)

    def complete_resync(
        self, request: vault_pb2.CompleteResyncRequest, timeout: float
    ) -> vault_pb2.CompleteResyncResponse:
        """Tell the vault that everything was pushed."""
        answer = vault_pb2.CompleteResyncResponse
        return self._client.call(f"{_DECIDER}/CompleteResync", request, answer, timeout)

# SPDX-License-Identifier: Apache-2.0
"""A person as the deciders know them: whole slices, pushed with every change."""

import secrets
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from qupia.contract.v1 import contract_pb2
from qupia.subject.v1 import subject_pb2
from qupia.vault.v1 import vault_pb2
from services.chassis.ids import new_uuid
from tests.harness.contacts import new_email, new_phone
from tests.vault.vault_process import VaultProcess
from tests.vault.wire_client import Caller, Storefront

NAME = {"family_name": "Әбілқайырұлы", "given_name": "Нұрсұлтан"}
ADDRESS = subject_pb2.Address(
    country="KZ", locality="Алматы", street="Абай даңғылы", house="10", postal_code="050000"
)

_Receipt = vault_pb2.SliceReceipt


def new_data() -> subject_pb2.PersonalData:
    """Data with a contact that nobody shares: who shares one shares a block (clause 6.2.3)."""
    return subject_pb2.PersonalData(
        family_name=NAME["family_name"],
        given_name=NAME["given_name"],
        phone=new_phone(),
        email=new_email(),
        address=ADDRESS,
    )


def at(instant: datetime | None = None) -> Timestamp:
    """A time as a message; the present where None."""
    stamp = Timestamp()
    stamp.FromDatetime(instant or datetime.now(UTC))
    return stamp


def ago(**members: float) -> Timestamp:
    """A time in the past."""
    return at(datetime.now(UTC) - timedelta(**members))


class Person:
    """A subject of a site, with the slices that stand about it."""

    def __init__(self, vault: VaultProcess, site: str = "demo", subject_id: str = "") -> None:
        self.vault = vault
        self.site = site
        self.subject_id = subject_id or secrets.token_hex(16)
        self.own = new_data()
        self.consent = vault_pb2.ConsentSlice()
        self.claims = vault_pb2.ClaimsSlice()
        self.orders = vault_pb2.OrderSlice()
        self.counters = {"consent": 0, "claims": 0, "disclosure": 0}
        self._lock = threading.Lock()

    @property
    def canaries(self) -> tuple[str, ...]:
        """What of their data stands nowhere else."""
        return (*NAME.values(), self.own.phone, self.own.email, "Абай даңғылы")

    def header(self, caller: Caller, *open_proposals: str) -> vault_pb2.SliceHeader:
        """The head of the next push."""
        with self._lock:
            self.counters[caller.process] += 1
        return vault_pb2.SliceHeader(
            site_id=self.site,
            subject_id=self.subject_id,
            version=vault_pb2.SliceVersion(
                incarnation=caller.life.incarnation, counter=self.counters[caller.process]
            ),
            vault_incarnation=caller.life.vault_incarnation,
            open_proposals=open_proposals,
        )

    def push_consent(self, *proposals: str, seconds: float = 10.0) -> vault_pb2.SliceReceipt:
        """Push what consent knows."""
        caller = self.vault.as_process("consent")
        header = self.header(caller, *proposals)
        request = vault_pb2.ApplyConsentSliceRequest(header=header, slice=self.consent)
        return _receipt(caller.call(request, seconds=seconds))

    def push_claims(self, seconds: float = 10.0) -> vault_pb2.SliceReceipt:
        """Push what claims knows."""
        caller = self.vault.as_process("claims")
        header = self.header(caller)
        request = vault_pb2.ApplyClaimsSliceRequest(header=header, slice=self.claims)
        return _receipt(caller.call(request, seconds=seconds))

    def push_orders(self, *proposals: str) -> vault_pb2.SliceReceipt:
        """Push what the broker knows."""
        caller = self.vault.as_process("disclosure")
        header = self.header(caller, *proposals)
        request = vault_pb2.ApplyOrderSliceRequest(header=header, slice=self.orders)
        return _receipt(caller.call(request))

    def accepts(self, version: int = 1, *, explicit: bool = True) -> str:
        """Propose an acceptance; the vault's verdict."""
        proposal = new_uuid()
        self.consent.proposed_acceptance.CopyFrom(
            vault_pb2.ProposedAcceptance(
                version=version, time=at(), explicit=explicit, proposal_id=proposal
            )
        )
        verdict = verdict_of(self.push_consent(proposal), proposal)
        if verdict == "APPLIED":
            self.consent.accepted_version = version
            self.consent.accepted_time.CopyFrom(self.consent.proposed_acceptance.time)
        self.consent.ClearField("proposed_acceptance")
        return verdict

    def disagrees(self) -> None:
        """Tell the vault of a disagreement."""
        self.consent.disagreed_time.CopyFrom(at())
        assert self.push_consent().verdict == _Receipt.APPLIED

    def grants(self, purpose: str, version: int = 1, **members: Any) -> str:
        """Propose an express consent; the vault's verdict."""
        proposal = new_uuid()
        code = subject_pb2.Purpose.Code.Value(purpose)
        before = [f for f in self.consent.consents if f.purpose != code]
        del self.consent.consents[:]
        self.consent.consents.extend(before)
        self.consent.consents.add(
            purpose=code,
            policy_version=version,
            granted_time=at(),
            proposal_id=proposal,
            **members,
        )
        return verdict_of(self.push_consent(proposal), proposal)

    def withdraws(self, purpose: str) -> vault_pb2.SliceReceipt:
        """Tell the vault of a withdrawal."""
        code = subject_pb2.Purpose.Code.Value(purpose)
        fact = next(f for f in self.consent.consents if f.purpose == code)
        fact.withdrawn_time.CopyFrom(at())
        return self.push_consent()

    def links_to(self, account: "Person | str") -> str:
        """Propose a link to an account; the vault's verdict."""
        proposal = new_uuid()
        account_id = account if isinstance(account, str) else account.subject_id
        link = self.consent.links.add(account_id=account_id, link_time=at(), proposal_id=proposal)
        verdict = verdict_of(self.push_consent(proposal), proposal)
        if verdict not in ("APPLIED", "DEFERRED"):
            self.consent.links.remove(link)
        return verdict

    def is_unlinked(self) -> None:
        """Tell the vault of the end of the link."""
        self.consent.links[-1].ended_time.CopyFrom(at())
        assert self.push_consent().verdict == _Receipt.APPLIED

    def is_blocked(self, claim_id: str = "") -> str:
        """Tell the vault of a blocking claim; the claim's id."""
        claim_id = claim_id or new_uuid()
        self.claims.blocks.add(
            claim_id=claim_id,
            since_time=at(),
            recorded_time=at(),
            ground=vault_pb2.Block.INACCURATE_DATA,
            origin=vault_pb2.Block.SUBJECT,
        )
        assert self.push_claims().verdict == _Receipt.APPLIED
        return claim_id

    def outcome(self, claim_id: str, outcome: str, correction: str = "") -> vault_pb2.SliceReceipt:
        """Tell the vault how a verification ended."""
        block = next(b for b in self.claims.blocks if b.claim_id == claim_id)
        block.outcome = vault_pb2.Block.Outcome.Value(outcome)
        block.correction_id = correction
        return self.push_claims()

    def orders_goods(self, order_id: str = "A-1001", kind: str = "COURIER") -> "Delivery":
        """Place an order and assign it; the delivery."""
        proposal, delivery = new_uuid(), Delivery(self, order_id, new_uuid(), new_uuid())
        order = self.orders.orders.add(
            order_id=order_id, placed_time=at(), open=True, proposal_id=proposal, policy_version=1
        )
        order.assignments.add(
            delivery_id=delivery.delivery_id,
            recipient_id=delivery.recipient_id,
            recipient_kind=vault_pb2.Assignment.RecipientKind.Value(kind),
        )
        assert verdict_of(self.push_orders(proposal), proposal) == "APPLIED"
        return delivery


class Delivery:
    """An order on its way to one recipient."""

    def __init__(self, person: Person, order_id: str, delivery_id: str, recipient_id: str) -> None:
        self.person = person
        self.order_id = order_id
        self.delivery_id = delivery_id
        self.recipient_id = recipient_id

    def item(self, release_id: str = "", **members: str) -> vault_pb2.ReleaseItem:
        """A prepared release."""
        own = {
            "site_id": self.person.site,
            "subject_id": self.person.subject_id,
            "release_id": release_id or new_uuid(),
            "order_id": self.order_id,
            "delivery_id": self.delivery_id,
            "recipient_id": self.recipient_id,
        }
        return vault_pb2.ReleaseItem(**{**own, **members})


def release(vault: VaultProcess, *items: vault_pb2.ReleaseItem) -> list[vault_pb2.ReleaseOutcome]:
    """Ask for releases as the broker. Raises Refused."""
    answer = vault.as_process("disclosure").call(vault_pb2.ReadForReleaseRequest(items=items))
    return list(answer.outcomes)


def problem_of(outcome: vault_pb2.ReleaseOutcome) -> str:
    """Why a release was refused; OK where it was not."""
    if outcome.WhichOneof("outcome") == "read":
        return "OK"
    return contract_pb2.Refusal.Reason.Name(outcome.problem.code)


def _receipt(answer: Any) -> vault_pb2.SliceReceipt:
    receipt: vault_pb2.SliceReceipt = answer.receipt
    return receipt


def verdict_of(receipt: vault_pb2.SliceReceipt, proposal: str) -> str:
    """What became of a proposal."""
    assert receipt.verdict in (_Receipt.APPLIED, _Receipt.REPEAT), receipt
    found = next(p for p in receipt.proposals if p.proposal_id == proposal)
    if found.verdict == vault_pb2.ProposalOutcome.REFUSED:
        return contract_pb2.Refusal.Reason.Name(found.reason)
    return vault_pb2.ProposalOutcome.Verdict.Name(found.verdict)


def settled(vault: VaultProcess, shop: Storefront) -> Person:
    """Somebody who accepted the policy and gave their data, with a contact of their own."""
    person = Person(vault, shop.site)
    assert person.accepts() == "APPLIED"
    shop.store(person.subject_id, person.own, f"first-{person.subject_id}")
    return person

# SPDX-License-Identifier: Apache-2.0
"""The broker in one process over a real PostgreSQL, before a stand-in of the vault."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar, cast

import grpc
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from google.protobuf.message import Message
from sqlalchemy import text

from qupia.contract.v1 import contract_pb2
from qupia.disclosure.v1 import disclosure_pb2
from qupia.subject.v1 import subject_pb2
from qupia.vault.v1 import vault_pb2
from services.chassis import log
from services.chassis.assembly import Parts
from services.chassis.calendar import load_calendar
from services.chassis.call import Call
from services.chassis.clock import FixedClock
from services.chassis.contract import load_contract
from services.chassis.database import Database
from services.chassis.decider import store_life
from services.chassis.decider.pusher import Pusher, Topic
from services.chassis.decider.store import Key
from services.chassis.decider.store_outbox import Push
from services.chassis.evidence import RefusalLog
from services.chassis.identity import Principal
from services.chassis.ids import new_uuid
from services.chassis.metrics import Metrics
from services.chassis.pipeline import AUTHORIZATION, VALIDATION, Pipeline, record, scrub
from services.chassis.process import ProcessSettings
from services.chassis.pseudonym import known_pseudonym
from services.chassis.recorder import RefusalRecorder
from services.chassis.refusal import Refusal, Unavailable
from services.chassis.sealed.courier import Courier
from services.chassis.sealed.document import SealingKey
from services.chassis.sealed.keeper import SealingKeyKeeper
from services.chassis.sealing import sealing_key_id
from services.chassis.server import Certificate
from services.disclosure import store_orders, wire
from services.disclosure.__main__ import desk_of, handlers_of, releasing_of, together
from services.disclosure.reconciler import Reconciler
from services.disclosure.servicer_authority_desk import AuthorityVault

M = TypeVar("M", bound=Message)
D = disclosure_pb2
SITE, OTHER_SITE = "demo", "other"
SUBJECT, OTHER_SUBJECT, NOBODY = "a" * 32, "b" * 32, "c" * 32
BINS = ("971240001315", "940140000385", "941240000193", "020240000555", "000140002217")
CALENDAR = load_calendar(None)
START = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
DATA = subject_pb2.PersonalData(
    family_name="Әбілқайырұлы",
    given_name="Нұрсұлтан",
    patronymic="Ғалымұлы",
    phone="+77011234567",
    email="nursultan@example.kz",
    address=subject_pb2.Address(country="KZ", locality="Алматы", house="10"),
)
_Receipt = vault_pb2.SliceReceipt
_KEY = "request_id"


class Killed(BaseException):
    """The process ended here."""


@dataclass
class StandInVault:
    """Keeps the pushed slices and answers as the vault would, by switches."""

    subjects: set[tuple[str, str]] = field(
        default_factory=lambda: {(SITE, SUBJECT), (OTHER_SITE, OTHER_SUBJECT)}
    )
    slices: dict[tuple[str, str], vault_pb2.OrderSlice] = field(default_factory=dict)
    entries: dict[str, str] = field(default_factory=dict)
    down: bool = False
    refuses_orders: str = ""
    refuses_releases: str = ""
    life: str = field(default_factory=new_uuid)
    sealing: X25519PrivateKey = field(default_factory=X25519PrivateKey.generate)
    after_read: Callable[[], None] = lambda: None

    def _reach(self) -> None:
        if self.down:
            raise Unavailable

    def apply(
        self, push: Push, header: vault_pb2.SliceHeader, _timeout: float
    ) -> vault_pb2.SliceReceipt:
        """Keep a slice; give every open proposal its verdict."""
        self._reach()
        place = (header.site_id, header.subject_id)
        receipt = _Receipt(
            verdict=_Receipt.APPLIED, vault_incarnation=self.life, highest_incarnation=1
        )
        if place not in self.subjects:
            receipt.verdict = _Receipt.UNKNOWN_SUBJECT
            return receipt
        self.slices[place] = vault_pb2.OrderSlice.FromString(push.body)
        outcome = vault_pb2.ProposalOutcome
        for proposal_id in header.open_proposals:
            told = receipt.proposals.add(
                proposal_id=proposal_id, verdict=outcome.APPLIED, policy_version=3
            )
            if self.refuses_orders:
                told.verdict = outcome.REFUSED
                told.reason = contract_pb2.Refusal.Reason.Value(self.refuses_orders)
        receipt.current.CopyFrom(header.version)
        return receipt

    def read_for_release(
        self, request: vault_pb2.ReadForReleaseRequest, _timeout: float
    ) -> vault_pb2.ReadForReleaseResponse:
        """Write the entry, give everything out: what leaves is the broker's to cut."""
        self._reach()
        answer = vault_pb2.ReadForReleaseResponse()
        for item in request.items:
            if self.refuses_releases:
                code = contract_pb2.Refusal.Reason.Value(self.refuses_releases)
                answer.outcomes.add(problem=vault_pb2.Problem(code=code))
                continue
            self.entries[item.release_id] = new_uuid()
            read = vault_pb2.ReleaseRead(
                data=DATA,
                version=1,
                entry_id=self.entries[item.release_id],
                fields=["familyName", "givenName", "patronymic", "phone", "email", "address"],
            )
            answer.outcomes.add(read=read)
        self.after_read()
        return answer

    def get_sealing_key(self, _timeout: float) -> SealingKey:
        """The public key."""
        self._reach()
        public = self.sealing.public_key().public_bytes_raw()
        return SealingKey(sealing_key_id(public), public)

    def find_release_entry(self, _site_id: str, release_id: str, _timeout: float) -> str:
        """The entry of a release."""
        self._reach()
        return self.entries.get(release_id, "")

    def open_incarnation(self, known: int, _timeout: float) -> vault_pb2.OpenIncarnationResponse:
        """Give the next life."""
        self._reach()
        return vault_pb2.OpenIncarnationResponse(incarnation=known + 1, vault_incarnation=self.life)


class House:
    """The broker's handlers behind the stages that decide and record."""

    def __init__(self, database: Database, refusals_per_minute: int = 600) -> None:
        self.database, self.clock, self.vault = database, FixedClock(START), StandInVault()
        self._log = log.get_logger("disclosure")
        self._metrics = Metrics()
        contract, refusals = load_contract(), RefusalLog(refusals_per_minute)
        self.pusher = self._pusher()
        with database.transaction() as connection:
            life = store_life.read_life(connection)
        self.pusher.renew(life)
        parts = Parts(
            process="disclosure",
            settings=cast(ProcessSettings, None),
            contract=contract,
            clock=self.clock,
            log=self._log,
            metrics=self._metrics,
            database=database,
            secret=b"s" * 32,
            certificate=cast(Certificate, None),
            refusals=refusals,
        )
        recorder = RefusalRecorder(database, refusals, self.clock, known_pseudonym)
        self._methods = {m.name: m for m in contract.of_process("disclosure")}
        self.keeper = SealingKeyKeeper(database, self.vault.get_sealing_key, self.clock)
        releasing = releasing_of(parts, self.vault.read_for_release)
        single = together(releasing)
        # State bodies are tested through the whole suite (tests/policy/test_clause_5_3*.py).
        nothing = cast(AuthorityVault, self.vault)
        courier = Courier(database, lambda *_: None, self.clock, self._metrics, self._log)
        desk = desk_of(parts, courier, nothing, None, CALENDAR)
        self._pipeline = Pipeline(
            [scrub(self._log, self._metrics), record(recorder), AUTHORIZATION, VALIDATION],
            handlers_of(parts, self.pusher, releasing, single, desk),
        )
        find, after = self.vault.find_release_entry, timedelta(seconds=10)
        self.reconciler = Reconciler(database, find, self.clock, self._metrics, self._log, after)

    def _pusher(self) -> Pusher:
        topic = Topic(
            store_orders.TOPIC,
            self.vault.apply,
            lambda connection, ended, receipt: store_orders.settle(
                connection, ended, wire.versions(receipt), wire.slice_bytes, self.clock.now()
            ),
        )
        return Pusher(
            "disclosure",
            self.database,
            [topic],
            self.vault.open_incarnation,
            self.clock,
            self._metrics,
            self._log,
            most_seconds=2,
        )

    def call(self, principal: Principal, request: M, seconds: float = 30.0) -> Any:
        """Call the RPC of a request; an Idempotency-Key is added where none is given."""
        method = self._methods[type(request).__name__.removesuffix("Request")]
        asked = type(request)()
        asked.CopyFrom(request)
        if method.mutates and not getattr(asked, _KEY):
            setattr(asked, _KEY, new_uuid())
        call = Call(
            method=method,
            payload=b"",
            context=cast(grpc.ServicerContext, None),
            metadata={},
            reference=new_uuid(),
            peer="gateway",
            deadline=time.monotonic() + seconds,
            message=asked,
            caller=principal,
        )
        return self._pipeline(call)

    def refused(self, principal: Principal, request: M) -> str:
        """The reason with which a call is refused."""
        try:
            self.call(principal, request)
        except Refusal as refusal:
            return refusal.reason
        raise AssertionError("the call was not refused")

    def push(self, subject_id: str = SUBJECT, site_id: str = SITE) -> bool:
        """What the dispatcher does."""
        return self.pusher.push(Key("orders", site_id, subject_id), 1.0)

    def pass_time(self, seconds: float) -> None:
        """Let time go by."""
        self.clock.instant += timedelta(seconds=seconds)

    def rows(self, statement: str) -> list[Any]:
        """Rows of the broker's own database."""
        with self.database.transaction() as connection:
            return list(connection.execute(text(statement)))

    def recipient(self, kind: str = "COURIER", number: int = 0, site_id: str = SITE) -> Principal:
        """An active recipient's credential."""
        asked = D.RegisterRecipientRequest(recipient=registration(kind, number))
        added = self.call(officer("one", site_id), asked)
        recipient_id = added.recipient.recipient_id
        self.call(officer("two", site_id), D.ActivateRecipientRequest(recipient_id=recipient_id))
        return courier(recipient_id, site_id)

    def order(self, order_id: str = "A-1001", subject_id: str = SUBJECT) -> Any:
        """Register an order of the site."""
        asked = D.Order(order_id=order_id, subject_id=subject_id)
        return self.call(STOREFRONT, D.RegisterOrderRequest(order=asked))

    def delivery(self, recipient: Principal, order_id: str = "A-1001") -> str:
        """An open order assigned to a recipient; the delivery's id."""
        if not self.rows(f"SELECT 1 FROM orders WHERE order_id = '{order_id}'"):
            self.order(order_id)
        return str(self.assign(recipient, order_id).delivery.delivery_id)

    def assign(self, recipient: Principal, order_id: str = "A-1001") -> Any:
        """Assign an order."""
        return self.call(
            STOREFRONT,
            D.AssignOrderRequest(order_id=order_id, recipient_id=recipient.recipient_id),
        )

    def ledger(self, subject_id: str = SUBJECT, principal: Principal | None = None) -> Any:
        """The person's ledger."""
        request = D.ListDisclosuresRequest(subject_id=subject_id)
        return list(self.call(principal or STOREFRONT, request).disclosures)


def storefront(site_id: str) -> Principal:
    """A storefront's credential."""
    return Principal(f"key/shop-{site_id}", site_id, frozenset({"STOREFRONT"}))


STOREFRONT = storefront(SITE)


def officer(name: str, site_id: str = SITE) -> Principal:
    """A privacy officer."""
    return Principal(f"person/https://id.example#{name}", site_id, frozenset({"PRIVACY_OFFICER"}))


def courier(recipient_id: str, site_id: str = SITE) -> Principal:
    """A recipient's credential."""
    return Principal(
        f"key/recipient-{recipient_id[-6:]}", site_id, frozenset({"RECIPIENT"}), None, recipient_id
    )


def registration(kind: str = "COURIER", number: int = 0) -> disclosure_pb2.Recipient:
    """What an officer registers."""
    return D.Recipient(
        kind=D.Recipient.Kind.Value(kind),
        legal_name=f"Жеткізу {number}",
        bin=BINS[number],
        agreement="Agreement 7 of 2026",
    )


def release(delivery_id: str, request_id: str = "") -> disclosure_pb2.ReleaseDeliveryRequest:
    """The request to release a delivery."""
    return D.ReleaseDeliveryRequest(delivery_id=delivery_id, request_id=request_id)

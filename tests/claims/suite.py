# SPDX-License-Identifier: Apache-2.0
"""The claims service in this process: its real pipeline and database, with a vault that the test
holds up or takes away."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import grpc
from google.protobuf.message import Message
from joserfc import jwt
from joserfc.jwk import KeySet, OKPKey

from qupia.claims.v1 import claims_pb2
from qupia.consent.v1 import consent_pb2
from qupia.contract.v1 import contract_pb2
from qupia.subject.v1 import subject_pb2
from services.chassis import log
from services.chassis.calendar import load_calendar
from services.chassis.call import Call
from services.chassis.clock import Clock, FixedClock
from services.chassis.contract import load_contract
from services.chassis.database import Database
from services.chassis.decider import store_life
from services.chassis.decider.pusher import Pusher, Topic
from services.chassis.evidence import RefusalLog
from services.chassis.idempotency import IdempotencyKeys
from services.chassis.identity import Issuers
from services.chassis.ids import new_uuid
from services.chassis.mail import Letter, LetterNotSent
from services.chassis.metrics import Metrics
from services.chassis.paging import PageTokens
from services.chassis.pipeline import Pipeline, stages
from services.chassis.process import peer_names
from services.chassis.pseudonym import known_pseudonym
from services.chassis.recorder import RefusalRecorder
from services.chassis.refusal import Refusal
from services.chassis.sealed.courier import Courier
from services.chassis.sealed.keeper import SealingKeyKeeper
from services.chassis.signing import Signer
from services.chassis.sites import Operator, Sites
from services.claims import store_acts, wire
from services.claims.clock import ClaimClock
from services.claims.correspondence import Correspondence
from services.claims.flooding import Limits
from services.claims.incident_clock import IncidentClock
from services.claims.mending import Mender
from services.claims.notifier import Notifier
from services.claims.recovering import Recovering
from services.claims.same_contact import SameContacts
from services.claims.sender import Sender
from services.claims.servicer import handlers
from services.claims.servicer_answer import Answering
from services.claims.servicer_bundle import Bundles
from services.claims.servicer_common import Office
from services.claims.servicer_court import Disputes
from services.claims.servicer_filing import Filing
from services.claims.servicer_flooding import FloodGate
from services.claims.servicer_incident_reading import IncidentReading
from services.claims.servicer_incidents import Incidents
from services.claims.servicer_letters import Letters
from services.claims.servicer_notices import Notices
from services.claims.servicer_papers import Papers
from services.claims.servicer_reading import Reading
from services.claims.servicer_recovery import Describing
from services.claims.servicer_settling import Settling
from services.claims.servicer_site_claims import SiteClaims
from services.claims.servicer_tasks import Tasks
from services.claims.servicer_verification import Verifying
from services.claims.servicer_work import Working
from services.claims.wire_recovery import with_receipts
from services.claims.wire_vault import Vault
from tests.claims.vault_stand_in import VaultStandIn

NOW = datetime(2026, 11, 23, 6, tzinfo=UTC)
ISSUER = "https://issuer.test"
NewClaim, Claim = claims_pb2.NewClaim, claims_pb2.Claim
OPERATOR = Operator(
    name="«Үлгі дүкен» ЖШС",
    bin="150240010003",
    address="050000, Алматы қ., Абай даңғылы, 1",
    contact="privacy@example.kz",
    responsible="Дербес деректер жөніндегі маман",
    withdrawal="https://example.kz/consents",
)


@dataclass
class MailerStandIn:
    """Takes letters, or fails as the test says."""

    letters: list[Letter] = field(default_factory=list)
    failure: LetterNotSent | None = None
    # What happens elsewhere while the letter is on its way.
    meanwhile: Callable[[], object] | None = None

    def send(self, letter: Letter, seconds: float) -> str:
        """The Message-ID. Raises LetterNotSent."""
        assert seconds > 0
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            meanwhile()
        if self.failure is not None:
            raise self.failure
        self.letters.append(letter)
        return f"<{letter.letter_id}@example.kz>"


@dataclass
class Context:
    """What grpc tells of a call, as far as the pipeline asks."""

    seconds: float = 10.0

    def auth_context(self) -> dict[str, list[bytes]]:
        """The gateway calls."""
        return {"peer_uri": [b"spiffe://qupia/gateway"]}

    def time_remaining(self) -> float:
        """Seconds until the deadline."""
        return self.seconds


class Suite:
    """Everything of the claims process but its server and its threads."""

    def __init__(self, url: str, clock: Clock | None = None, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self.clock = clock or FixedClock(NOW)
        self.vault = VaultStandIn()
        self.database = Database(url)
        self.metrics = Metrics()
        self.log = log.get_logger("claims")
        self._issuer_key = OKPKey.generate_key("Ed25519", {"kid": "k"})
        asked = Vault(self.vault)
        self.mender = Mender(wire.slice_bytes, load_calendar(None), self.clock)
        self.pusher = self._pusher(asked)
        self.courier = Courier(
            self.database,
            asked.put_document,
            self.clock,
            self.metrics,
            self.log,
            put_together=asked.put_documents,
        )
        self.secret = secrets.token_bytes(32)
        self.mailer = MailerStandIn()
        self.correspondence = Correspondence(
            Signer.of_secret(self.secret),
            Sites(operator=OPERATOR),
            self.mailer,
            "officers@example.kz",
        )
        self.sender = Sender(
            self.database,
            asked,
            self.correspondence,
            self.secret,
            self.clock,
            self.metrics,
            self.log,
        )
        beside = (self.clock, self.metrics, self.log)
        calendar = load_calendar(None)
        self.claim_clock = ClaimClock(self.database, calendar, self.correspondence, *beside)
        self.notifier = Notifier(self.database, asked, self.correspondence, calendar, *beside)
        self.incident_clock = IncidentClock(self.database, *beside)
        self.consents: dict[str, str] = {}
        self.authority_requests: set[str] = set()
        self.broker_refuses: Refusal | None = None
        self.keeper = SealingKeyKeeper(self.database, asked.sealing_key, self.clock)
        self.pipeline = self._pipeline(asked)

    def _pusher(self, vault: Vault) -> Pusher:
        topic = Topic(
            store_acts.TOPIC,
            vault.apply_slice,
            lambda connection, ended, receipt: store_acts.settle(
                connection, ended, {c.correction_id: c.version for c in receipt.corrections}
            ),
            with_receipts(self.mender),
            send_together=vault.apply_slices,
        )
        return Pusher(
            "claims",
            self.database,
            [topic],
            vault.open_incarnation,
            self.clock,
            self.metrics,
            self.log,
            most_seconds=6,
        )

    def _pipeline(self, vault: Vault) -> Pipeline:
        secret = self.secret
        office = Office(
            self.database,
            IdempotencyKeys(secret),
            self.clock,
            self.pusher,
            self.courier,
            vault,
            secret,
            load_calendar(None),
        )
        pages = PageTokens(secret)
        rpcs = handlers(
            Filing(office, FloodGate(office, RefusalLog(1000), self.limits)),
            Verifying(office),
            Answering(office, self.correspondence),
            Letters(office, self.correspondence.signer),
            Reading(self.database, pages, self.clock),
            Settling(office),
            Tasks(office, pages),
            Disputes(office),
            Bundles(office, self.correspondence, self.policy_at),
            Notices(office),
            Working(office),
            Papers(office),
            Incidents(office, self, self),
            IncidentReading(office, pages, self.correspondence),
            SiteClaims(office),
            Describing(office),
        )
        keys = KeySet.import_key_set({"keys": [self._issuer_key.as_dict(private=False)]})
        recorder = RefusalRecorder(self.database, RefusalLog(1000), self.clock, known_pseudonym)
        issuers = Issuers({ISSUER: keys}, self.clock)
        return Pipeline(stages(self.log, self.metrics, peer_names(), issuers, recorder), rpcs)

    def given_by(
        self,
        site_id: str,
        subject_id: str,
        purpose: subject_pb2.Purpose.Code.ValueType,
        at: datetime,
        timeout: float,
    ) -> str | None:
        """The consent that the test says was in force."""
        assert site_id
        assert purpose
        assert timeout > 0
        assert at.tzinfo
        return self.consents.get(subject_id)

    def gives_data(self, site_id: str, request_id: str, timeout: float) -> bool:
        """Whether the test says that data leave by a request of a state body."""
        assert site_id
        assert timeout > 0
        if self.broker_refuses is not None:
            raise self.broker_refuses
        return request_id in self.authority_requests

    def policy_at(self, site_id: str, at: datetime, timeout: float) -> consent_pb2.Policy | None:
        """The policy that was in force; none in 2025."""
        assert timeout > 0
        if at.year < 2026:
            return None
        text = consent_pb2.PolicyText(language="kk", title="Саясат", body=f"{site_id} саясаты")
        return consent_pb2.Policy(version=3, texts=[text])

    def meet_the_vault(self) -> None:
        """What the dispatcher and the key's round do at start."""
        with self.database.transaction() as connection:
            life = store_life.read_life(connection)
        assert self.pusher.renew(life)
        self.keeper.round()

    def storefront(self, site_id: str = "demo") -> dict[str, str | bytes]:
        """The metadata of a storefront's call."""
        principal = contract_pb2.Principal(
            principal_id=f"{site_id}-web", site_id=site_id, role=contract_pb2.Caller.STOREFRONT
        )
        return {"qupia-principal-bin": principal.SerializeToString()}

    def person(
        self, role: str = "CLAIMS_OFFICER", site_id: str = "demo", name: str = "aigerim"
    ) -> dict[str, str | bytes]:
        """The metadata of a person's call."""
        now = self.clock.now()
        claims: dict[str, Any] = {
            "iss": ISSUER,
            "sub": name,
            "aud": "qupia",
            "exp": int((now + timedelta(minutes=5)).timestamp()),
            "qupia_grants": [{"site": site_id, "role": role}],
        }
        token = jwt.encode(
            {"alg": "Ed25519", "kid": "k"}, claims, self._issuer_key, algorithms=["Ed25519"]
        )
        return {"authorization": f"Bearer {token}"}

    def ask(
        self,
        rpc: str,
        request: Message,
        metadata: dict[str, str | bytes],
        seconds: float = 10.0,
    ) -> Any:
        """Send a request through the pipeline. Raises Refusal."""
        if "request_id" in request.DESCRIPTOR.fields_by_name:
            request_id = cast(claims_pb2.FileClaimRequest, request).request_id or new_uuid()
            cast(claims_pb2.FileClaimRequest, request).request_id = request_id
        methods = load_contract().of_process("claims")
        method = next(each for each in methods if each.name == rpc)
        context = cast(grpc.ServicerContext, Context(seconds))
        return self.pipeline(
            Call(method, request.SerializeToString(), context, metadata, new_uuid())
        )

    def file(
        self,
        *subject_ids: str,
        metadata: dict[str, str | bytes] | None = None,
        request_id: str = "",
        **members: Any,
    ) -> claims_pb2.FileClaimResponse:
        """File a claim; of inaccurate data by the person through the storefront if not said."""
        request = claims_pb2.FileClaimRequest(
            claim=new_claim(*subject_ids, **members), request_id=request_id
        )
        answer = self.ask("FileClaim", request, metadata or self.storefront())
        return cast(claims_pb2.FileClaimResponse, answer)

    def conclude(
        self, claim_id: str, outcome: Any, **members: Any
    ) -> claims_pb2.ConcludeVerificationResponse:
        """Conclude a verification as the officer."""
        members = {"evidence": "Жеке куәлік № 012345678 көрсетілді", **members}
        request = claims_pb2.ConcludeVerificationRequest(
            claim_id=claim_id, outcome=outcome, **members
        )
        answer = self.ask("ConcludeVerification", request, self.person())
        return cast(claims_pb2.ConcludeVerificationResponse, answer)

    def take_in_provisional_blocks(self, rounds: int = 1) -> None:
        """What the rounds beside the server do."""
        beside = SameContacts(
            self.database,
            Vault(self.vault),
            self.pusher,
            wire.slice_bytes,
            load_calendar(None),
            self.clock,
            self.metrics,
            self.log,
        )
        for _ in range(rounds):
            beside.round()

    def recover(self, rounds: int = 1) -> Recovering:
        """What the rounds that ask for lost claims do."""
        asked = Vault(self.vault)
        beside = Recovering(
            self.database,
            asked,
            self.pusher,
            self.mender,
            wire.slice_bytes,
            self.clock,
            self.metrics,
            self.log,
        )
        for _ in range(rounds):
            beside.round()
        return beside

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        """What a query finds."""
        with self.database.transaction() as connection:
            return [tuple(row) for row in connection.exec_driver_sql(statement)]


def new_claim(*subject_ids: str, **members: Any) -> claims_pb2.NewClaim:
    """A claim of inaccurate data by the person, if not said otherwise."""
    return NewClaim(
        **{
            "subject_ids": subject_ids,
            "kind": Claim.INACCURATE_DATA,
            "claimant": Claim.SUBJECT,
            "statement": "Телефон нөмірім қате көрсетілген",
            "demand": "Түзетуді талап етемін",
            "language": "kk",
            **members,
        }
    )


def in_threads(count: int, run: Any) -> list[Any]:
    """What `run(index)` returns or raises in `count` threads that begin together."""
    barrier = threading.Barrier(count)
    results: list[Any] = [None] * count

    def one(index: int) -> None:
        barrier.wait()
        try:
            results[index] = run(index)
        except Exception as error:  # noqa: BLE001 - handed to the test
            results[index] = error

    threads = [threading.Thread(target=one, args=(index,)) for index in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results

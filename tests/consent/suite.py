# SPDX-License-Identifier: Apache-2.0
"""The consent service in one process, with its real pipeline and database and a stand-in vault."""

import time
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar, cast

import grpc
import structlog
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from google.protobuf.message import Message

from qupia.consent.v1 import consent_pb2
from qupia.contract.v1 import contract_pb2
from qupia.vault.v1 import vault_pb2
from services.chassis.call import Call
from services.chassis.configured_fields import ConfiguredFields
from services.chassis.contract import load_contract
from services.chassis.database import Database
from services.chassis.decider import store_life, store_outbox
from services.chassis.decider.pusher import Pusher, Topic
from services.chassis.decider.store_outbox import Push
from services.chassis.evidence import RefusalLog
from services.chassis.idempotency import IdempotencyKeys
from services.chassis.identity import Principal
from services.chassis.metrics import Metrics
from services.chassis.paging import PageTokens
from services.chassis.pipeline import AUTHORIZATION, VALIDATION, Pipeline, record, scrub
from services.chassis.pseudonym import known_pseudonym
from services.chassis.recorder import RefusalRecorder
from services.chassis.refusal import Unavailable
from services.chassis.sealed import store as sealed_store
from services.chassis.sealed.document import SealingKey
from services.chassis.sealing import sealing_key_id
from services.chassis.sites import Operator, Sites
from services.consent import store_journal, store_publication
from services.consent.servicer import SERVICE, handlers
from services.consent.servicer_acts import ActServicer
from services.consent.servicer_consents import ConsentServicer
from services.consent.servicer_links import LinkServicer
from services.consent.servicer_partner import PartnerServicer
from services.consent.servicer_policies import PolicyServicer
from services.consent.servicer_proof import ProofServicer
from services.consent.servicer_recording import Enforcer, Recording
from services.consent.servicer_states import StateServicer
from services.consent.servicer_subjects import SubjectServicer
from services.consent.wire_carried import Mender
from services.consent.wire_vault import schedule_body, slice_body

M = TypeVar("M", bound=Message)
SECRET = bytes(range(32))
VAULT_LIFE = "01890000-0000-7000-8000-000000000001"
OPERATOR = Operator(
    name="«Мысал» ЖШС",
    bin="181140010008",
    address="Алматы қ., Абай даңғылы, 10",
    contact="privacy@example.kz",
    responsible="Деректер жөніндегі маман",
    withdrawal="https://example.kz/consents",
)
Reason = contract_pb2.Refusal.Reason


class DrivenClock:
    """The machine's clock, or the instant a test has set."""

    def __init__(self) -> None:
        self.instant: datetime | None = None

    def now(self) -> datetime:
        """The present instant."""
        return self.instant or datetime.now(UTC)


class StandInVault:
    """Records what is pushed and answers as it was told to; decides nothing by itself."""

    def __init__(self, clock: DrivenClock) -> None:
        self._clock = clock
        self.absent = False
        self.refusing: str = ""
        self.carried: vault_pb2.ConsentSlice | None = None
        self.consents: list[tuple[vault_pb2.SliceHeader, vault_pb2.ConsentSlice]] = []
        self.schedules: list[tuple[vault_pb2.SliceHeader, vault_pb2.PolicySchedule]] = []

    def apply_slice(
        self, push: Push, header: vault_pb2.SliceHeader, _timeout: float
    ) -> vault_pb2.SliceReceipt:
        """Take the slice of a subject."""
        if self.absent:
            raise Unavailable
        self.consents.append((header, vault_pb2.ConsentSlice.FromString(push.body)))
        receipt = self._receipt(header)
        if self.carried is not None:
            receipt.carried_consent.CopyFrom(self.carried)
            receipt.carried.append("carried")
            self.carried = None
        return receipt

    def apply_schedule(
        self, push: Push, header: vault_pb2.SliceHeader, _timeout: float
    ) -> vault_pb2.SliceReceipt:
        """Take the schedule of a site."""
        if self.absent:
            raise Unavailable
        self.schedules.append((header, vault_pb2.PolicySchedule.FromString(push.body)))
        return self._receipt(header)

    def open_incarnation(self, known: int, _timeout: float) -> vault_pb2.OpenIncarnationResponse:
        """Give the next incarnation."""
        return vault_pb2.OpenIncarnationResponse(
            incarnation=known + 1, vault_incarnation=VAULT_LIFE
        )

    def _receipt(self, header: vault_pb2.SliceHeader) -> vault_pb2.SliceReceipt:
        outcome = vault_pb2.ProposalOutcome
        verdict = outcome.REFUSED if self.refusing else outcome.APPLIED
        reason = Reason.Value(self.refusing) if self.refusing else Reason.REASON_UNSPECIFIED
        receipt = vault_pb2.SliceReceipt(
            verdict=vault_pb2.SliceReceipt.APPLIED,
            current=header.version,
            vault_incarnation=VAULT_LIFE,
            highest_incarnation=header.version.incarnation,
            proposals=[
                outcome(proposal_id=each, verdict=verdict, reason=reason)
                for each in header.open_proposals
            ],
        )
        receipt.apply_time.FromDatetime(self._clock.now())
        return receipt


class Suite:
    """Asks the consent service as the gateway would, on the site of the present test."""

    def __init__(self, url: str) -> None:
        self.database = Database(url, pool_size=8)
        self.clock = DrivenClock()
        self.vault = StandInVault(self.clock)
        self.site = ""
        log, metrics = structlog.get_logger(), Metrics()
        self.journal = store_journal.Journal(self.clock, slice_body)
        topics = [
            Topic(
                store_journal.TOPIC,
                self.vault.apply_slice,
                self.journal.settle,
                Mender(self.journal, "policy.rejected").mend,
            ),
            Topic(
                store_publication.TOPIC,
                self.vault.apply_schedule,
                store_publication.settle_nothing,
            ),
        ]
        self.pusher = Pusher(
            "consent",
            self.database,
            topics,
            self.vault.open_incarnation,
            self.clock,
            metrics,
            log,
            most_seconds=2,
        )
        recorder = RefusalRecorder(self.database, RefusalLog(10_000), self.clock, known_pseudonym)
        steps = [scrub(log, metrics), record(recorder), AUTHORIZATION, VALIDATION]
        self._run = Pipeline(steps, self._handlers())

    def _handlers(self) -> Mapping[str, Any]:
        keys, enforcer = IdempotencyKeys(SECRET), Enforcer(self.database, self.pusher)
        recording = Recording(self.database, keys, self.journal, enforcer, self.clock)
        press = store_publication.Press(self.clock, schedule_body)
        tokens = PageTokens(SECRET)
        return handlers(
            PolicyServicer(self.database, keys, press, enforcer, tokens, self.clock),
            SubjectServicer(recording, SECRET),
            ConsentServicer(self.database, recording, self.clock),
            StateServicer(self.database, self.clock),
            ProofServicer(self.database, Sites(operator=OPERATOR), ConfiguredFields(), self.clock),
            PartnerServicer(self.database, keys, SECRET, self.clock),
            ActServicer(self.database),
            LinkServicer(self.database, recording, tokens, self.clock),
        )

    def meet_the_vault(self) -> None:
        """Take the first incarnation."""
        with self.database.transaction() as connection:
            life = store_life.read_life(connection)
        assert self.pusher.renew(life)
        public = X25519PrivateKey.generate().public_key().public_bytes_raw()
        with self.database.transaction() as connection:
            sealed_store.keep_key(
                connection, SealingKey(sealing_key_id(public), public), self.clock.now()
            )

    def begin(self) -> None:
        """A site nobody has used, a vault that is there, the machine's clock."""
        self.site = f"s-{uuid.uuid4().hex[:12]}"
        self.vault.absent, self.vault.refusing = False, ""
        self.vault.consents.clear()
        self.vault.schedules.clear()
        self.clock.instant = None

    def ask(
        self,
        request: Message,
        answer: type[M],
        *,
        role: str = "STOREFRONT",
        site: str | None = None,
        principal: str = "key/storefront",
        service: str = SERVICE,
    ) -> M:
        """Run one RPC, named after its request, through authorization, validation and handler."""
        _give_key(request)
        name = request.DESCRIPTOR.name.removesuffix("Request")
        call = Call(
            load_contract().methods[f"{service}/{name}"],
            request.SerializeToString(),
            cast(grpc.ServicerContext, None),
            {},
            "test",
            peer="gateway",
            deadline=time.monotonic() + 20,
            message=request,
            caller=Principal(principal, site or self.site, frozenset({role})),
        )
        response = self._run(call)
        assert isinstance(response, answer)
        return response

    # The acts of the tests in the words of the law.

    def publish(
        self,
        effective: datetime | None = None,
        material: tuple[Any, ...] = (),
        body: str = "Мәтін",
    ) -> consent_pb2.PublishPolicyResponse:
        """Publish a version in Kazakh and Russian."""
        request = consent_pb2.PublishPolicyRequest(
            texts=[
                consent_pb2.PolicyText(language="ru", title="Политика", body="Текст"),
                consent_pb2.PolicyText(language="kk", title="Саясат", body=body),
            ],
            material_purposes=material,
        )
        if effective is not None:
            request.effective_time.FromDatetime(effective)
        return self.ask(request, consent_pb2.PublishPolicyResponse, role="PRIVACY_OFFICER")

    def register(
        self, kind: int = consent_pb2.Use.FORM_SUBMIT, *, notice: bool = True
    ) -> consent_pb2.RegisterSubjectResponse:
        """A person's first use."""
        request = consent_pb2.RegisterSubjectRequest(use=use(kind, notice=notice))
        return self.ask(request, consent_pb2.RegisterSubjectResponse)

    def use(self, subject_id: str, kind: int = 1) -> consent_pb2.RecordUseResponse:
        """A later use."""
        request = consent_pb2.RecordUseRequest(subject_id=subject_id, use=use(kind))
        return self.ask(request, consent_pb2.RecordUseResponse)

    def accept(self, subject_id: str, version: int = 0) -> consent_pb2.AcceptPolicyResponse:
        """An express acceptance."""
        request = consent_pb2.AcceptPolicyRequest(
            subject_id=subject_id, version=version, language="kk"
        )
        return self.ask(request, consent_pb2.AcceptPolicyResponse)

    def reject(self, subject_id: str) -> consent_pb2.RejectPolicyResponse:
        """Disagreement."""
        request = consent_pb2.RejectPolicyRequest(subject_id=subject_id)
        return self.ask(request, consent_pb2.RejectPolicyResponse)

    def grant(
        self, subject_id: str, purpose: Any, expire: datetime | None = None, wording: str = "Иә"
    ) -> consent_pb2.GrantConsentResponse:
        """An express consent."""
        request = consent_pb2.GrantConsentRequest(
            subject_id=subject_id, purpose=purpose, language="kk", wording=wording
        )
        if expire is not None:
            request.expire_time.FromDatetime(expire)
        return self.ask(request, consent_pb2.GrantConsentResponse)

    def withdraw(self, subject_id: str, purpose: Any) -> consent_pb2.WithdrawConsentResponse:
        """A withdrawal."""
        request = consent_pb2.WithdrawConsentRequest(subject_id=subject_id, purpose=purpose)
        return self.ask(request, consent_pb2.WithdrawConsentResponse)

    def consents_of(self, subject_id: str) -> consent_pb2.ListConsentsResponse:
        """What stands."""
        request = consent_pb2.ListConsentsRequest(subject_id=subject_id)
        return self.ask(request, consent_pb2.ListConsentsResponse)

    def act(self, act_id: str) -> Any:
        """A recorded act."""
        request = consent_pb2.GetActRequest(act_id=act_id)
        return self.ask(request, consent_pb2.GetActResponse).act

    def push_all(self) -> None:
        """Push what waits on this site, as the dispatcher would."""
        later = self.clock.now() + timedelta(hours=1)
        with self.database.transaction() as connection:
            keys = store_outbox.due(connection, later, 1000)
        for key in keys:
            if key.site_id == self.site:
                assert self.pusher.push(key, 1.0)

    def evidence(self) -> list[str]:
        """The bodies of the site's evidence entries, in the order of their ids."""
        with self.database.transaction() as connection:
            rows = connection.exec_driver_sql(
                "SELECT body FROM evidence_entries WHERE site_id = %s ORDER BY entry_id",
                (self.site,),
            )
            return [str(row.body) for row in rows]


def _give_key(request: Any) -> None:
    if "request_id" in request.DESCRIPTOR.fields_by_name and not request.request_id:
        request.request_id = uuid.uuid4().hex


def use(kind: int, *, notice: bool = True, page: str = "/checkout") -> consent_pb2.Use:
    """A use of the site."""
    return consent_pb2.Use(kind=cast(Any, kind), page=page, language="kk", notice_shown=notice)

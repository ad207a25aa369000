# SPDX-License-Identifier: Apache-2.0
"""What the deciders ask beside their pushes: incarnations, releases, sealing keys, subjects."""

from __future__ import annotations

from qupia.vault.v1 import vault_pb2
from services.chassis import evidence
from services.chassis.call import Call
from services.chassis.clock import Clock
from services.chassis.database import Connection, Database
from services.chassis.evidence import Entry
from services.chassis.pipeline import Handler
from services.chassis.refusal import KeyUnavailable, Unavailable
from services.chassis.slices import completes, next_incarnation
from services.vault import store_life, store_releases, store_slices, wire
from services.vault.decide import Life, Operation, Question
from services.vault.gate import MESSAGE_TEXT, Contended, Gate, Given, Outcome, Read
from services.vault.provider import KeyProviderError
from services.vault.servicer import problem_of
from services.vault.store_keys import KeyStore
from services.vault.store_life import DeciderLife


class DeciderServicer:
    """The services of the contract that deciders call."""

    def __init__(
        self,
        database: Database,
        gate: Gate,
        keys: KeyStore,
        clock: Clock,
    ) -> None:
        self._database = database
        self._gate = gate
        self._keys = keys
        self._clock = clock

    def handlers(self) -> dict[str, Handler]:
        """The handlers by RPC name."""
        return {
            "OpenIncarnation": self.open_incarnation,
            "CompleteResync": self.complete_resync,
            "GetSealingKey": self.get_sealing_key,
            "LookUpSubject": self.look_up_subject,
            "ReadForRelease": self.read_for_release,
            "GetReleaseEntry": self.get_release_entry,
        }

    def open_incarnation(self, call: Call) -> vault_pb2.OpenIncarnationResponse:
        """A new incarnation of the caller; it has to push everything again."""
        request = call.request
        assert isinstance(request, vault_pb2.OpenIncarnationRequest)
        with self._database.transaction() as connection:
            store_life.lock_life(connection)
            life = store_life.read_decider(connection, call.peer, lock=True)
            number = next_incarnation(life.highest_incarnation, request.known_incarnation)
            store_life.write_decider(connection, call.peer, DeciderLife(number, False))
            vault = store_life.read_life(connection)
            refs = {"incarnation": str(number)}
            self._record(connection, call, refs)
        return vault_pb2.OpenIncarnationResponse(
            incarnation=number, vault_incarnation=vault.vault_incarnation if vault else ""
        )

    def complete_resync(self, call: Call) -> vault_pb2.CompleteResyncResponse:
        """The caller has pushed everything to this life of the vault."""
        request = call.request
        assert isinstance(request, vault_pb2.CompleteResyncRequest)
        with self._database.transaction() as connection:
            life = store_life.read_decider(connection, call.peer, lock=True)
            vault = store_life.read_life(connection)
            present = vault.vault_incarnation if vault else ""
            counts = completes(
                request.vault_incarnation == present,
                request.incarnation,
                life.highest_incarnation,
            )
            if counts and not life.complete:
                life = DeciderLife(life.highest_incarnation, True)
                store_life.write_decider(connection, call.peer, life)
                self._record(connection, call, {"incarnation": str(request.incarnation)})
        return vault_pb2.CompleteResyncResponse(
            counts=counts,
            vault_incarnation=present,
            highest_incarnation=life.highest_incarnation,
        )

    def get_sealing_key(self, _call: Call) -> vault_pb2.GetSealingKeyResponse:
        """The public key that documents are sealed to."""
        try:
            pair = self._keys.sealing_pair()
        except KeyProviderError:
            raise KeyUnavailable from None
        if pair is None:
            raise KeyUnavailable
        return vault_pb2.GetSealingKeyResponse(key_id=pair.key_id, public_key=pair.public_key)

    def look_up_subject(self, call: Call) -> vault_pb2.LookUpSubjectResponse:
        """Which of the ids the site has."""
        request = call.request
        assert isinstance(request, vault_pb2.LookUpSubjectRequest)
        wanted = [(request.site_id, subject) for subject in request.subject_ids]
        with self._database.look() as connection:
            known = store_slices.known_subjects(connection, wanted)
        return vault_pb2.LookUpSubjectResponse(
            subject_ids=[subject for _, subject in known],
            destroyed=[subject for (_, subject), life in known.items() if life == Life.DESTROYED],
        )

    def read_for_release(self, call: Call) -> vault_pb2.ReadForReleaseResponse:
        """What the recipients of open orders may have."""
        request = call.request
        assert isinstance(request, vault_pb2.ReadForReleaseRequest)
        call.recorded = True
        reads = [_release_read(call, item) for item in request.items]
        outcomes = self._gate.read(reads)
        return vault_pb2.ReadForReleaseResponse(
            outcomes=[
                self._release_outcome(call, read, outcome)
                for read, outcome in zip(reads, outcomes, strict=True)
            ]
        )

    def _release_outcome(
        self, call: Call, read: Read, outcome: Outcome
    ) -> vault_pb2.ReleaseOutcome:
        if isinstance(outcome, Contended):
            if call.remaining() <= 0:
                # Nobody waits for it any more, so it is not begun.
                return vault_pb2.ReleaseOutcome()
            try:
                outcome = self._gate.read_alone(read)
            except Unavailable:
                # Whether its entry stands is not known; what the others were given is.
                return vault_pb2.ReleaseOutcome()
        if not isinstance(outcome, Given):
            return vault_pb2.ReleaseOutcome(problem=problem_of(outcome))
        return vault_pb2.ReleaseOutcome(
            read=vault_pb2.ReleaseRead(
                data=wire.data_to(outcome.data),
                version=outcome.version,
                entry_id=outcome.entry_id,
                fields=sorted([*outcome.data, *outcome.message]),
                message_text=outcome.message.get(MESSAGE_TEXT),
            )
        )

    def get_release_entry(self, call: Call) -> vault_pb2.GetReleaseEntryResponse:
        """The entry under which data left for a release."""
        request = call.request
        assert isinstance(request, vault_pb2.GetReleaseEntryRequest)
        with self._database.transaction() as connection:
            entry = store_releases.read_release_entry(
                connection, request.site_id, request.release_id
            )
        return vault_pb2.GetReleaseEntryResponse(entry_id=entry)

    def _record(self, connection: Connection, call: Call, refs: dict[str, str]) -> None:
        entry = Entry(
            event=call.method.evidence,
            verb=call.method.verb,
            outcome=evidence.DONE,
            site_id="",
            principal=call.principal.name,
            clause=call.method.clauses[0],
            refs=refs,
        )
        evidence.append(connection, entry, self._clock.now())


def _release_read(call: Call, item: vault_pb2.ReleaseItem) -> Read:
    return Read(
        site=item.site_id,
        subject=item.subject_id,
        question=Question(
            Operation.READ_FOR_RELEASE,
            reference=item.order_id,
            delivery_id=item.delivery_id,
            recipient_id=item.recipient_id,
        ),
        event=call.method.evidence,
        verb=call.method.verb,
        principal=call.principal.name,
        role="",
        refs={
            "order_id": item.order_id,
            "delivery_id": item.delivery_id,
            "recipient_id": item.recipient_id,
            "release_id": item.release_id,
        },
        release_id=item.release_id,
    )

# SPDX-License-Identifier: Apache-2.0
"""Sends written answers by e-mail, and tries again until the mail server has them (clause 8.2).

A letter leaves also under a block: it is the answer to the person, and shows nobody's data but in
the officer's own words. The mail server's acceptance is the proof of dispatch. A process that dies
between the acceptance and its record sends the letter once more under the same Message-ID.
"""

from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from services.chassis.clock import Clock
from services.chassis.database import Connection, Database
from services.chassis.mail import Attachment, LetterNotSent, Mailer
from services.chassis.mail import Letter as MailLetter
from services.chassis.metrics import Metrics
from services.chassis.refusal import DataLoss, Refusal, SubjectDestroyed
from services.chassis.sealed import store as sealed_store
from services.chassis.sealed.document import SealingKey, StoredDocument
from services.claims import store, store_acts, store_answer_steps, store_answers
from services.claims.answer import Letter, Sending, Way
from services.claims.answer_letter import message_of
from services.claims.claim import Attribution, Claim
from services.claims.correspondence import Correspondence, NoOperator
from services.claims.documents import (
    DocumentKind,
    Text,
    salted_digests,
    seal_documents,
)
from services.claims.retry import next_try
from services.claims.servicer_answer import DISPATCHED
from services.claims.state import Dispatch, IllegalTransition
from services.claims.store_steps import Step
from services.claims.wire_vault import Vault

UNDELIVERABLE: Final = "answer.undeliverable"
_BATCH: Final = 20
_PAUSE_SECONDS: Final = 0.5
_VAULT_SECONDS: Final = 2.0
_MAIL_SECONDS: Final = 20.0


class Sender:
    """Sends the letters that are due; `round` is what runs beside the server."""

    def __init__(
        self,
        database: Database,
        vault: Vault,
        correspondence: Correspondence,
        secret: bytes,
        clock: Clock,
        metrics: Metrics,
        log: Any,
    ) -> None:
        self._database = database
        self._vault = vault
        self._correspondence = correspondence
        self._secret = secret
        self._clock = clock
        self._metrics = metrics
        self._log = log

    def round(self) -> float:
        """Send what is due; returns the seconds until the next round."""
        mailer = self._correspondence.mailer
        if mailer is not None:
            with self._database.transaction() as connection:
                due = store_answers.due_sendings(connection, self._clock.now(), _BATCH)
            for site_id, claim_id in due:
                self._send(mailer, site_id, claim_id)
        return _PAUSE_SECONDS

    def _send(self, mailer: Mailer, site_id: str, claim_id: str) -> None:
        taken = self._take(site_id, claim_id)
        if taken is None:
            return
        claim, letter, way, places = taken
        try:
            address, content = (
                self._vault.get_document(place, letter.author, _VAULT_SECONDS) for place in places
            )
            message_id = mailer.send(
                self._mail(claim, letter, address.decode(), content), _MAIL_SECONDS
            )
        except (SubjectDestroyed, DataLoss):
            # Trying again opens neither: the officer has the claim and its texts.
            self._give_up(claim, way)
        except LetterNotSent as failure:
            self._log.warning("answer not sent", for_good=failure.for_good)
            if failure.for_good:
                self._give_up(claim, way)
        except (Refusal, NoOperator) as refusal:
            # It is due again when the lease ends.
            self._log.warning("answer not sent", error=type(refusal).__name__)
        else:
            self._leave(claim, letter, way, message_id)

    def _take(
        self, site_id: str, claim_id: str
    ) -> tuple[Claim, Letter, Way, tuple[StoredDocument, StoredDocument]] | None:
        """Take a letter that is due for one try; None where another has it, or it is not there."""
        now = self._clock.now()
        with self._database.transaction() as connection:
            claim = store.read_claim(connection, site_id, claim_id, lock=True)
            way = store_answers.read_way(connection, site_id, claim_id, lock=True)
            letter = store_answers.read_letter(connection, site_id, claim_id)
            if claim is None or letter is None or way is None or not _is_due(way, now):
                return None
            address, file = (
                sealed_store.stored_at(connection, site_id, claim_id, document_id)
                for document_id in (way.address_id, letter.document_id)
            )
            if address is None or file is None:
                # The courier has not brought them to the vault yet.
                return None
            way = replace(way, attempts=way.attempts + 1, next_time=next_try(way.attempts, now))
            store_answers.write_way(connection, site_id, claim_id, way)
        return claim, letter, way, (address, file)

    def _mail(self, claim: Claim, letter: Letter, address: str, content: bytes) -> MailLetter:
        operator = self._correspondence.operator_of(claim.site_id)
        subject, text = message_of(claim.language, claim.number, operator)
        name = letter.number.replace("/", "-")
        return MailLetter(
            address,
            subject,
            text,
            [
                Attachment(f"{name}.pdf", "application/pdf", content),
                Attachment(f"{name}.pdf.sig", "application/octet-stream", letter.signature),
            ],
            letter_id=letter.document_id,
        )

    def _leave(self, claim: Claim, letter: Letter, way: Way, message_id: str) -> None:
        """Record that the mail server has the letter."""
        now = self._clock.now()
        proof = Text(DocumentKind.DISPATCH_PROOF, f"SMTP 250, Message-ID: {message_id}")
        with self._database.transaction() as connection:
            locked = store.read_claim(connection, claim.site_id, claim.claim_id, lock=True) or claim
            key = sealed_store.current_key(connection)
            if key is None:
                raise RuntimeError("a letter was sealed, so there is a key to seal with")
            if self._is_still(connection, claim, way):
                sent = replace(way, sending=Sending.SENT)
                store_answers.write_way(connection, claim.site_id, claim.claim_id, sent)
            dispatch = Dispatch("EMAIL", now, proof.text)
            step = self._step(key, locked, DISPATCHED, [proof])
            try:
                store_answer_steps.dispatch(connection, locked, letter, dispatch, step, now)
            except IllegalTransition:
                # An officer recorded meanwhile that it left by another way.
                self._log.warning("answer sent and dispatched otherwise as well")

    def _give_up(self, claim: Claim, way: Way) -> None:
        """It will never be taken there: an officer has to see to it."""
        now = self._clock.now()
        with self._database.transaction() as connection:
            locked = store.read_claim(connection, claim.site_id, claim.claim_id, lock=True)
            if locked is None or not self._is_still(connection, claim, way):
                return
            way = replace(way, sending=Sending.UNDELIVERABLE)
            store_answers.write_way(connection, claim.site_id, claim.claim_id, way)
            by = _itself(UNDELIVERABLE)
            store_acts.append_evidence(connection, claim, by, {}, {}, {}, now)
        self._metrics.alarms.labels("answer_undeliverable").inc()

    @staticmethod
    def _is_still(connection: Connection, claim: Claim, way: Way) -> bool:
        """Whether no officer has said meanwhile that it goes elsewhere, or by another way."""
        place = (claim.site_id, claim.claim_id)
        return store_answers.read_way(connection, *place, lock=True) == way

    def _step(self, key: SealingKey, claim: Claim, event: str, texts: list[Text]) -> Step:
        sealed = seal_documents(key, claim, texts)
        return Step(_itself(event), sealed, salted_digests(self._secret, texts))


def _itself(event: str) -> Attribution:
    return Attribution("process/claims", "", event, "RECORD", "8.2")


def _is_due(way: Way, now: datetime) -> bool:
    return way.sending is Sending.UNDER_WAY and way.next_time <= now

# SPDX-License-Identifier: Apache-2.0
"""The proof of a consent as messages: ISO/IEC TS 27560 in the words of DPV (law.md 3.1, 3.3)."""

from __future__ import annotations

import hashlib

from qupia.consent.v1 import consent_pb2
from qupia.subject.v1 import subject_pb2
from services.chassis.sites import Operator
from services.consent import vocabulary
from services.consent.book import Kind
from services.consent.page import LANGUAGES, page
from services.consent.policy import Policy
from services.consent.proof import Proof, Word
from services.consent.purposes import CLAUSE_OF_CONSENT
from services.consent.wire import consent_message, timestamp
from services.consent.wire_declaration import declaration_message

_SCHEMA = "ISO/IEC TS 27560:2023"
_TYPES = {
    Kind.GRANTED: "dpv:ConsentGiven",
    Kind.DECLINED: "dpv:ConsentRefused",
    Kind.WITHDRAWN: "dpv:ConsentWithdrawn",
    Kind.REJECTED: "dpv:ConsentWithdrawn",
    Kind.CARRIED_CONSENT: "dpv:ConsentGiven",
    Kind.CARRIED_NO: "dpv:ConsentRefused",
    Kind.CARRIED_DISAGREEMENT: "dpv:ConsentWithdrawn",
}


def proof_message(proof: Proof) -> consent_pb2.ProveConsentResponse:
    """The whole answer."""
    last = proof.words[-1] if proof.words else None
    message = consent_pb2.ProveConsentResponse(
        record=_record(proof),
        wording=proof.wording,
        policy=_policy(proof.policy) if proof.policy else None,
        decision_time=timestamp(last.event.declared_time) if last else None,
        in_force_time=timestamp(proof.in_force_time),
        evidence=[
            consent_pb2.ConsentEvidence(entry_id=r.entry_id, body=r.body) for r in proof.records
        ],
        pages=[
            consent_pb2.ConsentPage(language=language, html=page(proof, language))
            for language in LANGUAGES
        ],
        at_time=timestamp(proof.moment.at),
        known_time=timestamp(proof.moment.known),
    )
    if proof.state is not None and proof.fact is not None:
        message.consent.CopyFrom(consent_message(proof.purpose, (proof.state, proof.fact)))
    if last is not None:
        message.declaration.CopyFrom(declaration_message(last.event.declaration))
    return message


def _record(proof: Proof) -> consent_pb2.ConsentRecord:
    operator, fact = proof.operator, proof.fact
    record = consent_pb2.ConsentRecord(
        context=consent_pb2.JsonLdContext(
            vocabulary=vocabulary.CONTEXT, dpv=vocabulary.CONTEXT, dct=vocabulary.TERMS
        ),
        id=f"urn:uuid:{fact.act_id}" if fact else "",
        type="dpv:ConsentRecord",
        conforms_to=_SCHEMA,
        has_data_subject=_term(f"urn:qupia:subject:{proof.subject_id}"),
        language=fact.language if fact else "",
        has_purpose=[_term(each) for each in vocabulary.PURPOSES[proof.purpose]],
        purpose_code=subject_pb2.Purpose.Code.Value(proof.purpose),
        clause=CLAUSE_OF_CONSENT[proof.purpose],
        has_legal_basis=_term(vocabulary.LEGAL_BASIS),
        has_personal_data=[each.name for each in proof.data],
        has_data_controller=_controller(operator),
        third_party_transfer=True,
        has_recipient=vocabulary.RECIPIENTS,
        cross_border_transfer=operator.cross_border,
        public_dissemination=operator.public_dissemination,
        has_storage_condition=operator.storage,
        has_jurisdiction="KZ",
        has_withdrawal_method=operator.withdrawal,
        has_consent_status=_term(vocabulary.STATUS[proof.state]),
        has_consent_event=[_event(word) for word in proof.words],
    )
    if proof.policy is not None:
        record.has_notice.version = proof.policy.version
        record.has_notice.sha256 = proof.policy.sha256
    if fact is not None and fact.given:
        until_end = fact.expire_time is None
        record.has_duration.type = "dpv:UntilEventDuration" if until_end else "dpv:TimeDuration"
        if fact.expire_time is not None:
            record.has_duration.end_time.FromDatetime(fact.expire_time)
    return record


def _controller(operator: Operator) -> consent_pb2.ConsentController:
    return consent_pb2.ConsentController(
        type="dpv:DataController",
        name=operator.name,
        bin=operator.bin,
        address=operator.address,
        contact=operator.contact,
        responsible=operator.responsible,
    )


def _event(word: Word) -> consent_pb2.ConsentRecordEvent:
    event = word.event
    return consent_pb2.ConsentRecordEvent(
        type=_TYPES[event.kind],
        event_time=timestamp(event.declared_time),
        record_time=timestamp(event.time),
        in_force_time=timestamp(word.in_force_time),
        attested_by=event.principal,
        declaration=declaration_message(event.declaration),
        act_id=event.act_id,
    )


def _policy(policy: Policy) -> consent_pb2.PolicyProof:
    return consent_pb2.PolicyProof(
        version=policy.version,
        sha256=policy.sha256,
        effective_time=timestamp(policy.effective_time),
        texts=[
            consent_pb2.PolicyTextDigest(
                language=text.language,
                title=text.title,
                sha256=hashlib.sha256(text.body.encode()).hexdigest(),
            )
            for text in policy.texts
        ],
    )


def _term(iri: str) -> consent_pb2.Term:
    return consent_pb2.Term(id=iri)

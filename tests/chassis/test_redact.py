# SPDX-License-Identifier: Apache-2.0
"""No message of the contract prints a person's data (trap 13)."""

import json
from typing import Any

import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.protobuf.timestamp_pb2 import Timestamp

from qupia.claims.v1 import claims_pb2
from qupia.contract.v1 import contract_pb2
from qupia.subject.v1 import subject_pb2
from qupia.vault.v1 import vault_pb2
from services.chassis.contract import all_messages, is_map, is_personal, text_rule
from services.chassis.redact import REDACTED, redact

CANARY = "Нұрсұлтан-87011234567"
MESSAGES = sorted(all_messages(), key=lambda d: d.full_name)
_SHOWN = "plain"


def _filled(descriptor: Descriptor, depth: int = 4) -> Message:
    """Every field set: the canary where the contract says personal, opaque or nothing."""
    message = GetMessageClass(descriptor)()
    for field in descriptor.fields:
        value = _value(field, depth)
        if value is None:
            continue
        if is_map(field):
            getattr(message, field.name)["loyaltyCard"] = CANARY
        elif field.is_repeated:
            getattr(message, field.name).append(value)
        elif field.message_type is not None:
            getattr(message, field.name).CopyFrom(value)
        else:
            setattr(message, field.name, value)
    return message


def _value(field: FieldDescriptor, depth: int) -> Any:
    if field.message_type is not None:
        if field.message_type.full_name == "google.protobuf.Timestamp":
            return Timestamp(seconds=1)
        return _filled(field.message_type, depth - 1) if depth else None
    form = text_rule(field).form
    hidden = is_personal(field) or form in (0, contract_pb2.TextRule.OPAQUE)
    if field.type == FieldDescriptor.TYPE_STRING:
        return CANARY if hidden else _SHOWN
    if field.type == FieldDescriptor.TYPE_BYTES:
        return CANARY.encode()
    if field.type == FieldDescriptor.TYPE_BOOL:
        return True
    return 1


@pytest.mark.parametrize("descriptor", MESSAGES, ids=lambda d: d.full_name)
def test_no_message_of_the_contract_prints_a_persons_data(descriptor: Descriptor) -> None:
    printed = json.dumps(redact(_filled(descriptor)), ensure_ascii=False, default=repr)
    assert CANARY not in printed
    assert "87011234567" not in printed
    assert CANARY.encode().hex() not in printed


def test_a_placed_datum_is_named_and_hidden() -> None:
    request = vault_pb2.StoreDataRequest(
        subject_id="0" * 32,
        data=subject_pb2.PersonalData(phone=CANARY, address=subject_pb2.Address(street=CANARY)),
        form="checkout",
    )
    assert redact(request) == {
        "subjectId": "0" * 32,
        "data": {"phone": REDACTED, "address": {"street": REDACTED}},
        "form": "checkout",
    }


def test_an_unknown_field_is_not_printed() -> None:
    message = vault_pb2.ReadDataRequest.FromString(b"\xfa\x7f\x05abcde")
    assert redact(message) == {}


def test_an_unknown_enum_value_and_a_time_are_printed_as_they_are() -> None:
    message = vault_pb2.Block.FromString(b"\x20\x63")
    message.since_time.FromSeconds(0)
    assert redact(message) == {"ground": 99, "sinceTime": "1970-01-01T00:00:00Z"}


def test_a_time_beyond_the_calendar_prints_no_exception() -> None:
    message = vault_pb2.Block()
    message.since_time.seconds = 10**15
    assert redact(message)["sinceTime"] == REDACTED


def test_every_field_of_a_person_is_marked_personal() -> None:
    for message in (subject_pb2.PersonalData, subject_pb2.Address):
        for field in message.DESCRIPTOR.fields:
            if field.message_type is None:
                assert is_personal(field), field.full_name


def test_what_a_person_or_officer_writes_freely_is_marked_personal() -> None:
    assert is_personal(claims_pb2.NewClaim.DESCRIPTOR.fields_by_name["statement"])
    assert is_personal(claims_pb2.NewClaim.DESCRIPTOR.fields_by_name["demand"])
    assert is_personal(vault_pb2.GetDocumentResponse.DESCRIPTOR.fields_by_name["text"])


def test_free_text_that_is_not_personal_was_looked_at_by_somebody() -> None:
    """A new one is to be thought about, then added here."""
    free = {
        field.full_name.partition(".v1.")[2]
        for descriptor in MESSAGES
        for field in descriptor.fields
        if text_rule(field).form == contract_pb2.TextRule.TEXT and not is_personal(field)
    }
    assert free <= {
        "GrantConsentRequest.wording",
        "RefuseConsentRequest.wording",
        "ProveConsentResponse.wording",
        "ConsentRecord.has_storage_condition",
        "ConsentRecord.id",
        "ConsentRecord.type",
        "ConsentRecord.conforms_to",
        "ConsentRecord.has_recipient",
        "ConsentRecord.has_jurisdiction",
        "ConsentRecord.has_withdrawal_method",
        "JsonLdContext.vocabulary",
        "JsonLdContext.dpv",
        "JsonLdContext.dct",
        "Term.id",
        "ConsentController.type",
        "ConsentController.name",
        "ConsentController.bin",
        "ConsentController.address",
        "ConsentTerm.type",
        "ConsentRecordEvent.type",
        "PolicyTextDigest.title",
        # Canonical JSON of an entry: subjects by pseudonym, ids, digests and no datum.
        "ConsentEvidence.body",
        "PolicyText.title",
        "PolicyText.body",
        "Recipient.legal_name",
        "Recipient.agreement",
        "Disclosure.recipient_name",
        "ProcessingAct.recipient_name",
        "NamedRecipient.legal_name",
        # A browser family or a shortened network, of a group large enough to be told.
        "GroupCount.group",
        # What a datum is called, from the site's configuration.
        "FieldLabel.text",
        # A mailbox or phone of a recipient's organisation, of no person, and its contract.
        "Recipient.contact",
        "Terms.agreement",
        "Terms.contact",
        # Of a state body: its name, and the act that it invokes (5.3).
        "Authority.legal_name",
        "AuthorityCount.legal_name",
        "Disclosure.legal_act",
        "Disclosure.legal_article",
        "LegalDocument.number",
        "LegalGround.act",
        "LegalGround.article",
        # Written by the services themselves: ids, events, and words from their own tables.
        "TimelineEntry.decided_on",
        "SigningKey.pem",
        "DestroyedCategory.basis",
        "Destruction.executed_by",
        "DestructionCertificate.executed_by",
        "DestructionCertificate.document",
        "DestructionHold.basis",
        "ExportSubjectResponse.key_id",
        "GetKeyStatusResponse.provider_fault",
        "ProcessingAct.event",
        "ProcessingAct.principal",
        "ProcessingAct.words",
    }

# SPDX-License-Identifier: Apache-2.0
"""One row per RPC without a route: the request of a peer that may call, and what it is answered.

The requests change nothing that stands: slices name another life of the vault, releases another
recipient, documents a key that never was.
"""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from google.protobuf.message import Message

from qupia.consent.v1 import consent_reading_pb2, policy_reading_pb2
from qupia.disclosure.v1 import authority_reading_pb2
from qupia.subject.v1 import subject_pb2
from qupia.vault.v1 import (
    authority_pb2,
    blocking_pb2,
    documents_pb2,
    endings_pb2,
    pushes_pb2,
    recipients_pb2,
    recovery_pb2,
    sessions_pb2,
    standing_changes_pb2,
    uses_pb2,
    vault_pb2,
)
from services.chassis.contract import Method
from services.chassis.ids import new_uuid
from tests.matrix.rows import OK, NoRow, name_of
from tests.matrix.things import Thing


@dataclass(frozen=True, slots=True)
class PeerRow:
    """How a peer asks, and the code of its answer for a thing that is there and for an absent."""

    request: Callable[[Thing], Message]
    own: str = OK
    absent: str = OK


def _site(thing: Thing) -> str:
    return thing.site or "demo"


def _header(thing: Thing) -> vault_pb2.SliceHeader:
    return vault_pb2.SliceHeader(
        site_id=_site(thing),
        subject_id=thing.subject_id,
        version=vault_pb2.SliceVersion(incarnation=1, counter=1),
        vault_incarnation=new_uuid(),
    )


def _consent_slice(thing: Thing) -> Message:
    return vault_pb2.ApplyConsentSliceRequest(header=_header(thing), slice=vault_pb2.ConsentSlice())


def _claims_slice(thing: Thing) -> Message:
    return vault_pb2.ApplyClaimsSliceRequest(header=_header(thing), slice=vault_pb2.ClaimsSlice())


def _claims_slices(thing: Thing) -> Message:
    one = vault_pb2.ApplyClaimsSliceRequest(header=_header(thing), slice=vault_pb2.ClaimsSlice())
    return pushes_pb2.ApplyClaimsSlicesRequest(pushes=[one])


def _consent_slices(thing: Thing) -> Message:
    one = vault_pb2.ApplyConsentSliceRequest(header=_header(thing), slice=vault_pb2.ConsentSlice())
    return pushes_pb2.ApplyConsentSlicesRequest(pushes=[one])


def _order_slices(thing: Thing) -> Message:
    one = vault_pb2.ApplyOrderSliceRequest(header=_header(thing), slice=vault_pb2.OrderSlice())
    return pushes_pb2.ApplyOrderSlicesRequest(pushes=[one])


def _order_slice(thing: Thing) -> Message:
    return vault_pb2.ApplyOrderSliceRequest(header=_header(thing), slice=vault_pb2.OrderSlice())


def _schedule(thing: Thing) -> Message:
    header = _header(thing)
    header.ClearField("subject_id")  # a schedule is the whole site's
    return vault_pb2.ApplyPolicyScheduleRequest(header=header, schedule=vault_pb2.PolicySchedule())


def _resync(_thing: Thing) -> Message:
    return vault_pb2.CompleteResyncRequest(incarnation=1, vault_incarnation=new_uuid())


def _correction(thing: Thing) -> Message:
    return vault_pb2.StageCorrectionRequest(
        site_id=_site(thing),
        subject_id=thing.subject_id,
        claim_id=thing.claim_id,
        correction_id=new_uuid(),
        data=subject_pb2.PersonalData(given_name="Нұрлан"),
    )


def _look_up(thing: Thing) -> Message:
    return vault_pb2.LookUpSubjectRequest(site_id=_site(thing), subject_ids=[thing.subject_id])


def _interim(thing: Thing) -> Message:
    return blocking_pb2.ListInterimRequest(
        site_id=_site(thing),
        subject_id=thing.subject_id,
        claim_id=thing.claim_id,
        reader="issuer/officer",
    )


def _documents(thing: Thing) -> Message:
    return recovery_pb2.ListDocumentsRequest(
        site_id=_site(thing), bound_to=thing.claim_id, owner_ids=[thing.subject_id]
    )


def _release(thing: Thing) -> Message:
    item = vault_pb2.ReleaseItem(
        site_id=_site(thing),
        subject_id=thing.subject_id,
        release_id=new_uuid(),
        order_id=thing.order_id,
        delivery_id=thing.delivery_id,
        recipient_id=new_uuid(),
    )
    return vault_pb2.ReadForReleaseRequest(items=[item])


def _names(thing: Thing) -> Message:
    named = recipients_pb2.NamedRecipient(
        site_id=_site(thing),
        recipient_id=new_uuid(),
        kind=recipients_pb2.NamedRecipient.COURIER,
        legal_name="ТОО «Ешкім»",
        bin="181140010008",
    )
    return recipients_pb2.NameRecipientsRequest(recipients=[named])


def _release_entry(thing: Thing) -> Message:
    return vault_pb2.GetReleaseEntryRequest(site_id=_site(thing), release_id=new_uuid())


def _question(thing: Thing) -> authority_pb2.AuthorityQuestion:
    return authority_pb2.AuthorityQuestion(
        site_id=_site(thing),
        subject_id=thing.subject_id,
        categories=[authority_pb2.DataCategory.PHONE],
    )


def _authority(thing: Thing) -> Message:
    question = _question(thing)
    question.subject_id = secrets.token_hex(16)
    return authority_pb2.ReadForAuthorityRequest(
        question=question,
        request_id=new_uuid(),
        authority_id=new_uuid(),
        release_id=new_uuid(),
    )


def _authority_check(thing: Thing) -> Message:
    return authority_pb2.CheckForAuthorityRequest(question=_question(thing))


def _place(thing: Thing) -> vault_pb2.DocumentPlace:
    return vault_pb2.DocumentPlace(
        site_id=_site(thing),
        owner_id=thing.subject_id,
        bound_to=thing.claim_id,
        document_id=new_uuid(),
        kind=vault_pb2.Document.STATEMENT,
    )


def _put(thing: Thing) -> vault_pb2.PutDocumentRequest:
    return vault_pb2.PutDocumentRequest(
        place=_place(thing), sealing_key_id="no-such-key", sealed=b"?"
    )


def _use(thing: Thing) -> Message:
    return uses_pb2.PutUseRequest(
        site_id=_site(thing),
        subject_id=thing.subject_id,
        event_id=new_uuid(),
        sealing_key_id="no-such-key",
        sealed=b"?",
    )


def _session(_thing: Thing) -> Message:
    return sessions_pb2.CheckSessionRequest(token_sha256=bytes(32))


def _get(thing: Thing) -> Message:
    return vault_pb2.GetDocumentRequest(place=_place(thing), reader="issuer/officer")


def _policy(thing: Thing) -> Message:
    request = policy_reading_pb2.ReadPolicyAtRequest(site_id=_site(thing))
    request.at_time.GetCurrentTime()
    return request


def _consent(thing: Thing) -> Message:
    request = consent_reading_pb2.ReadConsentAtRequest(
        site_id=_site(thing), subject_id=thing.subject_id, purpose=subject_pb2.Purpose.NEWS
    )
    request.at_time.GetCurrentTime()
    return request


def _authority_state(thing: Thing) -> Message:
    return authority_reading_pb2.ReadAuthorityRequestStateRequest(
        site_id=_site(thing), authority_request_id=thing.authority_request_id
    )


PEER_ROWS: Mapping[str, PeerRow] = {
    "AuthorityReadingService.ReadAuthorityRequestState": PeerRow(
        _authority_state, absent="NOT_FOUND"
    ),
    "ConsentReadingService.ReadConsentAt": PeerRow(_consent, absent="NOT_FOUND"),
    "PolicyReadingService.ReadPolicyAt": PeerRow(_policy),
    "VaultDeciderService.OpenIncarnation": PeerRow(lambda _: vault_pb2.OpenIncarnationRequest()),
    "VaultDeciderService.CompleteResync": PeerRow(_resync),
    "VaultDeciderService.GetSealingKey": PeerRow(lambda _: vault_pb2.GetSealingKeyRequest()),
    "VaultConsentService.ApplyConsentSlice": PeerRow(_consent_slice),
    "VaultConsentService.ApplyPolicySchedule": PeerRow(_schedule),
    "VaultClaimsService.ApplyClaimsSlice": PeerRow(_claims_slice),
    "VaultClaimsPushService.ApplyClaimsSlices": PeerRow(_claims_slices),
    "VaultConsentPushService.ApplyConsentSlices": PeerRow(_consent_slices),
    "VaultOrderPushService.ApplyOrderSlices": PeerRow(_order_slices),
    "VaultClaimsService.StageCorrection": PeerRow(_correction, absent="NOT_FOUND"),
    "VaultClaimsService.LookUpSubject": PeerRow(_look_up),
    "VaultBlockingService.ListProvisionalBlocks": PeerRow(
        lambda _: blocking_pb2.ListProvisionalBlocksRequest()
    ),
    "VaultBlockingService.ListInterim": PeerRow(_interim),
    "VaultRecoveryService.ListLostClaims": PeerRow(
        lambda _: recovery_pb2.ListLostClaimsRequest(incarnation=1)
    ),
    "VaultRecoveryService.ListDocuments": PeerRow(_documents),
    "VaultDisclosureService.ApplyOrderSlice": PeerRow(_order_slice),
    "VaultDisclosureService.ReadForRelease": PeerRow(_release),
    "VaultDisclosureService.GetReleaseEntry": PeerRow(_release_entry),
    "VaultAuthorityService.CheckForAuthority": PeerRow(_authority_check),
    # A release that no request stands behind would be a fault of the records: it names nobody.
    "VaultAuthorityService.ReadForAuthority": PeerRow(
        _authority, own="NOT_FOUND", absent="NOT_FOUND"
    ),
    "VaultEndingService.ListEndedSubjects": PeerRow(
        lambda _: endings_pb2.ListEndedSubjectsRequest()
    ),
    "VaultRecipientService.NameRecipients": PeerRow(_names),
    "VaultRecallService.ListStandingChanges": PeerRow(
        lambda _: standing_changes_pb2.ListStandingChangesRequest()
    ),
    "VaultDocumentService.PutDocument": PeerRow(
        _put, own="INVALID_ARGUMENT", absent="INVALID_ARGUMENT"
    ),
    "VaultDocumentsService.PutDocuments": PeerRow(
        lambda thing: documents_pb2.PutDocumentsRequest(documents=[_put(thing)]),
        own="INVALID_ARGUMENT",
        absent="INVALID_ARGUMENT",
    ),
    # Of no session.
    "VaultSessionService.CheckSession": PeerRow(
        _session, own="UNAUTHENTICATED", absent="UNAUTHENTICATED"
    ),
    "VaultUseService.PutUse": PeerRow(_use, own="INVALID_ARGUMENT", absent="NOT_FOUND"),
    "VaultDocumentService.GetDocument": PeerRow(_get, own="NOT_FOUND", absent="NOT_FOUND"),
}


def peer_row_of(method: Method) -> PeerRow:
    """The row of an RPC without a route. Raises NoRow, which says what to add."""
    row = PEER_ROWS.get(name_of(method))
    if row is None:
        raise NoRow(
            f"{name_of(method)} stands in the contract and not in the matrix: add to PEER_ROWS in "
            f'tests/matrix/rows_grpc.py a line "{name_of(method)}": PeerRow(<its request for a '
            "thing>, own=…, absent=…)"
        )
    return row

# SPDX-License-Identifier: Apache-2.0
"""One row per RPC with an HTTP route: how it is asked for, and what an owner is answered.

Who may call stands in the contract and not here. Whatever a row says of an owner's own, for
everybody else another site's thing has to be the absent thing, byte for byte.
"""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from cli.seed import STOREFRONTS
from services.chassis.contract import Method
from tests.harness.suite import POLICY, USE
from tests.matrix.things import (
    Thing,
    email_of,
    new_authority_request,
    new_claim,
    new_recipient,
)

OK = "OK"


class NoRow(Exception):
    """An RPC has no row."""


@dataclass(frozen=True, slots=True)
class Row:
    """How an RPC is asked for.

    `about` is what it concerns: "person" (a subject and what hangs on it: all four relations),
    "delivery" (the same, but of one recipient), "object" (of a site, never blocked), "version" (the
    sites count theirs alike) or "site" (nothing that could be another's). `body` makes the JSON for
    a thing. `own`, `blocked` and `absent` are the codes of the answers, OK where it is none;
    `tells` finds the code within an answer 200. `unlike` holds callers whose answer for their own
    is another one, `absent_unlike` roles that are told something else of what never was.
    """

    about: str
    body: Callable[[Thing], object] | None = None
    own: str = OK
    blocked: str = OK
    absent: str = "NOT_FOUND"
    tells: Callable[[Mapping[str, Any]], str] = lambda _answer: OK
    unlike: Mapping[str, str] = field(default_factory=dict)
    absent_unlike: Mapping[str, str] = field(default_factory=dict)


def _empty(_thing: Thing) -> object:
    return {}


def _outcome(answer: Mapping[str, Any]) -> str:
    (outcome,) = answer["outcomes"]
    return str(outcome["problem"]["code"]) if "problem" in outcome else OK


def _standing(answer: Mapping[str, Any]) -> str:
    return str(answer["standing"]["state"])


def _ending(answer: Mapping[str, Any]) -> str:
    return str(answer["outcome"])


def _ledger(answer: Mapping[str, Any]) -> str:
    return OK if answer["disclosures"] else "EMPTY"


def _order(thing: Thing) -> object:
    return {"order": {"orderId": f"M-{secrets.token_hex(6)}", "subjectId": thing.subject_id}}


def _visitor(thing: Thing) -> object:
    return {"visitorId": thing.visitor_id}


def _dispatch() -> object:
    return {"channel": "POST", "time": datetime.now(UTC).isoformat(), "proof": "RR1"}


def _answer(_thing: Thing) -> object:
    return {"decision": "REJECTED", "text": "Отказано.", "dispatch": _dispatch()}


def _template(_thing: Thing) -> object:
    texts = [{"language": "kk", "sha256": secrets.token_hex(32)}]
    template_id = f"template:{secrets.token_hex(6)}"
    return {"template": {"templateId": template_id, "kind": "SERVICE", "texts": texts}}


def _purchase(_thing: Thing) -> object:
    line = {"title": "Кітап", "quantity": 1, "amount": "4990", "currency": "KZT"}
    return {"purchase": {"orderId": f"M-{secrets.token_hex(6)}", "lines": [line]}}


def _code(_thing: Thing) -> object:
    return {"code": "0000-0000-0000-0000-0000"}


def _now() -> str:
    return datetime.now(UTC).isoformat()


def _yesterday() -> str:
    return (datetime.now(UTC) - timedelta(days=1)).isoformat()


def _rejected(_thing: Thing) -> object:
    dispatch = {"channel": "POST", "time": _now(), "proof": "RR1"}
    notice = {"text": "Полномочия не подтверждены.", "dispatch": dispatch}
    return {"decision": "REJECTED", "reason": "Доверенность истекла.", "notice": notice}


_REASON = {"reason": "Ошибка оператора."}
_READ = {"purpose": "IDENTIFY_FOR_ORDER"}
_CONCLUSION = {"outcome": "NOT_CONFIRMED", "evidence": "Документы сверены."}
_END = {"ground": "DEMAND", "dryRun": True}
_SITE = Row("site")
_NO_INCIDENT = Row("person", own="NOT_FOUND", blocked="NOT_FOUND")
_INCIDENT = {
    "kind": "DISCLOSED",
    "cause": "EMPLOYEE_ERROR",
    "intent": "NOT_INTENTIONAL",
    "description": "Письмо ушло не тому.",
}
_OFFICERS_WITHOUT_PAPER = dict.fromkeys(
    (
        "privacyOfficer",
        "secondPrivacyOfficer",
        "otherPrivacyOfficer",
        "otherSecondPrivacyOfficer",
    ),
    "INVALID_ARGUMENT",
)

# Two people: whoever entered it does not approve it (5.2, 5.3).
_FIRST_OFFICERS = dict.fromkeys(
    ("privacyOfficer", "otherPrivacyOfficer"), "AWAITING_SECOND_APPROVAL"
)
# What is done once has been done by the first, who is asked before.
_DONE_BY_THE_FIRST = {"secondClaimsOfficer": "STATE_CONFLICT"}

ROWS: Mapping[str, Row] = {
    "ConsentService.PublishPolicy": Row("site", lambda _: POLICY),
    "ConsentService.GetPolicy": Row("version"),
    "ConsentService.ListPolicies": _SITE,
    "ConsentService.GetPolicyInForce": _SITE,
    "ConsentService.RegisterSubject": Row("site", lambda _: {"use": USE}),
    # What restricts or only records is never held up by a block; a new consent is (6.2.3).
    "ConsentService.RecordUse": Row("person", lambda _: {"use": USE}),
    "ConsentService.AcceptPolicy": Row("person", lambda _: {"language": "ru"}),
    "ConsentService.RejectPolicy": Row("person", _empty),
    # An officer enters what stands on paper, and this is none.
    "ConsentService.GrantConsent": Row(
        "person",
        lambda _: {"language": "ru", "wording": "Хочу"},
        blocked="SUBJECT_BLOCKED",
        unlike=_OFFICERS_WITHOUT_PAPER,
    ),
    "ConsentService.WithdrawConsent": Row("person", _empty, unlike=_OFFICERS_WITHOUT_PAPER),
    "ConsentService.RefuseConsent": Row("person", _empty, unlike=_OFFICERS_WITHOUT_PAPER),
    "ConsentService.ListConsents": Row("person"),
    "ConsentService.ProveConsent": Row("person"),
    "ConsentService.ListAcceptances": Row("version"),
    "ConsentService.IssuePartnerToken": Row(
        "person", _empty, own="CONSENT_REQUIRED", blocked="CONSENT_REQUIRED"
    ),
    # Nobody's token: all that is refused looks like this.
    "ConsentService.RedeemPartnerToken": Row(
        "site", lambda _: {"token": "qt_nobodys"}, own="NOT_AVAILABLE"
    ),
    "ConsentService.GetAct": Row("person"),
    "ConsentLinkService.LinkVisitor": Row("person", _visitor, blocked="SUBJECT_BLOCKED"),
    # The visitor is linked to nobody.
    "ConsentLinkService.UnlinkVisitor": Row(
        "person",
        lambda thing: {"visitorId": thing.visitor_id, "fault": "SHARED_DEVICE", "reference": "c-7"},
        own="STATE_CONFLICT",
        blocked="STATE_CONFLICT",
    ),
    "ConsentLinkService.ListLinks": Row("person"),
    "VaultService.StoreData": Row(
        "person", lambda _: {"data": {"givenName": "Нұрлан"}}, blocked="SUBJECT_BLOCKED"
    ),
    "VaultService.ReadData": Row("person", lambda _: _READ, blocked="SUBJECT_BLOCKED"),
    "VaultService.BatchReadData": Row(
        "person",
        lambda thing: {"items": [{"subjectId": thing.subject_id, **_READ}]},
        blocked="SUBJECT_BLOCKED",
        tells=_outcome,
    ),
    # Opens under a block only, for the claim that blocks.
    "VaultService.ReadForVerification": Row(
        "person", lambda thing: {"subjectId": thing.subject_id}, own="NOT_FOUND"
    ),
    "VaultService.GetStanding": Row("person", own="ACTIVE", blocked="BLOCKED", tells=_standing),
    # A storefront finds nobody who is blocked; an officer with a case does.
    "VaultSearchService.FindSubjects": Row(
        "person",
        lambda thing: {"email": email_of(thing.subject_id), "reference": "case-7"},
        blocked="NONE",
        absent="NONE",
        tells=lambda answer: OK if answer["subjectIds"] else "NONE",
        unlike=dict.fromkeys(
            (
                *("claimsOfficer", "secondClaimsOfficer"),
                *("privacyOfficer", "secondPrivacyOfficer"),
            ),
            OK,
        ),
    ),
    "VaultSearchService.CheckPermissions": Row(
        "person",
        lambda thing: {"items": [{"subjectId": thing.subject_id, **_READ}]},
        blocked="SUBJECT_BLOCKED",
        tells=_outcome,
    ),
    # Its ids are the site's own: registering one that another site has is registering a new one.
    "VaultRecordService.BatchStoreData": Row(
        "person",
        lambda thing: {"items": [{"subjectId": thing.subject_id, "data": {"givenName": "Нұр"}}]},
        blocked="SUBJECT_BLOCKED",
        tells=_outcome,
    ),
    "VaultRecordService.RecordVisits": Row(
        "person",
        lambda thing: {"items": [{"subjectId": thing.subject_id, "visit": {"accessTime": _now()}}]},
        blocked="SUBJECT_BLOCKED",
        tells=_outcome,
    ),
    "VaultRecordService.SummarizeVisits": _SITE,
    "VaultRecordService.StorePurchase": Row("person", _purchase, blocked="SUBJECT_BLOCKED"),
    # Rehearsed, so that the things stay: their orders are open, and hold it.
    "VaultDestructionService.DestroySubject": Row(
        "person", lambda _: _END, own="HELD", blocked="HELD", tells=_ending
    ),
    "VaultDestructionService.DepersonalizeSubject": Row(
        "person", lambda _: _END, own="HELD", blocked="HELD", tells=_ending
    ),
    # Nothing of the things was ever due.
    "VaultDestructionService.GetDestruction": Row("person", own="NOT_FOUND", blocked="NOT_FOUND"),
    "VaultDestructionService.ListDestructions": _SITE,
    # A key of no site; a custodian of any site acts for all. Nothing old is there to retire.
    "VaultKeyService.RotateKey": Row("site", lambda _: {"kind": "INDEX"}),
    "VaultKeyService.GetKeyStatus": _SITE,
    "VaultKeyService.RetireKey": Row(
        "site", lambda _: {"kind": "EPOCH", "keyId": "no-such-epoch"}, own="NOT_FOUND"
    ),
    # A storefront is told the same of everybody, and of nobody too; an officer has identified
    # somebody, which this request does not say.
    "VaultAccessService.IssueAccessCode": Row(
        "person",
        _empty,
        own="INVALID_ARGUMENT",
        blocked="INVALID_ARGUMENT",
        absent="INVALID_ARGUMENT",
        unlike=dict.fromkeys(STOREFRONTS, OK),
        absent_unlike={"STOREFRONT": OK},
    ),
    # Nobody's code: all that opens nothing looks like this.
    "VaultAccessService.RedeemAccessCode": Row("site", _code, own="UNAUTHENTICATED"),
    "VaultAccessService.EndAccess": Row("person", _empty),
    "VaultOwnViewService.ExportSubject": Row("person", _empty),
    "VaultOwnViewService.PrintSubject": Row("person", _empty),
    "VaultOwnViewService.ListProcessing": Row("person"),
    "VaultOwnViewService.GetSigningKeys": _SITE,
    "VaultTemplateService.RegisterTemplate": Row("site", _template),
    "VaultFieldService.ListDataFields": _SITE,
    "VaultVersionService.ListDataVersions": Row("person"),
    "VaultTemplateService.ListTemplates": _SITE,
    "DisclosureService.RegisterRecipient": Row("site", lambda _: {"recipient": new_recipient()}),
    # Two people: whoever registered it does not activate it (5.2).
    "DisclosureService.ActivateRecipient": Row(
        "object",
        _empty,
        unlike={
            "privacyOfficer": "AWAITING_SECOND_APPROVAL",
            "otherPrivacyOfficer": "AWAITING_SECOND_APPROVAL",
        },
    ),
    "DisclosureService.SuspendRecipient": Row("object", _empty),
    "DisclosureService.ListRecipients": _SITE,
    "DisclosureRecipientService.RenewRecipient": Row(
        "object", lambda _: {"terms": {"agreement": "ДГ-2027/1"}}
    ),
    "DisclosureAuthorityService.RegisterAuthority": Row(
        "site", lambda _: {"authority": {"legalName": "Прокуратура", "bin": "000140002217"}}
    ),
    "DisclosureAuthorityService.ActivateAuthority": Row("object", _empty, unlike=_FIRST_OFFICERS),
    "DisclosureAuthorityService.SuspendAuthority": Row("object", _empty),
    "DisclosureAuthorityService.ListAuthorities": _SITE,
    # For a body that never was (6.2.2); who may be one is tested in tests/policy.
    "DisclosureAuthorityRequestService.SubmitAuthorityRequest": Row(
        "site",
        lambda thing: new_authority_request(thing.registered_id, thing.subject_id),
        own="RECIPIENT_NOT_PERMITTED",
    ),
    "DisclosureAuthorityRequestService.GetAuthorityRequest": Row("object"),
    "DisclosureAuthorityRequestService.ListAuthorityRequests": _SITE,
    "DisclosureAuthorityRequestService.ApproveAuthorityRequest": Row(
        "object", lambda _: {"categories": ["PHONE"]}, unlike=_FIRST_OFFICERS
    ),
    "DisclosureAuthorityRequestService.RejectAuthorityRequest": Row(
        "object",
        lambda _: _REASON,
        unlike=dict.fromkeys(
            ("secondPrivacyOfficer", "otherSecondPrivacyOfficer"), "STATE_CONFLICT"
        ),
    ),
    "DisclosureAuthorityRequestService.ReleaseToAuthority": Row(
        "object", _empty, own="AWAITING_SECOND_APPROVAL"
    ),
    "DisclosureAuthorityRequestService.SummarizeAuthorityRequests": _SITE,
    "DisclosureAuthorityRequestService.PickUpAuthorityPackage": Row(
        "site", lambda _: {"code": "AAAAA", "bin": "000140002217"}, own="NOT_AVAILABLE"
    ),
    "DisclosureService.RegisterOrder": Row("person", _order, blocked="SUBJECT_BLOCKED"),
    "DisclosureService.AssignOrder": Row(
        "person", lambda thing: {"recipientId": thing.recipient_id}
    ),
    "DisclosureService.CloseOrder": Row("person", _empty),
    "DisclosureService.GetOrder": Row("person"),
    "DisclosureService.ListDeliveries": _SITE,
    "DisclosureService.ReleaseDelivery": Row(
        "delivery", _empty, blocked="NOT_AVAILABLE", absent="NOT_AVAILABLE"
    ),
    "DisclosureManifestService.ReleaseManifest": Row(
        "delivery",
        lambda thing: {"deliveryIds": [thing.delivery_id]},
        blocked="NOT_AVAILABLE",
        absent="NOT_AVAILABLE",
        tells=_outcome,
    ),
    "DisclosureManifestService.GetSigningKeys": _SITE,
    "DisclosureNoticeService.ListNotices": _SITE,
    # Nobody's notice; whose it is, is tested in tests/policy/test_law_24.py.
    "DisclosureNoticeService.AcknowledgeNotice": Row("site", _empty, own="NOT_AVAILABLE"),
    # Its line is that of the release which made the thing.
    "DisclosureService.GetDisclosure": Row("person"),
    "DisclosureService.ListDisclosures": Row("person", absent="EMPTY", tells=_ledger),
    "DisclosureService.GetAct": Row("person"),
    "ClaimsService.FileClaim": Row(
        "person", lambda thing: {"claim": new_claim(thing.subject_id, blocks=True)}
    ),
    "ClaimsService.GetClaim": Row("person"),
    "ClaimsService.ListClaims": _SITE,
    # A claim that blocks nothing has nothing to verify; one that blocks is verified, then answered.
    "ClaimsService.ConcludeVerification": Row(
        "person", lambda _: _CONCLUSION, own="STATE_CONFLICT", unlike=_DONE_BY_THE_FIRST
    ),
    "ClaimsService.AnswerClaim": Row(
        "person", _answer, blocked="STATE_CONFLICT", unlike=_DONE_BY_THE_FIRST
    ),
    "ClaimsService.GetAct": Row("person"),
    # Nobody has the contact of the matrix's people, no claim of theirs is a representative's, and
    # no time of receipt waits.
    "ClaimsVerificationService.SettleSameContact": Row(
        "person",
        lambda thing: {"subjectId": thing.subject_id, "decision": "RELEASED", "reason": "Другой."},
        own="STATE_CONFLICT",
        blocked="STATE_CONFLICT",
    ),
    "ClaimsVerificationService.SettleAuthority": Row(
        "person", _rejected, own="STATE_CONFLICT", blocked="STATE_CONFLICT"
    ),
    "ClaimsVerificationService.CorrectReceiptTime": Row(
        "person", lambda _: {"receiptTime": _yesterday(), "reason": "Штамп почты."}
    ),
    "ClaimsVerificationService.ConfirmReceiptTime": Row(
        "person", lambda _: _REASON, own="STATE_CONFLICT", blocked="STATE_CONFLICT"
    ),
    # What does not block cannot be lifted; approving is a second officer's.
    "ClaimsVerificationService.ProposeLift": Row(
        "person", lambda _: _REASON, own="STATE_CONFLICT", unlike=_DONE_BY_THE_FIRST
    ),
    "ClaimsVerificationService.ApproveLift": Row(
        "person", lambda _: _REASON, own="STATE_CONFLICT", blocked="STATE_CONFLICT"
    ),
    "ClaimsVerificationService.ListInterim": Row("person"),
    "ClaimsVerificationService.ListTasks": _SITE,
    # No letter is written for these claims.
    "AnswerService.GetAnswer": Row("person", own="NOT_FOUND", blocked="NOT_FOUND"),
    "AnswerService.GetAnswerStatus": Row("person", own="NOT_FOUND", blocked="NOT_FOUND"),
    "AnswerService.RecordDispatch": Row(
        "person",
        lambda _: {"dispatch": _dispatch()},
        own="STATE_CONFLICT",
        blocked="STATE_CONFLICT",
    ),
    "AnswerService.SendAnswer": Row(
        "person", _empty, own="STATE_CONFLICT", blocked="STATE_CONFLICT"
    ),
    "AnswerService.AttachNationalSignature": Row(
        "person", lambda _: {"cms": "MIA="}, own="NOT_FOUND", blocked="NOT_FOUND"
    ),
    "AnswerService.GetSigningKeys": _SITE,
    "NoticeService.GetNotices": Row("person"),
    "IncidentService.RegisterIncident": Row("site", lambda _: {"incident": _INCIDENT}),
    "IncidentService.ListIncidents": _SITE,
    # No incident was registered of these people.
    "IncidentService.GetIncident": _NO_INCIDENT,
    "IncidentService.GetIncidentNotice": _NO_INCIDENT,
    "IncidentService.AssessIncident": replace(
        _NO_INCIDENT, body=lambda _: {"measures": "Доступ закрыт."}
    ),
    "IncidentService.AddIncidentNotice": replace(
        _NO_INCIDENT,
        body=lambda _: {"addressee": "AUTHORISED_BODY", "dispatch": _dispatch()},
    ),
    "IncidentService.ProposeExemption": replace(
        _NO_INCIDENT, body=lambda _: {"code": "UNAUTHORISED_ACCESS", "reference": "Акт № 7"}
    ),
    "IncidentService.CloseIncident": replace(_NO_INCIDENT, body=lambda _: _REASON),
    # These claims are not the site's.
    "SiteClaimService.RecordReceipt": Row(
        "person",
        lambda _: {"receiptTime": datetime.now(UTC).isoformat(), "proof": "Уведомление № 7"},
        own="STATE_CONFLICT",
        blocked="STATE_CONFLICT",
    ),
    "SiteClaimService.RecordUserAnswer": Row(
        "person",
        lambda _: {"decision": "REJECTED", "text": "Нет."},
        own="STATE_CONFLICT",
        blocked="STATE_CONFLICT",
    ),
    "WorkService.AssignClaim": Row("person", _empty),
    # The claim names the subject already.
    "WorkService.AttachSubject": Row(
        "person",
        lambda thing: {"subjectId": thing.subject_id, **_REASON},
        own="STATE_CONFLICT",
        blocked="STATE_CONFLICT",
    ),
    "WorkService.AddNote": Row("person", lambda _: {"text": "Позвонить завтра."}),
    "WorkService.AttachFile": Row("person", lambda _: {"content": "JVBERi0xLjcK"}),
    # No file is attached to these claims, and no document has the claim's id.
    "WorkService.GetAttachment": Row("person", own="NOT_FOUND", blocked="NOT_FOUND"),
    "WorkService.GetDocuments": Row("person"),
    "WorkService.ReadDocument": Row("person", own="NOT_FOUND", blocked="NOT_FOUND"),
    "WorkService.GetTimeline": Row("person"),
    # The terms of these claims have not passed.
    "NoticeService.RecordNoAnswerNotice": Row(
        "person",
        lambda _: {"dispatch": _dispatch()},
        own="STATE_CONFLICT",
        blocked="STATE_CONFLICT",
    ),
    # None of these claims is answered, and none has run out of time.
    "CourtService.RecordAgreement": Row(
        "person", lambda _: {"terms": "Мир."}, own="STATE_CONFLICT", blocked="STATE_CONFLICT"
    ),
    "CourtService.ReferToCourt": Row(
        "person",
        lambda _: {"case": "СМЭС г. Алматы"},
        own="COURT_BEFORE_CLAIM",
        blocked="COURT_BEFORE_CLAIM",
    ),
    "CourtService.CloseClaim": Row(
        "person", lambda _: _REASON, own="STATE_CONFLICT", blocked="STATE_CONFLICT"
    ),
    "CourtService.ExportBundle": Row("person"),
    # The book has lost none of these claims.
    "RecoveryService.DescribeRecoveredClaim": Row(
        "person",
        lambda _: {"language": "ru", "text": "Найдено по заявлению."},
        own="STATE_CONFLICT",
        blocked="STATE_CONFLICT",
    ),
}


def name_of(method: Method) -> str:
    """The RPC's name as the rows have it."""
    return f"{method.service.rpartition('.')[2]}.{method.name}"


def row_of(method: Method) -> Row:
    """The row of an RPC with a route. Raises NoRow, which says what to add."""
    row = ROWS.get(name_of(method))
    if row is None:
        raise NoRow(
            f"{name_of(method)} stands in the contract and not in the matrix: add to ROWS in "
            f'tests/matrix/rows.py a line "{name_of(method)}": Row(<what it is about>, <its JSON '
            "body for a thing>, own=…, blocked=…, absent=…), and where its path has a variable of "
            "a new name, give Thing a field for it in tests/matrix/asking.py"
        )
    return row

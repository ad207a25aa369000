# SPDX-License-Identifier: Apache-2.0
"""What a mutating RPC needs beforehand to have its effect: who asks, for what, with which body.

An RPC that its row in the matrix answers OK needs nothing. Any other has a line in PREPARATIONS.
"""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from sqlalchemy import create_engine, text

from services.chassis.contract import Method
from tests.harness.suite import USE
from tests.harness.waiting import awaited, wait_until
from tests.matrix.callers import ANONYMOUS, Caller, second_claims_officer
from tests.matrix.rows import OK, ROWS, Row, name_of, row_of
from tests.matrix.things import (
    Thing,
    World,
    email_of,
    new_authority_request,
    new_claim,
    new_data,
)

# The first of these roles that may call does.
_CALLERS = {
    "STOREFRONT": "storefront",
    "CLAIMS_OFFICER": "claimsOfficer",
    # The one who did not register the recipient.
    "PRIVACY_OFFICER": "secondPrivacyOfficer",
    "RECIPIENT": "courier",
    "PARTNER": "partner",
    "KEY_CUSTODIAN": "keyCustodian",
}


class NotPrepared(Exception):
    """A mutating RPC has no effect by its row alone, and nothing says what it needs."""


@dataclass(frozen=True, slots=True)
class Preparation:
    """How an RPC comes to have its effect.

    `blocked`: of a thing whose claim blocks. `thing` does beforehand what is needed, and returns
    the thing to ask for. `body` makes the JSON to send, the row's where None. `by_second`: a second
    claims officer asks. `passing` are members of the answer, at any depth, that tell
    a repeat something else than the first: what is its own, or what has gone on since. `told` is
    what the row finds within the answer.
    """

    thing: Callable[[World, Thing], Thing] = lambda _world, thing: thing
    body: Callable[[World, Thing], object] | None = None
    blocked: bool = False
    by_second: bool = False
    passing: frozenset[str] = frozenset()
    told: str = OK


@dataclass(frozen=True, slots=True)
class Request:
    """One request, as often as it is sent."""

    method: Method
    caller: Caller
    thing: Thing
    row: Row
    passing: frozenset[str]
    told: str


def prepare(world: World, method: Method) -> Request:
    """A request of its own that has its effect. Raises NotPrepared, which says what to add."""
    name, row = name_of(method), row_of(method)
    needs = PREPARATIONS.get(name, Preparation())
    caller = _caller(world, method, by_second=needs.by_second)
    usual = row.unlike.get(caller.name, row.own)
    if usual != OK and name not in PREPARATIONS:
        raise NotPrepared(
            f"{name} is answered {usual} by its row in the matrix: add to PREPARATIONS in "
            f'tests/chaos/preparing.py a line "{name}": Preparation(…) that does what has to be '
            "done before it has its effect"
        )
    thing = needs.thing(world, world.make("demo", blocked=needs.blocked))
    if needs.body is not None:
        body = needs.body(world, thing)
    else:
        body = row.body(thing) if row.body else {}
    row = replace(row, body=lambda _: body)
    return Request(method, caller, thing, row, needs.passing, needs.told)


def _caller(world: World, method: Method, *, by_second: bool) -> Caller:
    if method.anyone:
        return world.callers[ANONYMOUS]
    if by_second:
        return second_claims_officer(world.suite)
    names = [name for role, name in _CALLERS.items() if role in (method.roles or ())]
    assert names, f"_CALLERS in tests/chaos/preparing.py has none who may call {name_of(method)}"
    return world.callers[names[0]]


def _done(world: World, who: str, path: str, body: object) -> Mapping[str, object]:
    return world.ask(world.callers[who], "POST", path, body)


# -- consent ------------------------------------------------------------------------------------


def _with_partners_consent(world: World, thing: Thing) -> Thing:
    """The person's word for partners' sites."""
    path = f"/v1/subjects/{thing.subject_id}/consents/PARTNER_SITES:grant"
    granted = _done(world, "storefront", path, {"language": "ru", "wording": "Хочу"})
    assert granted["enforcement"] == "IN_FORCE"
    return thing


def _partner_token(world: World, thing: Thing) -> object:
    issued = _done(world, "storefront", f"/v1/subjects/{thing.subject_id}/partner-tokens", {})
    return {"token": issued["token"]}


def _with_visitor(world: World, thing: Thing) -> Thing:
    path = f"/v1/subjects/{thing.subject_id}:linkVisitor"
    _done(world, "storefront", path, {"visitorId": thing.visitor_id})
    return thing


# -- vault --------------------------------------------------------------------------------------


def _access_code(world: World, thing: Thing) -> object:
    asked = {"identification": {"method": "IDENTITY_DOCUMENT", "reference": "register:1"}}
    path = f"/v1/subjects/{thing.subject_id}/access-codes"
    return {"code": _done(world, "claimsOfficer", path, asked)["code"]}


def _held_by_nothing(world: World, thing: Thing) -> Thing:
    """Somebody with data and no order."""
    shop = world.callers["storefront"]
    subject_id = str(_done(world, shop.name, "/v1/subjects", {"use": USE})["subjectId"])
    world.ask(shop, "PATCH", f"/v1/subjects/{subject_id}/data", {"data": new_data()})
    return replace(thing, subject_id=subject_id)


def _end(_world: World, _thing: Thing) -> object:
    return {"ground": "DEMAND", "reference": "case-7"}


def _no_rotation(world: World, thing: Thing) -> Thing:
    """Keys that are not being rotated."""
    custodian = world.callers["keyCustodian"]

    def has_ended() -> bool:
        status = world.ask(custodian, "GET", "/v1/keys?rotationOnly=true", None)
        return bool(status.get("rotation", {}).get("state", "ENDED") == "ENDED")

    wait_until(has_ended, "the rotation does not end")
    return thing


def _old_epoch(world: World, thing: Thing) -> object:
    _no_rotation(world, thing)
    _done(world, "keyCustodian", "/v1/keys:rotate", {"kind": "EPOCH"})
    _no_rotation(world, thing)
    status = world.ask(world.callers["keyCustodian"], "GET", "/v1/keys", None)
    old = next(each for each in status["epochs"] if not each.get("current"))
    return {"kind": "EPOCH", "keyId": old["keyId"]}


# -- disclosure ---------------------------------------------------------------------------------


def _another_recipient(world: World, _thing: Thing) -> object:
    # The thing's order has its courier already, and the same assignment again would be no act.
    return {"recipientId": world.callers["otherCourier"].recipient_id}


def _with_notice(world: World, thing: Thing) -> Thing:
    """The recipient of the thing's delivery is told that its data are blocked."""

    def told() -> str | None:
        listed = world.ask(world.callers["courier"], "GET", "/v1/notices", None)["notices"]
        of_thing = (n["noticeId"] for n in listed if n["deliveryId"] == thing.delivery_id)
        return next(of_thing, None)

    # The matrix names a notice by the thing's delivery.
    return replace(thing, delivery_id=awaited(told, "no notice came"))


def _asked_by_an_active_body(world: World, thing: Thing) -> object:
    return new_authority_request(world.active_authority(thing.site), thing.subject_id)


def _approved(world: World, thing: Thing) -> Thing:
    """A state body's request that a second officer approved."""
    path = f"/v1/authority-requests/{thing.authority_request_id}:approve"
    _done(world, "secondPrivacyOfficer", path, {"categories": ["PHONE"]})
    return thing


# -- claims -------------------------------------------------------------------------------------


def _entered(world: World, thing: Thing, **more: str) -> Thing:
    """Another claim of the thing's, entered by an officer; it blocks."""
    claim = {**new_claim(thing.subject_id, blocks=True), **more}
    filed = world.ask(world.callers["claimsOfficer"], "POST", "/v1/claims", {"claim": claim})
    return replace(thing, claim_id=filed["claim"]["claimId"])


def _by_a_representative(world: World, thing: Thing) -> Thing:
    return _entered(world, thing, claimant="REPRESENTATIVE")


def _received_long_ago(world: World, thing: Thing) -> Thing:
    """Its time of receipt waits for a second officer."""
    receipt = datetime.now(UTC) - timedelta(days=20)
    return _entered(world, thing, receiptTime=receipt.isoformat())


def _another_subject(_world: World, thing: Thing) -> object:
    return {"subjectId": thing.visitor_id, "reason": "По удостоверению личности."}


def _nobody_answered(world: World, thing: Thing) -> Thing:
    """A claim whose term has passed, as the claims service has found."""
    receipt = datetime.now(UTC) - timedelta(days=60)
    thing = _entered(world, thing, receiptTime=receipt.isoformat())
    path = f"/v1/claims/{thing.claim_id}/notices"

    def is_found() -> bool:
        notices = world.ask(world.callers["claimsOfficer"], "GET", path, None)["notices"]
        return "NO_ANSWER" in [notice["kind"] for notice in notices]

    wait_until(is_found, "nobody found that the term has passed")
    return thing


def _recovered(world: World, thing: Thing) -> Thing:
    """A claim that counts as one the book had lost."""
    engine = create_engine(world.suite.database_url("claims", "owner"))
    with engine.begin() as connection:
        statement = text("UPDATE claims SET recovery = 'FOUND' WHERE claim_id = :claim")
        connection.execute(statement, {"claim": thing.claim_id})
    engine.dispose()
    return thing


def _lift_proposed(world: World, thing: Thing) -> Thing:
    path = f"/v1/claims/{thing.claim_id}:proposeLift"
    _done(world, "claimsOfficer", path, {"reason": "Ошибка оператора."})
    return thing


def _same_contact(world: World, thing: Thing) -> object:
    """Somebody with the claimant's contact, of whom the claims service has heard."""
    shop = world.callers["storefront"]
    subject_id = _done(world, shop.name, "/v1/subjects", {"use": USE})["subjectId"]
    data = {"data": {"email": email_of(thing.subject_id)}}
    world.ask(shop, "PATCH", f"/v1/subjects/{subject_id}/data", data)
    path = f"/v1/claims/{thing.claim_id}"

    def is_heard() -> bool:
        claim = world.ask(world.callers["claimsOfficer"], "GET", path, None)["claim"]
        return subject_id in [each["subjectId"] for each in claim["sameContacts"]]

    wait_until(is_heard, "the claims service did not hear of it")
    return {"subjectId": subject_id, "decision": "RELEASED", "reason": "Другой человек."}


def _answer_written(world: World, thing: Thing) -> Thing:
    """An answer that has not left."""
    body = {"decision": "REJECTED", "text": "Отказано."}
    _done(world, "claimsOfficer", f"/v1/claims/{thing.claim_id}:answer", body)
    return thing


def _answered(world: World, thing: Thing) -> Thing:
    dispatch = {"channel": "POST", "time": datetime.now(UTC).isoformat(), "proof": "RR1"}
    body = {"decision": "REJECTED", "text": "Отказано.", "dispatch": dispatch}
    _done(world, "claimsOfficer", f"/v1/claims/{thing.claim_id}:answer", body)
    return thing


def _of_the_site(world: World, thing: Thing) -> Thing:
    """A claim of the site against the person."""
    return _entered(world, thing, claimant="SITE", kind="OTHER")


def _received_by_the_user(world: World, thing: Thing) -> Thing:
    thing = _of_the_site(world, thing)
    received = {"receiptTime": datetime.now(UTC).isoformat(), "proof": "Уведомление № 7"}
    _done(world, "claimsOfficer", f"/v1/claims/{thing.claim_id}:recordReceipt", received)
    return thing


def _with_incident(world: World, thing: Thing) -> Thing:
    """The matrix names an incident by the thing's claim."""
    row = ROWS["IncidentService.RegisterIncident"]
    assert row.body is not None
    made = _done(world, "secondPrivacyOfficer", "/v1/incidents", row.body(thing))
    incident = made["incident"]
    assert isinstance(incident, Mapping)
    return replace(thing, claim_id=str(incident["incidentId"]))


def _with_notice_sent(world: World, thing: Thing) -> Thing:
    thing = _with_incident(world, thing)
    row = ROWS["IncidentService.AddIncidentNotice"]
    assert row.body is not None
    path = f"/v1/incidents/{thing.claim_id}/notices"
    _done(world, "secondPrivacyOfficer", path, row.body(thing))
    return thing


def _reply_address(_world: World, _thing: Thing) -> object:
    return {"replyAddress": f"claimant-{secrets.token_hex(6)}@example.kz"}


# Each release is one of its own, with a receipt of its own.
_RELEASE = Preparation(passing=frozenset({"releaseId", "releaseTime", "receipt"}))

PREPARATIONS: Mapping[str, Preparation] = {
    "ConsentService.IssuePartnerToken": Preparation(_with_partners_consent),
    "ConsentService.RedeemPartnerToken": Preparation(_with_partners_consent, _partner_token),
    "ConsentLinkService.UnlinkVisitor": Preparation(_with_visitor),
    "VaultAccessService.RedeemAccessCode": Preparation(body=_access_code),
    "VaultDestructionService.DestroySubject": Preparation(_held_by_nothing, _end, told="DESTROYED"),
    "VaultDestructionService.DepersonalizeSubject": Preparation(
        _held_by_nothing, _end, told="DESTROYED"
    ),
    "VaultKeyService.RotateKey": Preparation(
        _no_rotation,
        passing=frozenset({"state", "rewrapped", "total", "endTime", "estimatedEndTime"}),
    ),
    "VaultKeyService.RetireKey": Preparation(body=_old_epoch),
    "DisclosureService.AssignOrder": Preparation(body=_another_recipient),
    "DisclosureService.ReleaseDelivery": _RELEASE,
    "DisclosureManifestService.ReleaseManifest": _RELEASE,
    "DisclosureNoticeService.AcknowledgeNotice": Preparation(_with_notice, blocked=True),
    "DisclosureAuthorityRequestService.SubmitAuthorityRequest": Preparation(
        body=_asked_by_an_active_body
    ),
    # Its texts reach the vault in the meantime.
    "DisclosureAuthorityRequestService.RejectAuthorityRequest": Preparation(
        passing=frozenset({"stored"})
    ),
    # The code is shown once, to whoever asked first.
    "DisclosureAuthorityRequestService.ReleaseToAuthority": Preparation(
        _approved, passing=frozenset({"code", "codeExpireTime", "stored"})
    ),
    "IncidentService.AssessIncident": Preparation(_with_incident),
    "IncidentService.AddIncidentNotice": Preparation(_with_incident),
    "IncidentService.ProposeExemption": Preparation(_with_incident),
    "IncidentService.CloseIncident": Preparation(_with_notice_sent),
    "SiteClaimService.RecordReceipt": Preparation(_of_the_site),
    "SiteClaimService.RecordUserAnswer": Preparation(_received_by_the_user),
    "ClaimsService.ConcludeVerification": Preparation(blocked=True),
    "ClaimsVerificationService.SettleSameContact": Preparation(body=_same_contact, blocked=True),
    "ClaimsVerificationService.SettleAuthority": Preparation(_by_a_representative),
    "ClaimsVerificationService.ConfirmReceiptTime": Preparation(_received_long_ago, by_second=True),
    "ClaimsVerificationService.ProposeLift": Preparation(blocked=True),
    "ClaimsVerificationService.ApproveLift": Preparation(
        _lift_proposed, blocked=True, by_second=True
    ),
    "WorkService.AttachSubject": Preparation(body=_another_subject),
    "RecoveryService.DescribeRecoveredClaim": Preparation(_recovered),
    "NoticeService.RecordNoAnswerNotice": Preparation(_nobody_answered),
    "AnswerService.RecordDispatch": Preparation(_answer_written),
    "AnswerService.SendAnswer": Preparation(
        _answer_written,
        _reply_address,
        passing=frozenset({"sending", "attempts", "nextTime", "channel", "dispatchTime"}),
    ),
    "AnswerService.AttachNationalSignature": Preparation(_answer_written),
    "CourtService.RecordAgreement": Preparation(_answered),
    "CourtService.ReferToCourt": Preparation(_answered),
    "CourtService.CloseClaim": Preparation(_answered),
}

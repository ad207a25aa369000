# SPDX-License-Identifier: Apache-2.0
"""The claims service's RPCs, each with the object that answers it."""

from collections.abc import Mapping
from typing import Final

from services.chassis.pipeline import Handler
from services.claims.servicer_answer import Answering
from services.claims.servicer_bundle import Bundles
from services.claims.servicer_court import Disputes
from services.claims.servicer_filing import Filing
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

_SERVICE: Final = "/qupia.claims.v1.ClaimsService"
_ANSWERS: Final = "/qupia.claims.v1.AnswerService"
_COURT: Final = "/qupia.claims.v1.CourtService"
_NOTICES: Final = "/qupia.claims.v1.NoticeService"
_INCIDENTS: Final = "/qupia.claims.v1.IncidentService"
_RECOVERY: Final = "/qupia.claims.v1.RecoveryService"
_SITE_CLAIMS: Final = "/qupia.claims.v1.SiteClaimService"
_WORK: Final = "/qupia.claims.v1.WorkService"
_VERIFICATION: Final = "/qupia.claims.v1.ClaimsVerificationService"


def handlers(
    filing: Filing,
    verifying: Verifying,
    answering: Answering,
    letters: Letters,
    reading: Reading,
    settling: Settling,
    tasks: Tasks,
    disputes: Disputes,
    bundles: Bundles,
    notices: Notices,
    working: Working,
    papers: Papers,
    incidents: Incidents,
    incident_reading: IncidentReading,
    site_claims: SiteClaims,
    describing: Describing,
) -> Mapping[str, Handler]:
    """The handlers by RPC path."""
    return {
        f"{_SERVICE}/FileClaim": filing.file_claim,
        f"{_SERVICE}/ConcludeVerification": verifying.conclude_verification,
        f"{_SERVICE}/AnswerClaim": answering.answer_claim,
        f"{_COURT}/RecordAgreement": disputes.record_agreement,
        f"{_COURT}/ReferToCourt": disputes.refer_to_court,
        f"{_COURT}/CloseClaim": disputes.close_claim,
        f"{_COURT}/ExportBundle": bundles.export_bundle,
        f"{_WORK}/AssignClaim": working.assign_claim,
        f"{_WORK}/AttachSubject": working.attach_subject,
        f"{_WORK}/AddNote": working.add_note,
        f"{_WORK}/AttachFile": working.attach_file,
        f"{_WORK}/GetAttachment": papers.get_attachment,
        f"{_WORK}/GetDocuments": papers.get_documents,
        f"{_WORK}/ReadDocument": papers.read_document,
        f"{_WORK}/GetTimeline": papers.get_timeline,
        f"{_INCIDENTS}/RegisterIncident": incidents.register_incident,
        f"{_INCIDENTS}/AssessIncident": incidents.assess_incident,
        f"{_INCIDENTS}/AddIncidentNotice": incidents.add_incident_notice,
        f"{_INCIDENTS}/ProposeExemption": incidents.propose_exemption,
        f"{_INCIDENTS}/CloseIncident": incidents.close_incident,
        f"{_INCIDENTS}/GetIncident": incident_reading.get_incident,
        f"{_INCIDENTS}/ListIncidents": incident_reading.list_incidents,
        f"{_INCIDENTS}/GetIncidentNotice": incident_reading.get_incident_notice,
        f"{_SITE_CLAIMS}/RecordReceipt": site_claims.record_receipt,
        f"{_SITE_CLAIMS}/RecordUserAnswer": site_claims.record_user_answer,
        f"{_RECOVERY}/DescribeRecoveredClaim": describing.describe_recovered_claim,
        f"{_NOTICES}/GetNotices": notices.get_notices,
        f"{_NOTICES}/RecordNoAnswerNotice": notices.record_no_answer_notice,
        f"{_ANSWERS}/GetAnswer": letters.get_answer,
        f"{_ANSWERS}/GetAnswerStatus": letters.get_answer_status,
        f"{_ANSWERS}/RecordDispatch": answering.record_dispatch,
        f"{_ANSWERS}/SendAnswer": answering.send_answer,
        f"{_ANSWERS}/AttachNationalSignature": letters.attach_national_signature,
        f"{_ANSWERS}/GetSigningKeys": letters.get_signing_keys,
        f"{_SERVICE}/GetClaim": reading.get_claim,
        f"{_SERVICE}/ListClaims": reading.list_claims,
        f"{_SERVICE}/GetAct": reading.get_act,
        f"{_VERIFICATION}/SettleSameContact": settling.settle_same_contact,
        f"{_VERIFICATION}/SettleAuthority": settling.settle_authority,
        f"{_VERIFICATION}/CorrectReceiptTime": settling.correct_receipt_time,
        f"{_VERIFICATION}/ConfirmReceiptTime": settling.confirm_receipt_time,
        f"{_VERIFICATION}/ProposeLift": settling.propose_lift,
        f"{_VERIFICATION}/ApproveLift": settling.approve_lift,
        f"{_VERIFICATION}/ListInterim": tasks.list_interim,
        f"{_VERIFICATION}/ListTasks": tasks.list_tasks,
    }

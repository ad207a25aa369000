# SPDX-License-Identifier: Apache-2.0
"""The handlers of the consent service by RPC path."""

from __future__ import annotations

from collections.abc import Mapping

from services.chassis.pipeline import Handler
from services.consent.servicer_acts import ActServicer
from services.consent.servicer_consents import ConsentServicer
from services.consent.servicer_links import LinkServicer
from services.consent.servicer_partner import PartnerServicer
from services.consent.servicer_policies import PolicyServicer
from services.consent.servicer_proof import ProofServicer
from services.consent.servicer_states import StateServicer
from services.consent.servicer_subjects import SubjectServicer

SERVICE = "/qupia.consent.v1.ConsentService"
READING_SERVICE = "/qupia.consent.v1.PolicyReadingService"
CONSENT_READING_SERVICE = "/qupia.consent.v1.ConsentReadingService"
LINK_SERVICE = "/qupia.consent.v1.ConsentLinkService"


def handlers(
    policies: PolicyServicer,
    subjects: SubjectServicer,
    consents: ConsentServicer,
    states: StateServicer,
    proofs: ProofServicer,
    partners: PartnerServicer,
    acts: ActServicer,
    links: LinkServicer,
) -> Mapping[str, Handler]:
    """One handler per RPC."""
    return {
        f"{SERVICE}/PublishPolicy": policies.publish_policy,
        f"{SERVICE}/GetPolicy": policies.get_policy,
        f"{SERVICE}/ListPolicies": policies.list_policies,
        f"{SERVICE}/GetPolicyInForce": policies.get_policy_in_force,
        f"{READING_SERVICE}/ReadPolicyAt": policies.read_policy_at,
        f"{SERVICE}/RegisterSubject": subjects.register_subject,
        f"{SERVICE}/RecordUse": subjects.record_use,
        f"{SERVICE}/AcceptPolicy": subjects.accept_policy,
        f"{SERVICE}/RejectPolicy": subjects.reject_policy,
        f"{SERVICE}/GrantConsent": consents.grant_consent,
        f"{SERVICE}/WithdrawConsent": consents.withdraw_consent,
        f"{SERVICE}/RefuseConsent": consents.refuse_consent,
        f"{SERVICE}/ListConsents": states.list_consents,
        f"{SERVICE}/ProveConsent": proofs.prove_consent,
        f"{CONSENT_READING_SERVICE}/ReadConsentAt": proofs.read_consent_at,
        f"{SERVICE}/ListAcceptances": policies.list_acceptances,
        f"{SERVICE}/IssuePartnerToken": partners.issue_partner_token,
        f"{SERVICE}/RedeemPartnerToken": partners.redeem_partner_token,
        f"{SERVICE}/GetAct": acts.get_act,
        f"{LINK_SERVICE}/LinkVisitor": links.link_visitor,
        f"{LINK_SERVICE}/UnlinkVisitor": links.unlink_visitor,
        f"{LINK_SERVICE}/ListLinks": links.list_links,
    }

# SPDX-License-Identifier: Apache-2.0
"""Clause 1.1.3: whatever is done with data has a verb of one closed list."""

import re
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from services.chassis.contract import Method, load_contract
from tests.harness.waiting import awaited
from tests.policy.own_view import export, handed_code, opened, printed, processing, redeem
from tests.policy.person import DATA, Person, is_refused, release
from tests.policy.records import Records
from tests.policy.site import Site
from tests.policy.state_body import authority, pick_up, submitted
from tests.policy.visiting import bought, visit, visited

VERBS = {
    *("COLLECT", "RECORD", "SYSTEMATISE", "ACCUMULATE", "STORE", "CLARIFY", "RETRIEVE", "USE"),
    *("TRANSFER", "DEPERSONALISE", "BLOCK", "DELETE", "DESTROY"),
}
SERVICES = ("vault", "disclosure")


def test_every_call_of_vault_and_broker_leaves_one_verb_of_the_list_done_or_refused(
    own_site: Site, records: Records
) -> None:
    """T-1.1.3-a"""
    requests = _one_of_each(own_site)
    methods = [m for s in SERVICES for m in load_contract().of_process(s) if _is_recorded(m)]
    asked = {method.name: found for method in methods if (found := _of(method, requests))}
    missing = {method.name for method in methods} - asked.keys()
    assert not missing, f"let _one_of_each, or what it calls, make these calls too: {missing}"
    for method in methods:
        if method.anyone:
            continue
        verb, path, body = asked[method.name]
        # A role that may not call it.
        who = "auditor" if "KEY_CUSTODIAN" in (method.roles or ()) else "keyCustodian"
        assert is_refused(own_site.ask(who, verb, path, body), 403, "PERMISSION_DENIED", "1.1.1")
    outcomes = defaultdict(set)
    for service in SERVICES:
        for entry in records.of_site(service, own_site.site_id):
            assert entry["verb"] in VERBS, entry
            outcomes[entry["event"]].add(entry["outcome"])
    for method in methods:
        assert "REFUSED" in outcomes[method.evidence], method.name
        assert outcomes[method.evidence] & {"DONE", "PERMITTED"}, method.name


def test_the_contract_names_one_verb_of_the_list_for_every_call() -> None:
    """T-1.1.3-a"""
    for method in load_contract().methods.values():
        assert method.verb in VERBS, method.name


Request = tuple[str, str, object]


def _one_of_each(site: Site) -> list[Request]:
    """Makes every call of a person's life once, from data to a claim; the requests made."""
    person = site.person(DATA)
    delivery_id = person.assigned()
    order_id = person.ordered()
    release(site, delivery_id)
    site.good("courier", "POST", "/v1/deliveries:releaseManifest", {"deliveryIds": [delivery_id]})
    person.data()
    person.versions()
    line = person.disclosures()[0]["disclosureId"]
    site.good("auditor", "GET", f"/v1/disclosures/{line}")
    batch = {"items": [{"subjectId": person.subject_id, "purpose": "IDENTIFY_FOR_ORDER"}]}
    site.good("storefront", "POST", "/v1/data:batchRead", batch)
    site.good("storefront", "POST", "/v1/permissions:batchCheck", batch)
    site.good("storefront", "POST", "/v1/subjects:find", {"email": person.own["email"]})
    stored = {"items": [{"subjectId": site.person().subject_id, "data": {"givenName": "Әсел"}}]}
    site.good("storefront", "POST", "/v1/data:batchStore", stored)
    visited(person, visit())
    bought(person, order_id, "Шай")
    site.good("storefront", "GET", "/v1/visits:summarize")
    site.template()
    site.good("storefront", "POST", f"/v1/orders/{order_id}:close", {})
    suspended = site.recipients["otherCourier"]
    terms = {"terms": {"agreement": "ДГ-2027/1"}}
    site.good("privacyOfficer", "POST", f"/v1/recipients/{suspended}:renew", terms)
    site.good("privacyOfficer", "POST", f"/v1/recipients/{suspended}:suspend", {})
    _state_body(person)
    claim_id = person.claimed()["claimId"]
    verification = {"subjectId": person.subject_id}
    site.good("claimsOfficer", "POST", f"/v1/claims/{claim_id}/data:read", verification)
    person.standing()
    notice_id = _first(site, "courier", "/v1/notices", "notices")["noticeId"]
    site.good("courier", "POST", f"/v1/notices/{notice_id}:acknowledge", {})
    _own_view(person)
    _keys(site)
    for how in ("destroy", "depersonalize"):
        gone = site.person(DATA)
        site.good("privacyOfficer", "POST", f"{gone.path}:{how}", {"ground": "DEMAND"})
        site.good("auditor", "GET", f"{gone.path}/destruction")
    return [(a.verb, a.path, a.body) for a in site.asked if a.status == 200]


def _state_body(person: Person) -> None:
    body = authority(person.site)
    request = submitted(person, body).approved("NAME", "PHONE")
    request.shown()
    code = request.released()
    assert is_refused(pick_up(person.site, code, "971240001315"), 404, "NOT_AVAILABLE")
    assert pick_up(person.site, code).status == 200
    assert submitted(person, body).act("reject", {"reason": "Нет санкции."}).status == 200
    person.site.good("privacyOfficer", "POST", f"/v1/authorities/{body}:suspend", {})


def _keys(site: Site) -> None:
    site.good("keyCustodian", "POST", "/v1/keys:rotate", {"kind": "EPOCH"})

    def ended() -> dict[str, Any] | None:
        status = site.good("keyCustodian", "GET", "/v1/keys").json
        return status if status["rotation"]["state"] == "ENDED" else None

    status = awaited(ended, "the rotation does not end")
    old = next(each for each in status["epochs"] if not each.get("current"))
    body = {"kind": "EPOCH", "keyId": old["keyId"]}
    site.good("keyCustodian", "POST", "/v1/keys:retire", body)


def _first(site: Site, who: str, path: str, member: str) -> dict[str, object]:
    """The first of a list, once there is one."""
    found = awaited(lambda: site.good(who, "GET", path).json[member] or None, f"no {member} came")
    first: dict[str, object] = found[0]
    return first


def _own_view(person: Person) -> None:
    code = handed_code(person)
    wrong = code[:-1] + ("A" if code[-1] != "A" else "B")
    assert is_refused(redeem(person, wrong), 401, "UNAUTHENTICATED")
    who = opened(person, code)
    export(person, who)
    printed(person, who, "kk")
    processing(person, who)
    assert person.ask("POST", "/access-codes:end", {}, who).status == 200


def _is_recorded(method: Method) -> bool:
    return method.http is not None and method.evidence != "none"


def _of(method: Method, requests: Iterable[Request]) -> Request | None:
    assert method.http is not None
    template = re.sub(r"\{[a-z_]+\}", "[^/:]+", method.http.path)
    for verb, path, body in requests:
        if verb == method.http.verb and re.fullmatch(template, path.partition("?")[0]):
            return verb, path, body
    return None

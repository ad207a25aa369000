# SPDX-License-Identifier: Apache-2.0
"""Clause 1.1.5: whoever uses the site is a user, registered or not."""

from tests.policy.person import DATA, Person, is_refused, release
from tests.policy.records import Records
from tests.policy.site import Site


def test_a_visitor_without_account_is_a_subject_by_a_random_name(
    site: Site, records: Records
) -> None:
    """T-1.1.5-a"""
    visitors = [site.person() for _ in range(3)]
    assert len({visitor.subject_id for visitor in visitors}) == len(visitors)
    for visitor in visitors:
        assert len(bytes.fromhex(visitor.subject_id)) == 16
        assert visitor.consents()["acceptance"]["mode"] == "IMPLIED"
        assert is_refused(visitor.read("ACCOUNT"), 403, "CONSENT_REQUIRED", "4.1.6")
        [entry] = records.entries("consent", visitor, "subject.registered")
        assert entry["subject"] != visitor.subject_id


def test_a_visitor_is_linked_to_an_account_once_and_that_is_recorded(
    site: Site, person: Person, records: Records
) -> None:
    """T-1.1.5-a"""
    visitor = site.person(DATA)
    linked = person.link(visitor)
    assert linked.status == 200
    assert linked.json["enforcement"] == "IN_FORCE"
    assert linked.json["link"]["state"] == "LINKED"
    assert is_refused(person.link(visitor), 409, "SUBJECT_LINKED", "1.1.5")
    [entry] = records.entries("consent", visitor, "visitor.linked")
    assert person.subject_id not in str(entry)
    [account] = records.entries("consent", person, "subject.registered")
    assert entry["decidedOn"]["account"] == account["subject"]
    for each in (person, visitor):
        [link] = each.ask("GET", "/links").json["links"]
        assert (link["accountId"], link["visitorId"]) == (person.subject_id, visitor.subject_id)


def test_a_linked_visitor_takes_nothing_new_and_what_it_has_is_read_as_the_accounts(
    site: Site, person: Person
) -> None:
    """T-1.1.5-a"""
    visitor = site.person(DATA)
    assert person.link(visitor).status == 200
    for refused in (visitor.place(DATA), visitor.order(), visitor.grant("NEWS"), visitor.use()):
        assert is_refused(refused, 409, "SUBJECT_LINKED", "1.1.5")
    assert visitor.data()["email"] == visitor.own["email"]
    assert person.data()["email"] == person.own["email"]
    assert is_refused(visitor.read("NEWS"), 403, "CONSENT_REQUIRED")
    assert person.grant("NEWS").status == 200
    assert visitor.data("NEWS")["email"] == visitor.own["email"]
    assert visitor.withdraw("NEWS").status == 200
    for each in (person, visitor):
        assert is_refused(each.read("NEWS"), 403, "CONSENT_WITHDRAWN")


def test_a_claim_of_one_blocks_both(site: Site, person: Person) -> None:
    """T-1.1.5-a"""
    visitor = site.person(DATA)
    delivery = visitor.assigned()
    assert person.link(visitor).status == 200
    claim = person.claimed()
    assert is_refused(visitor.read("IDENTIFY_FOR_ORDER"), 409, "SUBJECT_BLOCKED", "6.2.3")
    assert is_refused(release(site, delivery), 404, "NOT_AVAILABLE")
    assert visitor.standing()["state"] == person.standing()["state"] == "BLOCKED"
    person.concluded(claim["claimId"], "NOT_CONFIRMED")
    assert release(site, delivery).status == 200
    visitor.claimed()
    assert is_refused(person.read("IDENTIFY_FOR_ORDER"), 409, "SUBJECT_BLOCKED", "6.2.3")


def test_nobody_is_linked_under_a_block_or_after_disagreement(site: Site, person: Person) -> None:
    """T-1.1.5-a"""
    visitor, refusing, blocked = (site.person(DATA) for _ in range(3))
    assert refusing.reject().status == 200
    assert is_refused(person.link(refusing), 403, "POLICY_DISAGREED", "2.2")
    blocked.claimed()
    assert is_refused(person.link(blocked), 409, "SUBJECT_BLOCKED", "6.2.3")
    assert is_refused(blocked.link(visitor), 409, "SUBJECT_BLOCKED", "6.2.3")
    assert person.link(visitor).status == 200
    assert is_refused(visitor.link(site.person()), 409, "SUBJECT_LINKED", "1.1.5")


def test_a_wrong_link_is_undone_by_an_officer_and_that_is_recorded(
    site: Site, person: Person, records: Records
) -> None:
    """T-1.1.5-a"""
    visitor = site.person(DATA)
    assert person.link(visitor).status == 200
    claim = visitor.claimed()
    by_storefront = person.ask("POST", ":unlinkVisitor", {"visitorId": visitor.subject_id})
    assert is_refused(by_storefront, 403, "PERMISSION_DENIED")
    undone = person.unlink(visitor)
    assert undone.json["enforcement"] == "IN_FORCE"
    assert undone.json["link"]["state"] == "ENDED"
    [entry] = records.entries("consent", visitor, "visitor.unlinked")
    assert entry["refs"]["fault"] == "ANOTHER_PERSON"
    assert person.data()["email"] == person.own["email"]
    assert is_refused(visitor.read("IDENTIFY_FOR_ORDER"), 409, "SUBJECT_BLOCKED")
    visitor.concluded(claim["claimId"], "NOT_CONFIRMED")
    assert visitor.placed({"givenName": "Айгүл"}) == 2

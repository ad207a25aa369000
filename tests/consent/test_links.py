# SPDX-License-Identifier: Apache-2.0
"""Visitors linked to accounts in the book of record (clause 1.1.5, T-1.1.5-a)."""

import json
import uuid
from typing import Any

import pytest

from qupia.consent.v1 import consent_pb2, links_pb2
from qupia.subject.v1 import subject_pb2
from services.chassis.refusal import (
    InvalidArgument,
    NotFound,
    PolicyDisagreed,
    Refusal,
    StateConflict,
    SubjectBlocked,
    SubjectLinked,
)
from services.consent.link import MOST_LINKS
from services.consent.servicer import LINK_SERVICE
from tests.consent.suite import Suite

NEWS = subject_pb2.Purpose.NEWS
Link = links_pb2.Link


@pytest.fixture
def account(suite: Suite) -> str:
    """Somebody with an account."""
    suite.publish()
    return suite.register().subject_id


@pytest.fixture
def visitor(suite: Suite, account: str) -> str:
    """A visitor that is linked to the account."""
    visitor = suite.register().subject_id
    assert _link(suite, account, visitor).link.state == Link.LINKED
    return visitor


def _link(suite: Suite, account: str, visitor: str, key: str = "") -> Any:
    request = links_pb2.LinkVisitorRequest(
        subject_id=account, visitor_id=visitor, request_id=key or uuid.uuid4().hex
    )
    return suite.ask(request, links_pb2.LinkVisitorResponse, service=LINK_SERVICE)


def _unlink(suite: Suite, account: str, visitor: str) -> Any:
    request = links_pb2.UnlinkVisitorRequest(
        subject_id=account, visitor_id=visitor, fault=Link.ANOTHER_PERSON, reference="case/7"
    )
    return suite.ask(
        request, links_pb2.UnlinkVisitorResponse, role="PRIVACY_OFFICER", service=LINK_SERVICE
    )


def _links(suite: Suite, subject: str, **members: Any) -> Any:
    request = links_pb2.ListLinksRequest(subject_id=subject, **members)
    return suite.ask(request, links_pb2.ListLinksResponse, service=LINK_SERVICE)


def test_a_link_is_a_proposal_of_the_visitors_slice(
    suite: Suite, account: str, visitor: str
) -> None:
    header, slice_ = suite.vault.consents[-1]
    assert header.subject_id == visitor
    [fact] = slice_.links
    assert (fact.account_id, list(header.open_proposals)) == (account, [fact.proposal_id])
    for subject in (account, visitor):
        [link] = _links(suite, subject).links
        assert (link.account_id, link.visitor_id, link.state) == (account, visitor, Link.LINKED)


def test_a_visitor_is_linked_once_however_often_it_is_asked(suite: Suite, account: str) -> None:
    """T-1.1.5-a"""
    visitor = suite.register().subject_id
    first = _link(suite, account, visitor, "same-key")
    assert _link(suite, account, visitor, "same-key") == first
    with pytest.raises(SubjectLinked):
        _link(suite, account, visitor)
    bodies = [json.loads(body) for body in suite.evidence()]
    linked = [body for body in bodies if body["event"] == "visitor.linked"]
    assert len([body for body in linked if body["outcome"] == "DONE"]) == 1
    assert account not in json.dumps(bodies)


def test_a_linked_visitor_accepts_uses_and_consents_no_more(
    suite: Suite, account: str, visitor: str
) -> None:
    assert account != visitor
    issue = consent_pb2.IssuePartnerTokenRequest(subject_id=visitor)
    for act in (
        lambda: suite.use(visitor),
        lambda: suite.accept(visitor),
        lambda: suite.grant(visitor, NEWS),
        lambda: suite.ask(issue, consent_pb2.IssuePartnerTokenResponse),
    ):
        with pytest.raises(SubjectLinked):
            act()


def test_what_a_linked_visitor_says_no_to_ends_for_the_account(
    suite: Suite, account: str, visitor: str
) -> None:
    suite.grant(account, NEWS)
    assert suite.withdraw(visitor, NEWS).consent.state == consent_pb2.Consent.WITHDRAWN
    [news] = suite.consents_of(account).consents
    assert news.state == consent_pb2.Consent.WITHDRAWN
    assert not suite.consents_of(visitor).consents
    suite.reject(visitor)
    assert suite.consents_of(account).acceptance.mode == consent_pb2.Acceptance.DISAGREED
    last = json.loads(suite.evidence()[-1])
    rejected = [b for b in map(json.loads, suite.evidence()) if b["event"] == "policy.rejected"]
    assert rejected[0]["decidedOn"]["saidAs"] != rejected[0]["subject"]
    assert last["subject"] == rejected[0]["subject"]


def test_what_the_vault_refused_was_never_linked(suite: Suite, account: str) -> None:
    visitor = suite.register().subject_id
    suite.vault.refusing = "SUBJECT_BLOCKED"
    with pytest.raises(SubjectBlocked):
        _link(suite, account, visitor)
    suite.vault.refusing = ""
    assert not _links(suite, visitor).links
    suite.use(visitor)
    assert _link(suite, account, visitor).link.state == Link.LINKED


def test_a_link_is_pending_while_the_vault_is_away(suite: Suite, account: str) -> None:
    visitor = suite.register().subject_id
    suite.vault.absent = True
    answer = _link(suite, account, visitor)
    assert answer.enforcement == subject_pb2.Enforcement.PENDING
    assert answer.link.state == Link.PENDING
    with pytest.raises(SubjectLinked):
        _link(suite, account, visitor)
    suite.vault.absent = False
    suite.push_all()
    assert suite.act(answer.act_id).enforcement == subject_pb2.Enforcement.IN_FORCE
    assert _links(suite, visitor).links[0].state == Link.LINKED


def test_a_visitor_that_disagrees_while_its_link_is_on_its_way_is_not_linked(
    suite: Suite, account: str
) -> None:
    visitor = suite.register().subject_id
    suite.vault.absent = True
    pending = _link(suite, account, visitor)
    suite.reject(visitor)
    assert suite.act(pending.act_id).enforcement == subject_pb2.Enforcement.SUPERSEDED
    suite.vault.absent = False
    suite.push_all()
    [fact] = suite.vault.consents[-1][1].links
    assert fact.HasField("ended_time")
    assert _links(suite, visitor).links[0].state == Link.ENDED


def test_an_officer_ends_a_wrong_link_and_that_is_recorded(
    suite: Suite, account: str, visitor: str
) -> None:
    answer = _unlink(suite, account, visitor)
    assert answer.link.state == Link.ENDED
    assert answer.enforcement == subject_pb2.Enforcement.IN_FORCE
    header, slice_ = suite.vault.consents[-1]
    assert slice_.links[0].HasField("ended_time")
    assert not header.open_proposals
    [entry] = [b for b in map(json.loads, suite.evidence()) if b["event"] == "visitor.unlinked"]
    assert entry["refs"]["fault"] == "ANOTHER_PERSON"
    assert entry["refs"]["reference"] == "case/7"
    suite.use(visitor)
    with pytest.raises(StateConflict):
        _unlink(suite, account, visitor)
    other = suite.register().subject_id
    assert _link(suite, other, visitor).link.state == Link.LINKED
    assert [each.state for each in _links(suite, visitor).links] == [Link.ENDED, Link.LINKED]


def test_a_pending_link_is_undone_too(suite: Suite, account: str) -> None:
    visitor = suite.register().subject_id
    suite.vault.absent = True
    pending = _link(suite, account, visitor)
    assert _unlink(suite, account, visitor).enforcement == subject_pb2.Enforcement.PENDING
    suite.vault.absent = False
    suite.push_all()
    assert suite.act(pending.act_id).enforcement == subject_pb2.Enforcement.SUPERSEDED
    assert _links(suite, visitor).links[0].state == Link.ENDED


def test_no_other_than_two_different_subjects_of_the_site_are_linked(
    suite: Suite, account: str, visitor: str
) -> None:
    another, refused = suite.register().subject_id, suite.register().subject_id
    suite.reject(refused)
    for one, other, refusal in (
        (account, account, InvalidArgument),
        ("0" * 32, another, NotFound),
        (account, "0" * 32, NotFound),
        (another, visitor, SubjectLinked),
        (visitor, another, SubjectLinked),
        (another, account, SubjectLinked),
        (account, refused, PolicyDisagreed),
    ):
        with pytest.raises(Refusal) as raised:
            _link(suite, one, other)
        assert type(raised.value) is refusal, (one, other)
    with pytest.raises(StateConflict):
        _unlink(suite, another, visitor)


def test_a_visitor_is_linked_so_many_times_and_no_more(suite: Suite, account: str) -> None:
    visitor = suite.register().subject_id
    for _ in range(MOST_LINKS):
        _link(suite, account, visitor)
        _unlink(suite, account, visitor)
    with pytest.raises(StateConflict):
        _link(suite, account, visitor)
    first = _links(suite, account, page_size=10)
    rest = _links(suite, account, page_size=10, page_token=first.next_page_token)
    assert len(first.links) + len(rest.links) == MOST_LINKS
    assert not rest.next_page_token

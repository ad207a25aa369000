# SPDX-License-Identifier: Apache-2.0
"""A book set back to an earlier state is mended with what the vault carried over (2.2, 4.1.10)."""

from datetime import datetime, timedelta

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from qupia.consent.v1 import consent_pb2, links_pb2
from qupia.subject.v1 import subject_pb2
from qupia.vault.v1 import vault_pb2
from services.chassis.ids import new_uuid
from services.chassis.refusal import SubjectLinked
from services.consent.book import Book
from services.consent.servicer import LINK_SERVICE
from services.consent.store_events import read_events
from services.consent.store_subjects import read_book
from tests.consent.suite import Suite

NEWS, ADVERTISING = subject_pb2.Purpose.NEWS, subject_pb2.Purpose.ADVERTISING
State = consent_pb2.Consent


@pytest.fixture
def subject(suite: Suite) -> str:
    """Somebody who gave a consent to NEWS."""
    suite.publish()
    subject = suite.register().subject_id
    suite.grant(subject, NEWS)
    return subject


def _stamp(time: datetime) -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(time)
    return stamp


def _carry(suite: Suite, subject: str, facts: vault_pb2.ConsentSlice) -> None:
    """The vault tells of facts at the next push, which brings no proposal; then all is pushed."""
    suite.vault.carried = facts
    suite.withdraw(subject, subject_pb2.Purpose.PARTNER_SITES)
    suite.push_all()


def _told(suite: Suite, subject: str) -> dict[int, int]:
    return {each.purpose: each.state for each in suite.consents_of(subject).consents}


def _last(suite: Suite) -> vault_pb2.ConsentSlice:
    return suite.vault.consents[-1][1]


def _assert_replayed(suite: Suite, subject: str) -> None:
    with suite.database.transaction() as connection:
        book = Book()
        for event in read_events(connection, suite.site, subject):
            book = book.apply(event).book
        assert book == read_book(connection, suite.site, subject)


def test_a_forgotten_withdrawal_is_put_back(suite: Suite, subject: str) -> None:
    [fact] = _last(suite).consents
    ended = vault_pb2.ConsentFact()
    ended.CopyFrom(fact)
    ended.withdrawn_time.CopyFrom(_stamp(suite.clock.now()))
    assert _told(suite, subject)[NEWS] == State.GIVEN
    _carry(suite, subject, vault_pb2.ConsentSlice(consents=[ended]))
    assert _told(suite, subject)[NEWS] == State.WITHDRAWN
    assert ended in _last(suite).consents
    _assert_replayed(suite, subject)


def test_a_consent_that_the_book_lost_altogether_is_put_back_as_ended(
    suite: Suite, subject: str
) -> None:
    now = suite.clock.now()
    lost = vault_pb2.ConsentFact(
        purpose=ADVERTISING,
        policy_version=1,
        granted_time=_stamp(now - timedelta(minutes=2)),
        withdrawn_time=_stamp(now - timedelta(minutes=1)),
        proposal_id=new_uuid(),
    )
    _carry(suite, subject, vault_pb2.ConsentSlice(consents=[lost]))
    assert _told(suite, subject)[ADVERTISING] == State.WITHDRAWN
    assert lost in _last(suite).consents
    request = consent_pb2.ProveConsentRequest(subject_id=subject, purpose=ADVERTISING)
    proof = suite.ask(request, consent_pb2.ProveConsentResponse)
    assert proof.consent.state == State.WITHDRAWN
    _assert_replayed(suite, subject)


def test_a_forgotten_disagreement_is_put_back_and_ends_what_was_given_before(
    suite: Suite, subject: str
) -> None:
    slice_, now = _last(suite), suite.clock.now()
    facts = vault_pb2.ConsentSlice(
        accepted_version=1, accepted_time=slice_.accepted_time, disagreed_time=_stamp(now)
    )
    _carry(suite, subject, facts)
    acceptance = suite.consents_of(subject).acceptance
    assert acceptance.mode == consent_pb2.Acceptance.DISAGREED
    assert _told(suite, subject)[NEWS] == State.WITHDRAWN
    assert _last(suite).disagreed_time == facts.disagreed_time
    assert _last(suite).accepted_time == facts.accepted_time
    used = suite.use(subject)
    assert used.acceptance.mode == consent_pb2.Acceptance.DISAGREED
    _assert_replayed(suite, subject)
    suite.accept(subject)
    assert _told(suite, subject)[NEWS] == State.WITHDRAWN


def test_a_forgotten_link_is_put_back_and_takes_nothing_new(suite: Suite, subject: str) -> None:
    account = suite.register().subject_id
    link = vault_pb2.LinkFact(
        account_id=account, link_time=_stamp(suite.clock.now()), proposal_id=new_uuid()
    )
    _carry(suite, subject, vault_pb2.ConsentSlice(links=[link]))
    assert list(_last(suite).links) == [link]
    with pytest.raises(SubjectLinked):
        suite.grant(subject, ADVERTISING)
    request = links_pb2.ListLinksRequest(subject_id=account)
    [told] = suite.ask(request, links_pb2.ListLinksResponse, service=LINK_SERVICE).links
    assert (told.visitor_id, told.state) == (subject, links_pb2.Link.LINKED)
    _assert_replayed(suite, subject)


def test_the_book_is_mended_before_the_verdicts_are_recorded(suite: Suite, subject: str) -> None:
    suite.vault.absent = True
    suite.grant(subject, ADVERTISING)
    suite.vault.absent = False
    proposed = vault_pb2.ConsentFact(
        purpose=ADVERTISING,
        policy_version=1,
        granted_time=_stamp(suite.clock.now() - timedelta(seconds=1)),
        withdrawn_time=_stamp(suite.clock.now()),
    )
    with suite.database.transaction() as connection:
        book = read_book(connection, suite.site, subject)
    assert book is not None
    waiting = book.consents["ADVERTISING"].proposed
    assert waiting is not None
    proposed.proposal_id = waiting.act_id
    proposed.granted_time.CopyFrom(_stamp(waiting.time))
    suite.vault.carried = vault_pb2.ConsentSlice(consents=[proposed])
    suite.push_all()
    suite.push_all()
    assert _told(suite, subject)[ADVERTISING] == State.WITHDRAWN
    _assert_replayed(suite, subject)


def test_what_the_vault_carries_for_nobody_mends_nothing(suite: Suite, subject: str) -> None:
    suite.vault.carried = vault_pb2.ConsentSlice()
    suite.withdraw(subject, ADVERTISING)
    suite.push_all()
    assert _told(suite, subject)[NEWS] == State.GIVEN

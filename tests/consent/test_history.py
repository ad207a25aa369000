# SPDX-License-Identifier: Apache-2.0
"""What is kept of a person's acts: history, book and evidence (clauses 1.1.3, 2.1)."""

import json

import pytest

from qupia.subject.v1 import subject_pb2
from services.chassis.refusal import SubjectBlocked
from services.consent.book import Book
from services.consent.store_events import read_events
from services.consent.store_subjects import read_book
from tests.consent.suite import Suite

NEWS = subject_pb2.Purpose.NEWS


def test_each_act_is_in_evidence_once_with_its_clause(suite: Suite) -> None:
    suite.publish()
    subject_id = suite.register().subject_id
    suite.use(subject_id)
    suite.reject(subject_id)
    suite.accept(subject_id)
    entries = [json.loads(e) for e in suite.evidence()]
    storefronts = [(e["event"], e["clause"]) for e in entries if e["principal"].startswith("key/")]
    assert [e for e in storefronts if e[0] != "policy.published"] == [
        ("subject.registered", "2.1"),
        ("use.recorded", "2.1"),
        ("policy.rejected", "2.2"),
        ("policy.accepted", "2.1"),
    ]
    assert len({e["subject"] for e in entries if "subject" in e}) == 1


def test_the_book_is_the_fold_of_the_history(suite: Suite) -> None:
    suite.publish()
    subject_id = suite.register().subject_id
    suite.grant(subject_id, NEWS)
    suite.vault.refusing = "SUBJECT_BLOCKED"
    with pytest.raises(SubjectBlocked):
        suite.grant(subject_id, NEWS)
    suite.vault.refusing = ""
    suite.withdraw(subject_id, NEWS)
    suite.reject(subject_id)
    suite.use(subject_id)
    suite.vault.absent = True
    suite.accept(subject_id)
    with suite.database.transaction() as connection:
        kept = read_book(connection, suite.site, subject_id)
        events = read_events(connection, suite.site, subject_id)
    book = Book()
    for event in events:
        book = book.apply(event).book
    assert book == kept

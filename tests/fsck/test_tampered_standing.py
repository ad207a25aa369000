# SPDX-License-Identifier: Apache-2.0
"""The vault's standing and the acts behind it, tampered with one thing at a time."""

import pytest

from qupia.vault.v1 import vault_pb2
from tests.fsck.books import Books
from tests.fsck.tampering import FLIPPED, Case, name_of, require_named

_BLOCKED = "SELECT max(subject_id) FROM claim_subjects"
_TWICE = "SELECT max(subject_id) FROM slices WHERE counter > 1"
_CLAIMED = "SELECT max(subject_id) FROM slices WHERE topic = 'claims'"
_APPLIED = "SELECT max(proposal_id) FROM proposal_verdicts WHERE verdict = 'APPLIED'"

STANDING = [
    Case(
        "a link in force was lost",
        "vault",
        "DELETE FROM links",
        "standing",
        "vault.links",
        "SELECT max(visitor_id) FROM links",
    ),
    Case(
        "a visitor points to another account",
        "vault",
        "UPDATE links SET account_id = (SELECT min(subject_id) FROM subjects)",
        "standing",
        "vault.links",
        "SELECT max(visitor_id) FROM links",
    ),
    Case(
        "a slice's counter was raised",
        "vault",
        "UPDATE slices SET counter = counter + 5"
        " WHERE topic = 'orders' AND subject_id = (SELECT max(subject_id) FROM slices"
        " WHERE topic = 'orders')",
        "standing",
        "disclosure.slices",
        "SELECT max(subject_id) FROM slices WHERE topic = 'orders'",
    ),
    Case(
        "a slice's counter was set back",
        "vault",
        f"UPDATE slices SET counter = counter - 1 WHERE topic = 'claims'"
        f" AND subject_id = ({_CLAIMED})",
        "standing",
        "claims.slices",
        _CLAIMED,
    ),
    Case(
        "a slice's incarnation was set back",
        "vault",
        f"UPDATE slices SET incarnation = 0 WHERE topic = 'claims' AND subject_id = ({_CLAIMED})",
        "standing",
        "claims.slices",
        _CLAIMED,
    ),
    Case(
        "the digest of a slice was altered",
        "vault",
        f"UPDATE slices SET digest = {FLIPPED.format('digest')}"
        " WHERE topic = 'consent' AND subject_id = (SELECT min(subject_id) FROM subjects)",
        "standing",
        "vault.slices",
        "SELECT min(subject_id) FROM subjects",
    ),
    Case(
        "a slice's body was emptied",
        "vault",
        f"UPDATE slices SET body = '' WHERE topic = 'claims' AND subject_id = ({_CLAIMED})",
        "standing",
        "vault.slices",
        _CLAIMED,
    ),
    Case(
        "a slice's body is no message",
        "vault",
        f"UPDATE slices SET body = '\\xff' WHERE topic = 'claims' AND subject_id = ({_CLAIMED})",
        "standing",
        "vault.slices",
        _CLAIMED,
    ),
    Case(
        "a slice was deleted",
        "vault",
        f"DELETE FROM slices WHERE topic = 'claims' AND subject_id = ({_CLAIMED})",
        "standing",
        "claims.slices",
        _CLAIMED,
    ),
    Case(
        "a deleted slice leaves a claim without block",
        "vault",
        f"DELETE FROM slices WHERE topic = 'claims' AND subject_id = ({_CLAIMED})",
        "blocks",
        "claims.claim_subjects",
        _CLAIMED,
    ),
    Case(
        "a slice was given to another subject",
        "vault",
        f"UPDATE slices SET subject_id = repeat('0', 32) WHERE topic = 'claims'"
        f" AND subject_id = ({_CLAIMED})",
        "standing",
        "vault.slices",
        "SELECT repeat('0', 32)",
    ),
    Case(
        "the policy schedule was emptied",
        "vault",
        "UPDATE slices SET body = '' WHERE topic = 'schedule' AND site_id = 'demo'",
        "standing",
        "vault.slices",
        "SELECT 'schedule'",
    ),
    Case(
        "a topic that nobody has",
        "vault",
        "UPDATE slices SET topic = 'friends' WHERE topic = 'orders'",
        "standing",
        "vault.slices",
        "SELECT 'friends'",
    ),
    Case(
        "a verdict was turned round",
        "vault",
        f"UPDATE proposal_verdicts SET verdict = 'REFUSED' WHERE proposal_id = ({_APPLIED})",
        "acts",
        "vault.proposal_verdicts",
        _APPLIED,
    ),
    Case(
        "a verdict on what nobody proposed",
        "vault",
        f"UPDATE proposal_verdicts SET proposal_id = 'nothing' WHERE proposal_id = ({_APPLIED})",
        "acts",
        "vault.proposal_verdicts",
        "SELECT 'nothing'",
    ),
    Case(
        "a subject's row was deleted",
        "vault",
        "DELETE FROM subjects WHERE subject_id = (SELECT min(subject_id) FROM subjects)",
        "standing",
        "vault.subjects",
        "SELECT min(subject_id) FROM subjects",
    ),
    Case(
        "the contact of somebody blocked is watched no longer",
        "vault",
        "DELETE FROM watched_blocks",
        "blocks",
        "vault.watched_blocks",
        "SELECT max(subject_id) FROM watched_blocks",
    ),
    Case(
        "a contact is watched for no block",
        "vault",
        "INSERT INTO watched_blocks VALUES"
        " ('demo', repeat('c', 32), 'c', 'UNLAWFUL_ACTS', true, now())",
        "blocks",
        "vault.watched_blocks",
        "SELECT repeat('c', 32)",
    ),
    Case(
        "a subject appeared from nowhere",
        "vault",
        "INSERT INTO subjects VALUES ('demo', repeat('a', 32), 'PRESENT', 0, now())",
        "standing",
        "vault.subjects",
        "SELECT repeat('a', 32)",
    ),
    Case(
        "a decider's slice was altered",
        "claims",
        f"UPDATE slices SET body = '' WHERE subject_id = ({_BLOCKED})",
        "claims",
        "claims.slices",
        _BLOCKED,
    ),
    Case(
        "a decider's slice was set back",
        "claims",
        f"UPDATE slices SET counter = counter - 1 WHERE subject_id = ({_TWICE})",
        "standing",
        "claims.slices",
        _TWICE,
    ),
    Case(
        "an outbox row without slice",
        "claims",
        "INSERT INTO outbox VALUES ('claims', 'demo', repeat('b', 32), now(), now(), 0, false)",
        "standing",
        "claims.outbox",
        "SELECT repeat('b', 32)",
    ),
    Case(
        "an act was set to PENDING",
        "consent",
        "UPDATE acts SET enforcement = 'PENDING', in_force_time = NULL"
        " WHERE act_id = (SELECT min(act_id) FROM acts)",
        "acts",
        "consent.acts",
        "SELECT min(act_id) FROM acts",
    ),
    Case(
        "a refused act counts as in force",
        "disclosure",
        "UPDATE acts SET enforcement = 'IN_FORCE', in_force_time = now(), reason = ''"
        " WHERE enforcement = 'REFUSED'",
        "acts",
        "disclosure.acts",
        "SELECT min(act_id) FROM acts WHERE enforcement = 'REFUSED'",
    ),
    Case(
        "an act was deleted",
        "claims",
        "DELETE FROM acts WHERE act_id = (SELECT max(act_id) FROM acts)",
        "evidence",
        "claims.acts",
        "SELECT max(act_id) FROM acts",
    ),
]


@pytest.mark.parametrize("case", STANDING, ids=name_of)
def test_fsck_names_it(books: Books, case: Case) -> None:
    require_named(books, case)


def test_an_outcome_that_was_forged_in_the_standing_is_named(books: Books) -> None:
    rows = books.query("vault", "SELECT subject_id, body FROM slices WHERE topic = 'claims'")
    found = [
        (subject, slice_)
        for subject, body in rows
        for slice_ in [vault_pb2.ClaimsSlice.FromString(body)]
        if any(not block.outcome for block in slice_.blocks)
    ]
    subject, slice_ = found[0]
    claim_id = slice_.blocks[0].claim_id
    slice_.blocks[0].outcome = vault_pb2.Block.NOT_CONFIRMED
    forged = slice_.SerializeToString(deterministic=True).hex()
    statement = (
        f"UPDATE slices SET body = decode('{forged}', 'hex')"
        f" WHERE topic = 'claims' AND subject_id = '{subject}'"
    )
    with books.tampered("vault", statement) as urls:
        inspection = books.inspect(urls)
    told = [str(fault) for outcome in inspection.outcomes for fault in outcome.faults]
    assert any(
        f"claims.claim_subjects (site_id=demo, subject_id={subject}, claim_id={claim_id}): the "
        "claim is open, but blocks nothing in the vault" in each
        for each in told
    )
    assert any(f"the block of claim {claim_id} differs from the book's" in each for each in told)

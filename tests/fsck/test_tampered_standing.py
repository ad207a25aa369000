# SPDX-License-Identifier: Apache-2.0
"""The vault's standing and the acts behind it, tampered with one thing at a time."""

import pytest

from qupia.vault.v1 import vault_pb2
from tests.fsck.books import Books
from tests.fsck.tampering import FLIPPED, PRESENT, Case, name_of, require_named

pytestmark = pytest.mark.long

_CLAIMANT = "SELECT max(subject_id) FROM claim_subjects"
# In the vault: whoever was destroyed has no slice there any more, though the deciders' remain.
_CLAIMED = "SELECT max(subject_id) FROM slices WHERE topic = 'claims' AND counter > 0"
_CLAIMED_TWICE = "SELECT max(subject_id) FROM slices WHERE topic = 'claims' AND counter > 1"
_BLOCKED = "SELECT max(subject_id) FROM watched_blocks"
_A_BLOCK = (
    "SELECT subject_id, claim_id, body FROM slices JOIN watched_blocks USING (site_id, subject_id)"
    " WHERE topic = 'claims' AND site_id = 'demo' ORDER BY claim_id LIMIT 1"
)
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
        "UPDATE links SET account_id ="
        " (SELECT min(subject_id) FROM subjects WHERE subject_id <> account_id)",
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
        f" WHERE topic = 'consent' AND subject_id = ({PRESENT})",
        "standing",
        "vault.slices",
        PRESENT,
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
        f"DELETE FROM slices WHERE topic = 'claims' AND subject_id = ({_BLOCKED})",
        "blocks",
        "claims.claim_subjects",
        _BLOCKED,
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
        f"DELETE FROM subjects WHERE subject_id = ({PRESENT})",
        "standing",
        "vault.subjects",
        PRESENT,
    ),
    Case(
        "the contact of somebody blocked is watched no longer",
        "vault",
        "DELETE FROM watched_blocks",
        "blocks",
        "vault.watched_blocks",
        _BLOCKED,
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
        f"UPDATE slices SET body = '' WHERE subject_id = ({_CLAIMANT})",
        "claims",
        "claims.slices",
        _CLAIMANT,
    ),
    Case(
        "a decider's slice was set back",
        "claims",
        "UPDATE slices SET counter = counter - 1 WHERE counter > 1",
        "standing",
        "claims.slices",
        _CLAIMED_TWICE,
        "vault",
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
    ((subject, claim_id, body),) = books.query("vault", _A_BLOCK)
    slice_ = vault_pb2.ClaimsSlice.FromString(body)
    block = next(block for block in slice_.blocks if block.claim_id == claim_id)
    block.outcome = vault_pb2.Block.NOT_CONFIRMED
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

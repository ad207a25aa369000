# SPDX-License-Identifier: Apache-2.0
"""The key store, tampered with one thing at a time."""

import pytest

from tests.fsck.books import Books
from tests.fsck.tampering import FLIPPED, PHONES, Case, name_of, require_named

# Each case copies a database; data and standing are tampered with in every run.
pytestmark = pytest.mark.deep

_WITHOUT_DOCUMENTS = (
    "SELECT min(subject_id) FROM subjects WHERE site_id = 'demo' AND life = 'PRESENT'"
    " AND subject_id NOT IN (SELECT owner_id FROM documents)"
)

_ROTATION = "01a217e7-0f5d-742e-966d-0d1230bf3576"

KEYS = [
    Case(
        "a data key was altered",
        "keystore",
        f"UPDATE data_keys SET wrapped = {FLIPPED.format('wrapped')}"
        " WHERE owner_id = (SELECT min(owner_id) FROM data_keys)",
        "keys",
        "keystore.data_keys",
        "SELECT min(owner_id) FROM data_keys",
    ),
    Case(
        "a data key was deleted",
        "keystore",
        "DELETE FROM data_keys WHERE owner_id = (SELECT min(owner_id) FROM data_keys)",
        "keys",
        "keystore.data_keys",
        "SELECT min(owner_id) FROM data_keys",
    ),
    Case(
        "a data key was given to another owner",
        "keystore",
        "UPDATE data_keys SET wrapped = (SELECT wrapped FROM data_keys ORDER BY owner_id DESC"
        " LIMIT 1) WHERE owner_id = (SELECT min(owner_id) FROM data_keys)",
        "keys",
        "keystore.data_keys",
        "SELECT min(owner_id) FROM data_keys",
    ),
    Case(
        "an epoch key was altered",
        "keystore",
        f"UPDATE epoch_keys SET wrapped = {FLIPPED.format('wrapped')}",
        "keys",
        "keystore.epoch_keys",
        "SELECT epoch FROM epoch_keys",
    ),
    Case(
        "no epoch is current",
        "keystore",
        "UPDATE epoch_keys SET current = false",
        "keys",
        "keystore.epoch_keys",
        "SELECT 'True'",
    ),
    Case(
        "an index key was deleted",
        "keystore",
        "DELETE FROM index_keys WHERE field = 'phone'",
        "blind_index",
        "vault.blind_index",
        PHONES,
        "vault",
    ),
    Case(
        "an index key was altered",
        "keystore",
        f"UPDATE index_keys SET wrapped = {FLIPPED.format('wrapped')} WHERE field = 'phone'",
        "keys",
        "keystore.index_keys",
        "SELECT 'phone'",
    ),
    Case(
        "a sealing key's public half was swapped",
        "keystore",
        f"UPDATE sealing_keys SET public_key = {FLIPPED.format('public_key')}",
        "keys",
        "keystore.sealing_keys",
        "SELECT key_id FROM sealing_keys",
    ),
    Case(
        "a KEK in use was called retired",
        "keystore",
        "UPDATE keks SET retire_time = now()",
        "rotations",
        "keystore.keks",
        "SELECT kek_id FROM keks",
    ),
    Case(
        "a rotation was begun without a word",
        "keystore",
        "INSERT INTO key_rotations (rotation_id, kind, site_id, field, target, rewrapped,"
        f" begin_time) VALUES ('{_ROTATION}', 'EPOCH', '', '', '', 0, now())",
        "rotations",
        "keystore.key_rotations",
        f"SELECT '{_ROTATION}'",
    ),
    Case(
        "people reached by a credential were taken off its count",
        "vault",
        "INSERT INTO budget_days (site_id, principal, day, subjects)"
        " VALUES ('demo', 'key/shop', current_date, 3)",
        "budgets",
        "vault.budget_days",
        "SELECT 'key/shop'",
    ),
]


@pytest.mark.parametrize("case", KEYS, ids=name_of)
def test_fsck_names_it(books: Books, case: Case) -> None:
    require_named(books, case)


def test_a_key_that_is_left_over_is_a_warning_and_no_fault(books: Books) -> None:
    (subject,) = books.query("vault", _WITHOUT_DOCUMENTS)[0]
    statement = f"DELETE FROM subjects WHERE subject_id = '{subject}'"
    with books.tampered("vault", statement) as urls:
        inspection = books.inspect(urls)
    keys = next(outcome for outcome in inspection.outcomes if outcome.check.name == "keys")
    assert keys.faults == ()
    row = f"keystore.data_keys (site_id=demo, owner_id={subject})"
    told = [str(warning) for warning in keys.warnings]
    assert told == [f"{row}: belongs to no subject and no document"]

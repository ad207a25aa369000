# SPDX-License-Identifier: Apache-2.0
"""Ciphertexts, documents and the blind index, tampered with one thing at a time."""

import pytest

from tests.fsck.books import Books
from tests.fsck.tampering import (
    FLIPPED,
    OTHER_PHONE,
    PHONES,
    PRESENT,
    Case,
    name_of,
    require_named,
)

pytestmark = pytest.mark.long

DATA = [
    Case(
        "a ciphertext's byte was flipped",
        "vault",
        f"UPDATE data SET ciphertext = {FLIPPED.format('ciphertext')}"
        f" WHERE field = 'phone' AND subject_id = ({PHONES})",
        "ciphertexts",
        "vault.data",
        PHONES,
    ),
    Case(
        "a ciphertext was moved to another subject",
        "vault",
        "UPDATE data SET ciphertext = (SELECT ciphertext FROM data WHERE field = 'phone'"
        f" AND subject_id = ({OTHER_PHONE}))"
        f" WHERE field = 'phone' AND subject_id = ({PHONES})",
        "ciphertexts",
        "vault.data",
        PHONES,
    ),
    Case(
        "a ciphertext was moved to another field",
        "vault",
        "UPDATE data d SET ciphertext = (SELECT ciphertext FROM data e WHERE e.field = 'givenName'"
        " AND e.subject_id = d.subject_id) WHERE d.field = 'familyName' AND EXISTS (SELECT 1 FROM"
        " data e WHERE e.field = 'givenName' AND e.subject_id = d.subject_id)",
        "ciphertexts",
        "vault.data",
        "SELECT min(d.subject_id) FROM data d JOIN data e USING (subject_id)"
        " WHERE d.field = 'familyName' AND e.field = 'givenName'",
    ),
    Case(
        "a ciphertext's version was raised",
        "vault",
        f"UPDATE data SET version = version + 1 WHERE field = 'phone' AND subject_id = ({PHONES})",
        "ciphertexts",
        "vault.data",
        PHONES,
    ),
    Case(
        "a former value was made current again",
        "vault",
        "UPDATE data d SET version = h.version, ciphertext = h.ciphertext FROM data_history h"
        " WHERE (h.site_id, h.subject_id, h.field) = (d.site_id, d.subject_id, d.field)",
        "ciphertexts",
        "vault.data_history",
        "SELECT h.subject_id FROM data_history h JOIN data d USING (subject_id, field)",
    ),
    Case(
        "a datum was deleted",
        "vault",
        "DELETE FROM data WHERE field = 'address'",
        "writes",
        "vault.data",
        "SELECT min(subject_id) FROM data WHERE field = 'address'",
    ),
    Case(
        "a former value was deleted",
        "vault",
        "DELETE FROM data_history",
        "writes",
        "vault.data",
        "SELECT min(subject_id) FROM data_history",
    ),
    Case(
        "the entry of stored data was deleted",
        "vault",
        "DELETE FROM evidence_entries WHERE event = 'data.stored'",
        "writes",
        "vault.data",
        PHONES,
    ),
    Case(
        "a subject's data version was raised",
        "vault",
        f"UPDATE subjects SET data_version = data_version + 1 WHERE subject_id = ({PRESENT})",
        "ciphertexts",
        "vault.subjects",
        PRESENT,
    ),
    Case(
        "an address of a visit was put where the cookie is",
        "vault",
        "UPDATE visits SET cookie = ip WHERE ip IS NOT NULL",
        "ciphertexts",
        "vault.visits",
        "SELECT min(visit_id) FROM visits WHERE ip IS NOT NULL",
    ),
    Case(
        "a line's byte was flipped",
        "vault",
        f"UPDATE purchases SET ciphertext = {FLIPPED.format('ciphertext')}",
        "ciphertexts",
        "vault.purchases",
        "SELECT min(order_id) FROM purchases",
    ),
    Case(
        "a document's byte was flipped",
        "vault",
        f"UPDATE documents SET ciphertext = {FLIPPED.format('ciphertext')}"
        " WHERE document_id = (SELECT min(document_id) FROM documents)",
        "ciphertexts",
        "vault.documents",
        "SELECT min(document_id) FROM documents",
    ),
    Case(
        "a document was given to another subject",
        "vault",
        "UPDATE documents SET owner_id = (SELECT max(subject_id) FROM data"
        " WHERE subject_id <> owner_id)"
        " WHERE document_id = (SELECT min(document_id) FROM documents)",
        "ciphertexts",
        "vault.documents",
        "SELECT min(document_id) FROM documents",
    ),
    Case(
        "a document was deleted",
        "vault",
        "DELETE FROM documents WHERE document_id = (SELECT min(document_id) FROM documents)",
        "documents",
        "claims.sealed_documents",
        "SELECT min(document_id) FROM documents",
    ),
    Case(
        "a document is called another kind",
        "vault",
        "UPDATE documents SET kind = 'ANSWER' WHERE kind = 'STATEMENT'",
        "documents",
        "vault.documents",
        "SELECT min(document_id) FROM documents WHERE kind = 'STATEMENT'",
    ),
    Case(
        "a correction's byte was flipped",
        "vault",
        f"UPDATE corrections SET ciphertext = {FLIPPED.format('ciphertext')}",
        "ciphertexts",
        "vault.corrections",
        "SELECT min(correction_id) FROM corrections",
    ),
    Case(
        "a correction counts as another version",
        "vault",
        "UPDATE corrections SET applied_version = 1",
        "documents",
        "claims.corrections",
        "SELECT min(correction_id) FROM corrections",
    ),
    Case(
        "a row of the blind index was deleted",
        "vault",
        f"DELETE FROM blind_index WHERE field = 'phone' AND subject_id = ({PHONES})",
        "blind_index",
        "vault.blind_index",
        PHONES,
    ),
    Case(
        "a row of the blind index leads to another",
        "vault",
        f"UPDATE blind_index SET subject_id = ({OTHER_PHONE})"
        f" WHERE field = 'phone' AND subject_id = ({PHONES})",
        "blind_index",
        "vault.blind_index",
        OTHER_PHONE,
    ),
    Case(
        "a row of the blind index was added",
        "vault",
        "INSERT INTO blind_index VALUES ('demo', 'email', 1, '\\x00',"
        f" ({OTHER_PHONE})) ON CONFLICT DO NOTHING",
        "blind_index",
        "vault.blind_index",
        OTHER_PHONE,
    ),
    Case(
        "a digest of the blind index was altered",
        "vault",
        f"UPDATE blind_index SET digest = {FLIPPED.format('digest')} WHERE field = 'email'",
        "blind_index",
        "vault.blind_index",
        "SELECT min(subject_id) FROM blind_index WHERE field = 'email'",
    ),
]


@pytest.mark.parametrize("case", DATA, ids=name_of)
def test_fsck_names_it(books: Books, case: Case) -> None:
    require_named(books, case)

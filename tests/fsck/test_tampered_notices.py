# SPDX-License-Identifier: Apache-2.0
"""Notices, receipts, what is withheld, and what orders keep: tampered with one thing at a time."""

import pytest

from tests.fsck.books import Books
from tests.fsck.tampering import Case, name_of, require_named

# Each case copies a database; data and standing are tampered with in every run.
pytestmark = pytest.mark.deep

_NOTICE = "SELECT min(notice_id) FROM notices"
_DONE = "SELECT min(notice_id) FROM notices WHERE state = 'ACKNOWLEDGED'"
_RELEASED = "SELECT min(release_id) FROM releases WHERE state = 'RELEASED'"
_ADDRESS = "SELECT min(document_id) FROM documents WHERE kind = 'DELIVERY_ADDRESS'"
_MESSAGE = "SELECT min(document_id) FROM documents WHERE kind = 'MESSAGE_TEXT'"

CASES = [
    Case(
        "a recipient goes by another name",
        "vault",
        "UPDATE named_recipients SET legal_name = 'X'"
        " WHERE recipient_id = (SELECT min(recipient_id) FROM named_recipients)",
        "names",
        "vault.named_recipients",
        "SELECT min(recipient_id) FROM named_recipients",
    ),
    Case(
        "a recipient's notice was deleted",
        "disclosure",
        f"DELETE FROM notices WHERE notice_id = ({_NOTICE})",
        "notices",
        "disclosure.notices",
        _NOTICE,
    ),
    Case(
        "a notice was deleted with its entry",
        "disclosure",
        f"WITH gone AS (DELETE FROM notices WHERE notice_id = ({_NOTICE}) RETURNING notice_id)"
        " DELETE FROM evidence_entries e USING gone"
        " WHERE e.event LIKE 'notice.%' AND e.body LIKE '%' || gone.notice_id || '%'",
        "notices",
        "disclosure.recalls",
        f"SELECT delivery_id FROM notices WHERE notice_id = ({_NOTICE})",
    ),
    Case(
        "a notice's entry was deleted",
        "disclosure",
        f"DELETE FROM evidence_entries WHERE body LIKE '%' || ({_NOTICE}) || '%'",
        "notices",
        "disclosure.notices",
        _NOTICE,
    ),
    Case(
        "a notice says something else",
        "disclosure",
        "UPDATE notices SET instruction = 'RESUME'"
        " WHERE notice_id = (SELECT min(notice_id) FROM notices WHERE instruction <> 'RESUME')",
        "notices",
        "disclosure.notices",
        "SELECT min(notice_id) FROM notices WHERE instruction <> 'RESUME'",
    ),
    Case(
        "an acknowledgment was forged away",
        "disclosure",
        f"UPDATE notices SET state = 'OPEN' WHERE notice_id = ({_DONE})",
        "notices",
        "disclosure.notices",
        _DONE,
    ),
    Case(
        "a notice went to somebody else",
        "disclosure",
        "UPDATE notices SET recipient_id = '00000000-0000-7000-8000-000000000000'"
        f" WHERE notice_id = ({_NOTICE})",
        "notices",
        "disclosure.notices",
        _NOTICE,
    ),
    Case(
        "a change of standing was forged",
        "disclosure",
        "UPDATE recalls SET kind = 'LIFTED' WHERE change_id ="
        " (SELECT min(change_id) FROM recalls WHERE kind = 'BLOCKED')",
        "notices",
        "disclosure.recalls",
        "SELECT min(change_id) FROM recalls WHERE kind = 'BLOCKED'",
    ),
    Case(
        "a change of standing was made up",
        "disclosure",
        "INSERT INTO recalls SELECT '00000000-0000-7000-8000-000000000000', site_id, subject_id,"
        " kind, change_time, false, vault_incarnation FROM recalls LIMIT 1",
        "notices",
        "disclosure.recalls",
        "SELECT '00000000-0000-7000-8000-000000000000'",
    ),
    Case(
        "the digest of a receipt was taken out of evidence",
        "disclosure",
        "UPDATE evidence_entries SET body = replace(body, '\"details\":', '\"detail\":')"
        f" WHERE body LIKE '%' || ({_RELEASED}) || '%'",
        "receipts",
        "disclosure.releases",
        _RELEASED,
    ),
    Case(
        "the key of receipts was replaced",
        "disclosure",
        "UPDATE receipt_keys SET public_key = set_byte(public_key, 0, get_byte(public_key, 0) # 1)",
        "receipts",
        "disclosure.receipt_keys",
        "SELECT min(key_id) FROM receipt_keys",
    ),
    Case(
        "what left was called withheld",
        "disclosure",
        f"UPDATE releases SET state = 'WITHHELD' WHERE release_id = ({_RELEASED})",
        "releases",
        "disclosure.releases",
        _RELEASED,
    ),
    Case(
        "an address outlived its order",
        "vault",
        f"UPDATE documents SET bound_to = 'T-gone' WHERE document_id = ({_ADDRESS})",
        "order_documents",
        "vault.documents",
        _ADDRESS,
    ),
    Case(
        "a message was made an address",
        "vault",
        f"UPDATE documents SET kind = 'DELIVERY_ADDRESS' WHERE document_id = ({_MESSAGE})",
        "order_documents",
        "vault.documents",
        f"SELECT greatest(({_ADDRESS}), ({_MESSAGE}))",
    ),
]


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_fsck_names_it(books: Books, case: Case) -> None:
    require_named(books, case)


def test_a_message_that_is_missing_is_a_warning(books: Books) -> None:
    with books.tampered("vault", "DELETE FROM documents WHERE kind = 'MESSAGE_TEXT'") as urls:
        (outcome,) = books.inspect(urls, "order_documents").outcomes
    assert not outcome.faults
    assert [w.what for w in outcome.warnings] == ["the vault lacks the message of an open order"]

# SPDX-License-Identifier: Apache-2.0
"""Requests of state bodies, tampered with one thing at a time."""

import pytest

from tests.fsck.books import Books
from tests.fsck.tampering import Case, name_of, require_named

# Each case copies a database; data and standing are tampered with in every run.
pytestmark = pytest.mark.deep

_GIVEN = "SELECT min(request_id) FROM authority_requests WHERE state = 'PICKED_UP'"
_WAITING = "SELECT min(request_id) FROM authority_requests WHERE state = 'PENDING'"
_TABLE = "disclosure.authority_requests"
CASES = [
    Case(
        "a package was given once more without an officer's act",
        "disclosure",
        "DELETE FROM evidence_entries WHERE entry_id = (SELECT max(entry_id) FROM"
        " evidence_entries WHERE event = 'authority_request.released'"
        f" AND body LIKE '%' || ({_GIVEN}) || '%')",
        "requests",
        _TABLE,
        _GIVEN,
    ),
    Case(
        "a code is out for what nobody let go",
        "disclosure",
        f"UPDATE authority_requests SET code_sha256 = 'ab' WHERE request_id = ({_WAITING})",
        "requests",
        _TABLE,
        _WAITING,
    ),
    Case(
        "what was picked up is called approved",
        "disclosure",
        f"UPDATE authority_requests SET state = 'APPROVED' WHERE request_id = ({_GIVEN})",
        "requests",
        _TABLE,
        _GIVEN,
    ),
]


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_what_was_tampered_with_is_named(books: Books, case: Case) -> None:
    require_named(books, case)

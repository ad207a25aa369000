# SPDX-License-Identifier: Apache-2.0
"""Releases, evidence and what names it, tampered with one thing at a time."""

import pytest

from tests.fsck.books import Books
from tests.fsck.tampering import Case, name_of, require_named

# Each case copies a database; data and standing are tampered with in every run.
pytestmark = pytest.mark.deep

_RELEASED = "SELECT min(release_id) FROM releases WHERE state = 'RELEASED'"
_GIVEN = "SELECT min(release_id) FROM release_entries"

EVIDENCE = [
    Case(
        "the vault's entry of a release was deleted",
        "vault",
        "DELETE FROM evidence_entries WHERE entry_id ="
        f" (SELECT entry_id FROM release_entries WHERE release_id = ({_GIVEN}))",
        "releases",
        "vault.release_entries",
        _GIVEN,
    ),
    Case(
        "a release entry was deleted",
        "vault",
        f"DELETE FROM release_entries WHERE release_id = ({_GIVEN})",
        "releases",
        "disclosure.releases",
        _GIVEN,
    ),
    Case(
        "a release entry names another entry",
        "vault",
        "UPDATE release_entries SET entry_id = (SELECT min(entry_id) FROM evidence_entries)"
        f" WHERE release_id = ({_GIVEN})",
        "releases",
        "disclosure.releases",
        _GIVEN,
    ),
    Case(
        "a release of the broker was deleted",
        "disclosure",
        f"DELETE FROM releases WHERE release_id = ({_RELEASED})",
        "releases",
        "vault.release_entries",
        _RELEASED,
    ),
    Case(
        "a release was called refused",
        "disclosure",
        f"UPDATE releases SET state = 'REFUSED', entry_id = '' WHERE release_id = ({_RELEASED})",
        "releases",
        "disclosure.releases",
        _RELEASED,
    ),
    Case(
        "a line of the ledger was deleted",
        "disclosure",
        f"DELETE FROM disclosures WHERE disclosure_id = ({_RELEASED})",
        "releases",
        "disclosure.releases",
        _RELEASED,
    ),
    Case(
        "the broker's entry of a release was deleted",
        "disclosure",
        f"DELETE FROM evidence_entries WHERE body LIKE '%' || ({_RELEASED}) || '%'",
        "releases",
        "disclosure.releases",
        _RELEASED,
    ),
    Case(
        "the entry of an act was deleted",
        "claims",
        "DELETE FROM evidence_entries WHERE event = 'claim.filed' AND body LIKE"
        " '%' || (SELECT max(act_id) FROM acts WHERE kind = 'claim.filed') || '%'",
        "evidence",
        "claims.acts",
        "SELECT max(act_id) FROM acts WHERE kind = 'claim.filed'",
    ),
    Case(
        "the entry of an act's coming into force was deleted",
        "consent",
        "DELETE FROM evidence_entries WHERE event = 'policy.rejected_in_force'",
        "evidence",
        "consent.acts",
        "SELECT act_id FROM acts WHERE kind = 'policy.rejected'",
    ),
    Case(
        "the entry of a refusal was deleted",
        "vault",
        "DELETE FROM evidence_entries WHERE entry_id = (SELECT min(entry_id) FROM refusal_tallies)",
        "tallies",
        "vault.refusal_tallies",
        "SELECT min(entry_id) FROM refusal_tallies",
    ),
    Case(
        "the line of refusals in the ledger was deleted",
        "disclosure",
        "DELETE FROM disclosures WHERE outcome = 'REFUSED'",
        "tallies",
        "disclosure.disclosure_tallies",
        "SELECT min(recipient_id) FROM disclosure_tallies",
    ),
    Case(
        "an entry's column was altered",
        "vault",
        "UPDATE evidence_entries SET outcome = 'PERMITTED' WHERE outcome = 'REFUSED'",
        "evidence",
        "vault.evidence_entries",
        "SELECT min(entry_id) FROM evidence_entries WHERE outcome = 'REFUSED'",
    ),
    Case(
        "an entry's body was altered",
        "vault",
        'UPDATE evidence_entries SET body = replace(body, \'"outcome":"REFUSED"\','
        " '\"outcome\":\"DONE\"') WHERE outcome = 'REFUSED'",
        "evidence",
        "vault.evidence_entries",
        "SELECT min(entry_id) FROM evidence_entries WHERE outcome = 'REFUSED'",
    ),
    Case(
        "an entry's time was moved",
        "claims",
        "UPDATE evidence_entries SET record_time = record_time - interval '1 microsecond'",
        "evidence",
        "claims.evidence_entries",
        "SELECT min(entry_id) FROM evidence_entries",
    ),
    Case(
        "an entry was made secret",
        "vault",
        "UPDATE evidence_entries SET secret_until = '2099-01-01Z' WHERE entry_id ="
        " (SELECT max(entry_id) FROM evidence_entries)",
        "evidence",
        "vault.evidence_entries",
        "SELECT max(entry_id) FROM evidence_entries",
    ),
    Case(
        "an entry's body is another form",
        "gateway",
        "UPDATE evidence_entries SET body = replace(body, ',', ', ')",
        "evidence",
        "gateway.evidence_entries",
        "SELECT min(entry_id) FROM evidence_entries",
    ),
    Case(
        "an entry's body is no JSON",
        "disclosure",
        "UPDATE evidence_entries SET body = 'x' || body WHERE entry_id ="
        " (SELECT min(entry_id) FROM evidence_entries)",
        "evidence",
        "disclosure.evidence_entries",
        "SELECT min(entry_id) FROM evidence_entries",
    ),
    Case(
        "what an idempotency key made is gone",
        "claims",
        "UPDATE idempotency_keys SET result_id = 'nothing' WHERE method = 'FileClaim'",
        "results",
        "claims.idempotency_keys",
        "SELECT min(request_id) FROM idempotency_keys WHERE method = 'FileClaim'",
    ),
]


@pytest.mark.parametrize("case", EVIDENCE, ids=name_of)
def test_fsck_names_it(books: Books, case: Case) -> None:
    require_named(books, case)

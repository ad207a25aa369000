# SPDX-License-Identifier: Apache-2.0
"""Clause 6.2.3, the files of a claim: as large as is said, and none larger."""

import base64

from cli.conversation import Answered
from tests.policy.person import Person, is_refused

_MOST = 2 * 1024 * 1024


def test_a_file_of_two_mebibytes_is_kept_whole_and_none_larger(person: Person) -> None:
    """T-6.2.3-a"""
    path = f"/v1/claims/{person.claimed('OTHER')['claimId']}/attachments"
    file = b"%PDF-1.7 ".ljust(_MOST, b"\xff")

    def attached(content: bytes) -> Answered:
        body = {"content": base64.b64encode(content).decode()}
        return person.site.ask("claimsOfficer", "POST", path, body)

    refused = attached(file + b"0")
    assert is_refused(refused, 400, "INVALID_ARGUMENT")
    assert refused.fields == ("content",)
    kept = attached(file)
    assert kept.status == 200, kept.content.decode()
    place = f"{path}/{kept.json['document']['documentId']}"
    assert person.site.good("claimsOfficer", "GET", place).content == file

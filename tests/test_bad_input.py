# SPDX-License-Identifier: Apache-2.0
"""Bad input over HTTP: its own typed refusal each, never a 5xx, nothing stored (I14, T29, T37)."""

import json
import secrets
from collections.abc import Mapping
from typing import Any

import pytest

from tests.harness.suite import Suite
from tests.matrix.raw_http import ask, code_of
from tests.matrix.things import new_data
from tests.matrix.watching import nothing_stored


@pytest.fixture(scope="module")
def subject_id(suite: Suite) -> str:
    """A subject that is there."""
    return suite.new_subject(new_data())


_BODIES: Mapping[str, tuple[bytes, int, str]] = {
    "no JSON": (b"{", 400, "MALFORMED"),
    "no object": (b"[]", 400, "INVALID_ARGUMENT"),
    "not UTF-8": (b'{"data":{"givenName":"\xff"}}', 400, "MALFORMED"),
    "a byte order mark": (b'\xef\xbb\xbf{"data":{"givenName":"x"}}', 400, "MALFORMED"),
    "UTF-16": ('{"data":{}}'.encode("utf-16"), 400, "MALFORMED"),
    "deep arrays": (b'{"data":' + b"[" * 5000 + b"]" * 5000 + b"}", 400, "MALFORMED"),
    "deep objects": (b'{"data":' * 5000 + b"1" + b"}" * 5000, 400, "MALFORMED"),
    "not a number": (b'{"data":{"givenName":NaN}}', 400, "INVALID_ARGUMENT"),
    "infinity": (b'{"data":{"givenName":-Infinity}}', 400, "INVALID_ARGUMENT"),
    "a huge number": (b'{"data":{"givenName":' + b"9" * 5000 + b"}}", 400, ""),
    "a lone surrogate": (b'{"data":{"givenName":"\\ud800"}}', 400, "INVALID_ARGUMENT"),
    "U+0000": (b'{"data":{"givenName":"a\\u0000b"}}', 400, "INVALID_ARGUMENT"),
    "a field twice": (b'{"data":{"givenName":"a","givenName":"b"}}', 400, "INVALID_ARGUMENT"),
    "a field in snake case": (b'{"data":{"given_name":"a"}}', 400, "INVALID_ARGUMENT"),
    "the field of the path": (
        b'{"subjectId":"00000000000000000000000000000000","data":{"givenName":"a"}}',
        400,
        "INVALID_ARGUMENT",
    ),
    "two documents": (b'{"data":{"givenName":"a"}}{}', 400, "MALFORMED"),
    "too large": (b'{"data":{"givenName":"' + b"a" * 300_000 + b'"}}', 413, "TOO_LARGE"),
    "nothing": (b"", 400, "INVALID_ARGUMENT"),
}


@pytest.mark.parametrize("what", _BODIES)
def test_a_bad_body_is_refused_and_stores_nothing(suite: Suite, subject_id: str, what: str) -> None:
    content, status, code = _BODIES[what]
    with nothing_stored(suite):
        answer = ask(suite, "PATCH", f"/v1/subjects/{subject_id}/data", content)
        told = code_of(answer)
        assert told == (status, code) or (not code and told[0] == status), answer.text


_HEADERS: Mapping[str, Mapping[str, Any]] = {
    "an Idempotency-Key beyond ASCII": {"Idempotency-Key": "кілт".encode()},
    "an empty Idempotency-Key": {"Idempotency-Key": ""},
    "a long Idempotency-Key": {"Idempotency-Key": "k" * 129},
    "a site beyond ASCII": {"Qupia-Site": "құпия".encode()},
    "a site of no form": {"Qupia-Site": "../demo"},
    "an If-Match that is no tag": {"If-Match": "1"},
    "an If-Match beyond all versions": {"If-Match": '"99999999999"'},
    "another kind of body": {"Content-Type": "application/x-protobuf"},
    "a body in another charset": {"Content-Type": "application/json; charset=koi8-r"},
    "a packed body": {"Content-Encoding": "gzip"},
}


@pytest.mark.parametrize("what", _HEADERS)
def test_a_bad_header_is_refused_and_stores_nothing(
    suite: Suite, subject_id: str, what: str
) -> None:
    body = json.dumps({"data": {"givenName": secrets.token_hex(4)}}).encode()
    with nothing_stored(suite):
        answer = ask(suite, "PATCH", f"/v1/subjects/{subject_id}/data", body, _HEADERS[what])
        assert code_of(answer) in (
            (400, "INVALID_ARGUMENT"),
            (415, "MALFORMED"),
            (403, "PERMISSION_DENIED"),
        )


@pytest.mark.parametrize(
    "path",
    [
        "/v1/subjects/ZZ/standing",
        "/v1/subjects/%00/standing",
        "/v1/subjects/%D2%9B/standing",
        "/v1/subjects/%ff/standing",
        "/v1/subjects/a%2Fb/standing",
        "/v1/subjects//standing",
        "/v1/subjects/" + "a" * 5000 + "/standing",
        "/v1/subjects/{subject_id}/standing?x=1",
        "/v1/subjects/{subject_id}/standing?subjectId=" + "0" * 32,
        "/v1/claims?pageSize=-1",
        "/v1/claims?pageSize=1e3",
        "/v1/claims?pageSize=99999999999999999999",
        "/v1/claims?pageToken=AAAA",
        "/v1/claims?pageToken=%D2%9B",
        "/v1/claims?dueBefore=2026-02-30",
        "/v1/claims?state=NOPE",
        "/v1/claims?pageSize=1&pageSize=2",
        "/v1/policies/0",
        "/v1/policies/-1",
        "/v1/policies/99999999999",
        "/v1/policies:inForce?atTime=yesterday",
        "/v1/../v1/claims",
        "/v2/claims",
        "/",
    ],
)
def test_a_bad_path_or_query_is_refused(suite: Suite, subject_id: str, path: str) -> None:
    with nothing_stored(suite):
        answer = ask(suite, "GET", path.replace("{subject_id}", subject_id))
        if path != "/v1/../v1/claims":
            assert answer.status_code in (400, 404), answer.text
            code_of(answer)
        assert answer.status_code < 500


@pytest.mark.parametrize("verb", ["DELETE", "PUT", "TRACE", "OPTIONS", "PROPFIND"])
def test_a_method_that_there_is_not_is_refused(suite: Suite, verb: str) -> None:
    with nothing_stored(suite):
        answer = ask(suite, verb, "/v1/claims")
        assert answer.status_code == 405
        assert answer.headers["allow"]


@pytest.mark.parametrize("purpose", ["NOPE", "CODE_UNSPECIFIED", "AUTOMATED_DECISION", "", 1, None])
def test_a_purpose_that_is_none_reads_nothing(
    suite: Suite, subject_id: str, purpose: object
) -> None:
    body = json.dumps({"purpose": purpose}).encode()
    with nothing_stored(suite):
        answer = ask(suite, "POST", f"/v1/subjects/{subject_id}/data:read", body)
        assert code_of(answer) in ((400, "PURPOSE_UNKNOWN"), (400, "INVALID_ARGUMENT"))

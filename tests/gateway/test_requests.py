# SPDX-License-Identifier: Apache-2.0
"""What callers send: read strictly, and passed on as the contract says, or refused by name."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest

from qupia.claims.v1 import claims_pb2
from qupia.contract.v1 import contract_pb2
from qupia.subject.v1 import subject_pb2
from qupia.vault.v1 import vault_pb2

SUBJECT = "0123456789abcdef0123456789abcdef"
DATA = f"/v1/subjects/{SUBJECT}/data"
PHONE = "8 701 123 45 67"
Ask = Callable[..., httpx.Response]


def test_a_patch_names_what_it_changes_and_what_it_clears(ask: Ask, services: Any) -> None:
    services.answers["StoreData"] = lambda _: vault_pb2.StoreDataResponse(version=4)
    data = {"phone": PHONE, "patronymic": None, "address": {"flat": "5", "block": None}}
    answer = ask(
        "PATCH",
        DATA,
        json={"data": data, "form": "checkout"},
        headers={"If-Match": '"3"', "Content-Type": "application/merge-patch+json"},
    )
    assert answer.status_code == 200
    assert answer.json() == {"version": 4}
    assert answer.headers["etag"] == '"4"'
    request = services.request
    assert request.subject_id == SUBJECT
    assert sorted(request.update_mask.paths) == [
        "address.block",
        "address.flat",
        "patronymic",
        "phone",
    ]
    assert request.if_version == 3
    assert request.data.phone == PHONE
    assert not request.data.HasField("patronymic")
    assert not request.data.address.HasField("block")


def test_a_whole_address_is_cleared_by_one_null(ask: Ask, services: Any) -> None:
    assert ask("PATCH", DATA, json={"data": {"address": None}}).status_code == 200
    assert list(services.request.update_mask.paths) == ["address"]
    assert not services.request.data.HasField("address")
    assert services.request.HasField("data")
    assert not services.request.HasField("if_version")


@pytest.mark.parametrize(
    ("content", "field", "code"),
    [
        (b'{"data":{"phone":"1","phone":"2"}}', "data.phone", "duplicate"),
        (b'{"data":{"phone":"1"},"data":{"phone":"2"}}', "data", "duplicate"),
        (b'{"data":{"nickname":"x"}}', "data.nickname", "unknown_field"),
        (b'{"data":{"family_name":"x"}}', "data.family_name", "unknown_field"),
        (b'{"data":{"phone":87011234567}}', "data.phone", "type"),
        (b'{"data":{"phone":NaN}}', "data.phone", "type"),
        (b'{"data":{"phone":1e400}}', "data.phone", "type"),
        (b'{"data":{"phone":"\\u0000"}}', "data.phone", "text"),
        (b'{"data":{"phone":"\\ud800"}}', "data.phone", "text"),
        (b'{"data":{"address":{"flat":["5"]}}}', "data.address.flat", "type"),
        (b'{"data":{}}', "data", "empty"),
        (b'{"data":null}', "data", "type"),
        (b"{}", "data", "empty"),
        (b'{"data":{"phone":"1"},"subjectId":"x"}', "subjectId", "in_path"),
        (b'{"data":{"phone":"1"},"subject_id":"x"}', "subject_id", "unknown_field"),
        (b'{"data":{"phone":"1"},"requestId":"x"}', "requestId", "in_header"),
        (b'{"data":{"phone":"1"},"ifVersion":1}', "ifVersion", "in_header"),
        (b'{"data":{"phone":"1"},"updateMask":"phone"}', "updateMask", "in_patch"),
        (b'{"data":{"+77011234567":"x"}}', "data.?", "unknown_field"),
        (b'{"data":{"phone":"1"},"supplier":"KIND_UNSPECIFIED"}', "supplier", "enum"),
        (b'{"data":{"phone":"1"},"supplier":1}', "supplier", "type"),
        (b"[]", "", "type"),
    ],
)
def test_a_field_at_fault_is_named_and_nothing_is_asked(
    ask: Ask, services: Any, content: bytes, field: str, code: str
) -> None:
    answer = ask("PATCH", DATA, content=content)
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["code"] == "INVALID_ARGUMENT"
    assert (field, code) in [(e["field"], e["code"]) for e in problem["errors"]]
    assert "77011234567" not in answer.text
    assert services.asked == []


@pytest.mark.parametrize(
    "content",
    [b"{", b"", b'{"a":1}x', b"\xff\xfe{}", b"[" * 40, b'{"a":' * 40, b'"'],
    ids=["open", "empty-is-no-data", "trailing", "not-utf8", "deep", "deep-objects", "quote"],
)
def test_what_is_not_json_is_refused(ask: Ask, services: Any, content: bytes) -> None:
    answer = ask("PATCH", DATA, content=content)
    assert answer.status_code == 400
    assert answer.json()["code"] in ("MALFORMED", "INVALID_ARGUMENT")
    assert services.asked == []


def test_a_megabyte_is_too_large(ask: Ask, services: Any) -> None:
    answer = ask("PATCH", DATA, json={"data": {"phone": "1" * 1_000_000}})
    assert (answer.status_code, answer.json()["code"]) == (413, "TOO_LARGE")

    async def without_length() -> AsyncIterator[bytes]:
        for _ in range(900):
            yield b" " * 1000

    answer = ask("PATCH", DATA, content=without_length())
    assert (answer.status_code, answer.json()["code"]) == (413, "TOO_LARGE")
    assert services.asked == []


@pytest.mark.parametrize(("letters", "status"), [(100_000, 200), (140_000, 413)])
def test_a_body_is_as_large_as_what_it_says_not_as_its_spelling(
    ask: Ask, services: Any, letters: int, status: int
) -> None:
    # 200 and 280 kB on the wire, of 256 kB allowed; three times as many bytes either way.
    content = b'{"data":{"familyName":"' + b"\\u0416" * letters + b'"}}'
    assert ask("PATCH", DATA, content=content).status_code == status
    assert bool(services.asked) == (status == 200)


def test_a_body_that_never_ends_is_given_up(ask: Ask, services: Any) -> None:
    async def stuck() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.sleep(5)

    answer = ask("PATCH", DATA, content=stuck())
    assert (answer.status_code, answer.json()["status"]) == (408, 408)
    assert services.asked == []


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/json; charset=utf-16"},
        {"Content-Encoding": "gzip"},
    ],
)
def test_a_body_of_another_kind_is_refused(
    ask: Ask, services: Any, headers: dict[str, str]
) -> None:
    answer = ask("POST", "/v1/orders", content=b"{}", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (415, "MALFORMED")
    assert services.asked == []


def test_a_merge_patch_is_no_body_of_a_post(ask: Ask) -> None:
    headers = {"Content-Type": "application/merge-patch+json"}
    assert ask("POST", "/v1/orders", content=b"{}", headers=headers).status_code == 415


def test_an_unknown_purpose_reaches_the_service_that_records_its_refusal(
    ask: Ask, services: Any
) -> None:
    assert ask("POST", f"{DATA}:read", json={"purpose": "SELLING"}).status_code == 200
    assert services.request.purpose == 2_147_483_647
    assert ask("POST", f"/v1/subjects/{SUBJECT}/consents/SELLING:grant", json={}).is_success
    assert services.request.purpose == 2_147_483_647
    assert ask("POST", f"{DATA}:read", json={"purpose": 2}).status_code == 400
    assert ask("POST", f"{DATA}:read", json={}).status_code == 200
    assert services.request.purpose == 0


@pytest.mark.parametrize("value", ["true", "1.0", '"1"', "2147483648", "-2147483649"])
def test_an_integer_is_an_integer(ask: Ask, services: Any, value: str) -> None:
    answer = ask(
        "POST", f"/v1/subjects/{SUBJECT}/policy:accept", content=f'{{"version":{value}}}'.encode()
    )
    assert answer.json()["errors"][0]["field"] == "version"
    assert services.asked == []


def test_a_list_is_paged_by_its_query(ask: Ask, services: Any) -> None:
    url = "/v1/claims?state=RECEIVED&dueBefore=2026-12-31&pageSize=20&pageToken=abc"
    assert ask("GET", url).json() == {"claims": []}
    request = services.request
    assert (request.state, request.due_before, request.page_size, request.page_token) == (
        claims_pb2.Claim.RECEIVED,
        "2026-12-31",
        20,
        "abc",
    )
    url = "/v1/policies:inForce?atTime=2026-11-23T10:00:00.5+05:00"
    assert ask("GET", url).status_code == 200
    assert services.request.at_time.ToJsonString() == "2026-11-23T05:00:00.500Z"


@pytest.mark.parametrize(
    ("query", "field", "code"),
    [
        ("state=1", "state", "enum"),
        ("state=received", "state", "enum"),
        ("pageSize=٣", "pageSize", "type"),
        ("pageSize=1_0", "pageSize", "type"),
        ("pageSize=2147483648", "pageSize", "range"),
        ("pageSize=1&pageSize=2", "pageSize", "duplicate"),
        ("page_size=1", "page_size", "unknown_field"),
        ("pageToken=%00", "pageToken", "text"),
        ("q", "q", "unknown_field"),
    ],
)
def test_a_query_is_read_as_strictly_as_a_body(
    ask: Ask, services: Any, query: str, field: str, code: str
) -> None:
    answer = ask("GET", f"/v1/claims?{query}")
    assert answer.status_code == 400
    assert [(e["field"], e["code"]) for e in answer.json()["errors"]] == [(field, code)]
    assert services.asked == []


def test_a_query_gives_nothing_to_a_call_with_a_body(ask: Ask, services: Any) -> None:
    for query in ("purpose=NEWS", "subjectId=x", "foo=1"):
        answer = ask("POST", f"{DATA}:read?{query}", json={"purpose": "NEWS"})
        assert answer.status_code == 400
    answer = ask("GET", f"/v1/subjects/{SUBJECT}/standing?subjectId=x")
    assert answer.json()["errors"][0]["code"] == "in_path"
    assert ask("GET", "/v1/claims?%ff=1").json()["code"] == "MALFORMED"
    assert services.asked == []


def test_a_get_has_no_body(ask: Ask, services: Any) -> None:
    assert ask("GET", "/v1/claims", json={}).json()["code"] == "MALFORMED"
    assert services.asked == []


def test_output_only_fields_are_refused_from_a_caller(ask: Ask, services: Any) -> None:
    order = {"orderId": "A-1", "subjectId": SUBJECT, "state": "OPEN"}
    answer = ask("POST", "/v1/orders", json={"order": order})
    assert answer.json()["errors"][0] == {
        "field": "order.state",
        "code": "output_only",
        "detail": "the field is set by the service only",
    }
    assert services.asked == []


@pytest.mark.parametrize("given", ["k-1", '"k-1"'])
def test_the_idempotency_key_is_the_same_with_and_without_quotes(
    ask: Ask, services: Any, given: str
) -> None:
    order = {"orderId": "A-1", "subjectId": SUBJECT}
    assert ask(
        "POST", "/v1/orders", json={"order": order}, headers={"Idempotency-Key": given}
    ).is_success
    assert services.request.request_id == "k-1"


@pytest.mark.parametrize(
    "headers",
    [
        {"Idempotency-Key": ""},
        {"Idempotency-Key": "x" * 129},
        {"Idempotency-Key": "a b"},
        {"Idempotency-Key": '"a'},
        {"Idempotency-Key": '"a";v=1'},
        [("Idempotency-Key", "a"), ("Idempotency-Key", "b")],
        {"If-Match": "3"},
        {"If-Match": 'W/"3"'},
        {"If-Match": '"3", "4"'},
        {"If-Match": "*"},
        {"If-Match": '"99999999999"'},
        {"If-Match": '"03"'},
        {"Qupia-Site": "Demo"},
        {"Qupia-Site": "демо".encode()},
    ],
    ids=str,
)
def test_a_header_of_no_known_form_is_refused(ask: Ask, services: Any, headers: Any) -> None:
    answer = ask("PATCH", DATA, json={"data": {"phone": "1"}}, headers=headers)
    assert answer.status_code == 400
    assert services.asked == []


def test_if_match_is_not_silently_ignored(ask: Ask) -> None:
    answer = ask("POST", f"{DATA}:read", json={}, headers={"If-Match": '"3"'})
    assert answer.json()["errors"][0]["field"] == "If-Match"


def test_a_batch_item_names_its_own_subject(ask: Ask, services: Any) -> None:
    items = [{"subjectId": SUBJECT, "purpose": "NEWS"}, {"subjectId": "x", "purpose": "SELLING"}]
    services.answers["BatchReadData"] = lambda _: vault_pb2.BatchReadDataResponse(
        outcomes=[
            vault_pb2.BatchReadOutcome(
                read=vault_pb2.ReadDataResponse(data=subject_pb2.PersonalData(given_name="Нұр"))
            ),
            vault_pb2.BatchReadOutcome(
                problem=vault_pb2.Problem(code=contract_pb2.Refusal.NOT_FOUND)
            ),
        ]
    )
    answer = ask("POST", "/v1/data:batchRead", json={"items": items})
    assert answer.json()["outcomes"] == [
        {"read": {"data": {"givenName": "Нұр"}, "version": 0, "visits": [], "purchases": []}},
        {"problem": {"code": "NOT_FOUND"}},
    ]
    assert "Нұр".encode() in answer.content
    assert [i.subject_id for i in services.request.items] == [SUBJECT, "x"]
    bad = {"items": [items[0], {"subjectId": 5}, "x"]}
    errors = ask("POST", "/v1/data:batchRead", json=bad).json()["errors"]
    assert [(e["field"], e["code"]) for e in errors] == [
        ("items[1].subjectId", "type"),
        ("items[2]", "type"),
    ]

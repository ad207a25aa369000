# SPDX-License-Identifier: Apache-2.0
"""The dialect is checked at start; values mean what the contract says."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool
from google.protobuf.descriptor import Descriptor

from gateway.answer import Presenter, to_json
from gateway.instant import read_instant
from gateway.plan import check_message
from gateway.transcoder import Given, Transcoder
from qupia.subject.v1 import subject_pb2
from qupia.vault.v1 import vault_pb2
from services.chassis.contract import ContractError, Method, Route, load_contract
from services.chassis.refusal import InvalidArgument

Find = Callable[[str], Method]
_F = descriptor_pb2.FieldDescriptorProto


def test_every_rpc_with_a_route_is_carried() -> None:
    for method in load_contract().methods.values():
        if method.http is not None:
            Transcoder(method)
            Presenter(method)


@pytest.mark.parametrize(
    ("name", "route"),
    [
        ("ReadData", Route("POST", "/v1/subjects/{subject}/data:read", True)),
        ("ReadData", Route("GET", "/v1/subjects/{subject_id}/data:read", False)),
        ("StoreData", Route("POST", "/v1/subjects/{subject_id}/data", True)),
        ("StoreData", Route("PATCH", "/v1/subjects/{data}", True)),
        ("GetClaim", Route("GET", "/v1/claims/{claim_id}", True)),
        ("FileClaim", Route("POST", "/v1/claims", False)),
        ("WithdrawConsent", Route("GET", "/v1/a/{subject_id}/{purpose}", False)),
        ("AnswerClaim", Route("POST", "/v1/claims/{text}", True)),
        ("ReadData", Route("PATCH", "/v1/subjects/{subject_id}/data", True)),
    ],
    ids=[
        "no such field",
        "list in query",
        "mask without patch",
        "message in path",
        "body of a get",
        "post without body",
        "get that mutates",
        "personal data in path",
        "patch without resource",
    ],
)
def test_a_route_that_cannot_be_carried_stops_the_start(
    method: Find, name: str, route: Route
) -> None:
    with pytest.raises(ContractError):
        Transcoder(replace(method(name), http=route))


def test_an_act_without_a_place_to_poll_stops_the_start(method: Find) -> None:
    with pytest.raises(ContractError):
        Presenter(replace(method("FileClaim"), act_location=None))
    with pytest.raises(ContractError):
        Presenter(replace(method("FileClaim"), act_location="/v1/acts/{nothing}"))


def _message(kind: _F.Type.ValueType) -> Descriptor:
    file = descriptor_pb2.FileDescriptorProto(name="t.proto", package="t", syntax="proto3")
    field = file.message_type.add(name="M").field.add(
        name="f", number=1, type=kind, label=_F.LABEL_OPTIONAL
    )
    if kind == _F.TYPE_MESSAGE:
        field.type_name = ".t.M"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return pool.FindMessageTypeByName("t.M")


@pytest.mark.parametrize(
    "kind",
    [_F.TYPE_FLOAT, _F.TYPE_INT64, _F.TYPE_DOUBLE, _F.TYPE_MESSAGE],
    ids=["float", "int64", "double", "a message that holds itself"],
)
def test_a_field_outside_the_dialect_stops_the_start(kind: _F.Type.ValueType) -> None:
    with pytest.raises(ContractError):
        check_message(_message(kind))


def test_null_is_like_leaving_out_but_never_like_clearing(method: Find) -> None:
    conclude = Transcoder(method("ConcludeVerification"))
    path = {"claim_id": "c"}
    given = Given(path=path, body=b'{"subjectId":null,"correction":null}')
    assert not conclude.request(given).HasField("correction")
    given = Given(path=path, body=b'{"correction":{"patronymic":null}}')
    with pytest.raises(InvalidArgument) as refused:
        conclude.request(given)
    assert [(f.field, f.rule) for f in refused.value.fields] == [("correction.patronymic", "null")]


def test_an_empty_object_is_still_an_object(method: Find) -> None:
    conclude = Transcoder(method("ConcludeVerification"))
    assert conclude.request(Given({"claim_id": "c"}, body=b'{"correction":{}}')).HasField(
        "correction"
    )


def test_the_path_has_the_last_word(method: Find) -> None:
    read = Transcoder(method("ReadData"))
    request: Any = read.request(Given({"subject_id": "url"}, body=b"{}"))
    assert request.subject_id == "url"
    for name in ("subjectId", "subject_id"):
        with pytest.raises(InvalidArgument):
            read.request(Given({"subject_id": "url"}, body=b'{"%s":"body"}' % name.encode()))


def test_a_call_that_changes_something_always_has_a_key(method: Find) -> None:
    grant = Transcoder(method("GrantConsent"))
    path = {"subject_id": "s", "purpose": "NEWS"}
    asked: list[Any] = [grant.request(Given(path, body=b"{}")) for _ in range(2)]
    first, second = (each.request_id for each in asked)
    assert len(first) == 32
    assert first != second
    request: Any = grant.request(Given(path, idempotency_key="k"))
    assert request.request_id == "k"


@pytest.mark.parametrize(
    ("text", "seconds", "nanos"),
    [
        ("1970-01-01T00:00:00Z", 0, 0),
        ("2026-11-23T10:00:00+05:00", 1_795_410_000, 0),
        ("2026-11-23T05:00:00.000000001Z", 1_795_410_000, 1),
        ("0001-01-01T00:00:00Z", -62_135_596_800, 0),
        ("9999-12-31T23:59:59.999999999Z", 253_402_300_799, 999_999_999),
        ("1969-12-31T23:59:59.5Z", -1, 500_000_000),
        ("2024-02-29T00:00:00-00:00", 1_709_164_800, 0),
    ],
)
def test_rfc_3339_is_read_exactly(text: str, seconds: int, nanos: int) -> None:
    instant = read_instant(text)
    assert (instant.seconds, instant.nanos) == (seconds, nanos)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-11-23",
        "2026-11-23T10:00Z",
        "2026-11-23T10:00:00",
        "2026-11-23 10:00:00Z",
        "2026-11-23t10:00:00z",
        "2026-11-23T24:00:00Z",
        "2026-11-23T23:59:60Z",
        "2026-02-29T00:00:00Z",
        "2026-11-23T10:00:00.Z",
        "2026-11-23T10:00:00.1234567890Z",
        "2026-11-23T10:00:00+24:00",
        "2026-11-23T10:00:00+5:00",
        "0001-01-01T00:00:00+01:00",
        "9999-12-31T23:59:59-01:00",
        "٢٠٢٦-11-23T10:00:00Z",
        "2026-11-23T10:00:00Z\n",
    ],
)
def test_what_is_not_rfc_3339_is_no_time(text: str) -> None:
    with pytest.raises(ValueError, match=r"RFC 3339|range|month|day|hour|second|years"):
        read_instant(text)


def test_an_answer_shows_zeros_and_hides_what_is_not_set() -> None:
    standing = vault_pb2.Standing(subject_id="s", state=vault_pb2.Standing.BLOCKED)
    assert to_json(standing) == {
        "subjectId": "s",
        "state": "BLOCKED",
        "dataVersion": 0,
        "acceptedPolicyVersion": 0,
        "openBlocks": 0,
        "openOrders": 0,
        "visitorIds": [],
    }
    assert to_json(subject_pb2.PersonalData(phone="")) == {"phone": ""}
    assert to_json(vault_pb2.Standing(state=77)) == {**to_json(vault_pb2.Standing()), "state": 77}  # type: ignore[arg-type]


def test_an_etag_is_the_version_of_the_data(method: Find) -> None:
    read = Presenter(method("ReadData"))
    assert read.answer(vault_pb2.ReadDataResponse(version=7)).headers["etag"] == '"7"'
    conclude = method("ConcludeVerification")
    assert "etag" not in Presenter(conclude).answer(conclude.output_class()).headers

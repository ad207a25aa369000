# SPDX-License-Identifier: Apache-2.0
"""The contract is the program: what it says of every call; a hole in it stops the start."""

import re
from collections import Counter
from collections.abc import Callable
from itertools import count, pairwise
from typing import Any

import pytest
from google.api import annotations_pb2
from google.protobuf import descriptor_pb2, descriptor_pool
from google.protobuf.descriptor import FileDescriptor

from qupia.contract.v1 import contract_pb2
from services.chassis import contract
from services.chassis.contract import (
    Contract,
    ContractError,
    Method,
    all_messages,
    load_contract,
    reasons,
    text_rule,
)

CONTRACT = load_contract()
METHODS = sorted(CONTRACT.methods.values(), key=lambda m: m.path)
ROUTED = [m for m in METHODS if m.http]
_number = count()

# The clauses of the policy; the articles of the law and design decisions go by their own names.
CLAUSES = {
    *("1.1", "1.1.1", "1.1.2", "1.1.3", "1.1.4", "1.1.5", "1.1.6", "1.1.7"),
    *("2.1", "2.2", "2.3", "2.4"),
    *("3.1", "3.2", "3.2.1", "3.2.2", "3.2.3", "3.2.4", "3.3", "3.3.1", "3.3.2", "3.4"),
    *("4.1", *(f"4.1.{n}" for n in range(1, 13))),
    *("5.1", "5.2", "5.3"),
    *("6.1", "6.1.1", "6.1.2", "6.1.3", "6.2", "6.2.1", "6.2.2", "6.2.3"),
    *("7.1", "7.2", "7.2.1", "7.2.2", "7.2.3", "7.2.4", "7.3"),
    *("8.1", "8.2", "8.3", "8.4"),
    *("9.1", "9.2"),
}


# The same act on one subject and on many: each entry of evidence is of one subject.
BATCHES = {"BatchStoreData": "StoreData", "ReleaseManifest": "ReleaseDelivery"}


def _each(methods: list[Method]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("method", methods, ids=lambda m: m.path)


@_each(METHODS)
def test_every_call_says_who_may_call_what_is_recorded_and_why(method: Method) -> None:
    assert method.peers
    access = (method.roles is not None, method.any_caller, method.peer_itself, method.anyone)
    assert sum(access) == 1
    assert method.clauses
    assert all(c in CLAUSES or c == "design" or c.startswith("law:") for c in method.clauses)
    assert method.verb != "VERB_UNSPECIFIED"
    assert method.evidence == "none" or re.fullmatch(r"[a-z_]+\.[a-z_]+", method.evidence)
    if method.mutates:
        assert method.evidence != "none"
        assert "request_id" in method.input.fields_by_name


@_each(METHODS)
def test_names_follow_one_pattern(method: Method) -> None:
    assert re.fullmatch(r"([A-Z][a-z]+){2,}", method.name)
    assert method.input.name == f"{method.name}Request"
    assert method.output.name == ("HttpBody" if method.media_type else f"{method.name}Response")
    assert method.path.startswith(f"/qupia.{method.process}.v1.")
    assert method.service.endswith("Service")


@_each(ROUTED)
def test_a_route_binds_its_variables_and_is_reached_through_the_gateway(method: Method) -> None:
    route = method.http
    assert route is not None
    assert "gateway" in method.peers
    assert not method.peer_itself
    assert re.fullmatch(r"/v1(/[a-z-]+|/\{[a-z_]+\}|:[a-zA-Z]+)+(:[a-zA-Z]+)?", route.path) or (
        re.fullmatch(r"/v1(/([A-Za-z-]+|\{[a-z_]+\})(:[a-zA-Z]+)?)+", route.path)
    )
    for variable in re.findall(r"\{([a-z_]+)\}", route.path):
        field = method.input.fields_by_name[variable]
        assert not text_rule(field).personal
    assert route.body == (route.verb in ("POST", "PATCH", "PUT"))
    assert method.mutates or route.verb != "PATCH"
    # What changes nothing and carries nothing secret is a GET; what reads data asks in the body.
    assert not (route.verb == "GET" and method.mutates)


def test_no_personal_datum_stands_in_a_query_or_a_path() -> None:
    for method in ROUTED:
        assert method.http is not None
        if method.http.verb == "GET":
            for field in method.input.fields:
                assert not text_rule(field).personal, field.full_name


def _example(path: str) -> str:
    return re.sub(r"\{[a-z_]+\}", "0123abcd", path)


def test_no_two_routes_meet() -> None:
    for method in ROUTED:
        assert method.http is not None
        hits = [
            other.name
            for other in ROUTED
            if other.http
            and other.http.verb == method.http.verb
            and re.fullmatch(
                re.sub(r"\\\{[a-z_]+\\\}", "[^/:]+", re.escape(other.http.path)),
                _example(method.http.path),
            )
        ]
        assert hits == [method.name]


def test_an_evidence_name_stands_for_one_act() -> None:
    by_name = {m.name: m for m in METHODS}
    for batch, single in BATCHES.items():
        assert by_name[batch].evidence == by_name[single].evidence
    names = Counter(m.evidence for m in METHODS if m.mutates and m.name not in BATCHES)
    assert [name for name, times in names.items() if times > 1] == []
    reads = {m.evidence for m in METHODS if not m.mutates} - {"none"}
    assert not reads & set(names)


def test_an_act_that_may_be_pending_says_where_it_is_polled() -> None:
    for method in METHODS:
        fields = method.output.fields_by_name
        if "enforcement" in fields and "act_id" in fields:
            assert method.act_location, method.path
            assert all(v in fields for v in re.findall(r"\{([a-z_]+)\}", method.act_location))


def test_every_list_pages() -> None:
    # One fact per express purpose: a closed list of the policy.
    bounded = {"ListConsents"}
    for method in METHODS:
        if method.name.startswith("List") and method.http and method.name not in bounded:
            assert "next_page_token" in method.output.fields_by_name, method.path
            assert {"page_size", "page_token"} <= set(method.input.fields_by_name)


def test_nobody_but_an_outsider_is_veiled_and_all_that_an_outsider_does_is() -> None:
    # Neither a recipient nor a partner may learn from a refusal what stands about a person, nor may
    # whoever picks a state body's package up with its one-time code.
    outsiders = (frozenset({"RECIPIENT"}), frozenset({"PARTNER"}))
    for method in METHODS:
        outside = method.roles in outsiders or method.name == "PickUpAuthorityPackage"
        if outside and method.evidence != "none":
            assert method.veil == "NOT_AVAILABLE", method.path
        if method.veil:
            assert outside, method.path


def test_what_restricts_is_critical() -> None:
    restricting = {
        "ApplyClaimsSlice", "ApplyClaimsSlices", "ApplyConsentSlice", "ApplyOrderSlice",
        "ApplyConsentSlices", "ApplyOrderSlices",
        "WithdrawConsent", "RejectPolicy", "FileClaim", "SuspendRecipient", "DestroySubject",
    }  # fmt: skip
    for method in METHODS:
        if method.name in restricting:
            assert method.critical, method.path


def test_times_and_fields_are_named_alike() -> None:
    for message in all_messages():
        for field in message.fields:
            assert re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", field.name), field.full_name
            is_time = (
                field.message_type is not None
                and field.message_type.full_name == "google.protobuf.Timestamp"
            )
            if field.name.endswith("_time"):
                assert is_time, field.full_name


def test_every_enum_begins_with_a_value_that_says_nothing() -> None:
    for message in all_messages():
        for enum in message.enum_types:
            words = re.findall(r"[A-Z][a-z0-9]*", enum.name)
            assert enum.values_by_number[0].name == "_".join(words).upper() + "_UNSPECIFIED"
            numbers = sorted(enum.values_by_number)
            assert all(b - a == 1 for a, b in pairwise(numbers)), enum.full_name


def test_a_reasons_clause_is_one_of_the_policy() -> None:
    assert {rule.clause for rule in reasons().values()} <= CLAUSES | {""}


# --- a hole in the contract stops the start ------------------------------------------------------

Change = Callable[[descriptor_pb2.FileDescriptorProto], object]


def _whole() -> descriptor_pb2.FileDescriptorProto:
    """A contract of one call with nothing amiss."""
    file = descriptor_pb2.FileDescriptorProto(
        name=f"synthetic/{next(_number)}.proto",
        package=f"synthetic{next(_number)}",
        syntax="proto3",
        dependency=["qupia/contract/v1/contract.proto", "google/api/annotations.proto"],
    )
    request = file.message_type.add(name="DoThingRequest")
    for number, name in enumerate(("request_id", "note"), 1):
        field = request.field.add(name=name, number=number, type=9, label=1)
        rule = field.options.Extensions[contract_pb2.text]
        rule.form = contract_pb2.TextRule.REQUEST_ID
    request.field[1].options.Extensions[contract_pb2.text].CopyFrom(
        contract_pb2.TextRule(form=contract_pb2.TextRule.TEXT, personal=True, max_length=9)
    )
    file.message_type.add(name="DoThingResponse")
    service = file.service.add(name="ThingService")
    method = service.method.add(
        name="DoThing",
        input_type=f".{file.package}.DoThingRequest",
        output_type=f".{file.package}.DoThingResponse",
    )
    method.options.Extensions[contract_pb2.rule].CopyFrom(
        contract_pb2.MethodRule(
            peers=[contract_pb2.Peer.GATEWAY],
            any_caller=True,
            evidence="thing.done",
            clauses=["6.2.3"],
            verb=contract_pb2.Processing.USE,
            mutates=True,
        )
    )
    method.options.Extensions[annotations_pb2.http].post = "/v1/things"
    return file


def _load(monkeypatch: pytest.MonkeyPatch, change: Change) -> Contract:
    file = _whole()
    change(file)
    pool = descriptor_pool.Default()
    pool.AddSerializedFile(file.SerializeToString())
    found: FileDescriptor = pool.FindFileByName(file.name)
    monkeypatch.setattr(contract, "SERVICE_FILES", {"vault": (found,)})
    return load_contract.__wrapped__()


def _rule(file: descriptor_pb2.FileDescriptorProto) -> contract_pb2.MethodRule:
    return file.service[0].method[0].options.Extensions[contract_pb2.rule]


def _http(file: descriptor_pb2.FileDescriptorProto) -> Any:
    return file.service[0].method[0].options.Extensions[annotations_pb2.http]


def _text(file: descriptor_pb2.FileDescriptorProto, number: int = 1) -> contract_pb2.TextRule:
    return file.message_type[0].field[number].options.Extensions[contract_pb2.text]


def _add_map(
    file: descriptor_pb2.FileDescriptorProto, value: int
) -> descriptor_pb2.FieldDescriptorProto:
    """A map of texts of a form to values of a type."""
    request = file.message_type[0]
    entry = request.nested_type.add(name="NamedEntry")
    entry.options.map_entry = True
    entry.field.add(name="key", number=1, type=9, label=1)
    entry.field.add(name="value", number=2, type=value, label=1)
    kind = f".{file.package}.{request.name}.{entry.name}"
    field = request.field.add(name="named", number=9, type=11, label=3, type_name=kind)
    field.options.Extensions[contract_pb2.text].CopyFrom(_text(file))
    return field


def test_a_whole_contract_loads(monkeypatch: pytest.MonkeyPatch) -> None:
    [method] = _load(monkeypatch, lambda _: None).methods.values()
    assert (method.name, method.process, method.evidence) == ("DoThing", "vault", "thing.done")
    assert method.max_request_bytes == 262_144


HOLES: dict[str, tuple[Change, str]] = {
    "no rule": (lambda f: f.service[0].method[0].ClearField("options"), "has no"),
    "a stream out": (
        lambda f: setattr(f.service[0].method[0], "server_streaming", True),
        "streams",
    ),
    "a stream in": (lambda f: setattr(f.service[0].method[0], "client_streaming", True), "streams"),
    "no peer": (lambda f: _rule(f).ClearField("peers"), "names no peer"),
    "a peer of no name": (
        lambda f: _rule(f).peers.append(contract_pb2.Peer.PROCESS_UNSPECIFIED),
        "names no peer",
    ),
    "no access": (lambda f: _rule(f).ClearField("any_caller"), "nothing of who may call"),
    "an access denied": (lambda f: setattr(_rule(f), "any_caller", False), "denies its access"),
    "no role": (lambda f: _rule(f).callers.SetInParent(), "names no role"),
    "no evidence": (lambda f: setattr(_rule(f), "evidence", ""), "evidence name"),
    "evidence of another form": (lambda f: setattr(_rule(f), "evidence", "Done"), "evidence name"),
    "a change without evidence": (lambda f: setattr(_rule(f), "evidence", "none"), "without"),
    "no clause": (lambda f: _rule(f).ClearField("clauses"), "names no clause"),
    "a clause of no form": (lambda f: _rule(f).clauses.append("six"), "no known form"),
    "no verb": (lambda f: _rule(f).ClearField("verb"), "names no verb"),
    "no request id": (lambda f: setattr(f.message_type[0].field[0], "name", "id"), "no request_id"),
    "a body of one field": (lambda f: setattr(_http(f), "body", "note"), "binds its body"),
    "a second route": (
        lambda f: _http(f).additional_bindings.add(get="/v1/other"),
        "outside our dialect",
    ),
    "a response of one field": (
        lambda f: setattr(_http(f), "response_body", "x"),
        "outside our dialect",
    ),
    "a text of no form": (lambda f: f.message_type[0].field[1].ClearField("options"), "no (text)"),
    "bytes of no form": (
        lambda f: f.message_type[0].field.add(name="raw", number=9, type=12, label=1),
        "no (text)",
    ),
    "a text in the answer": (
        lambda f: f.message_type[1].field.add(name="raw", number=9, type=9, label=1),
        "no (text)",
    ),
    "free text that may be a person's": (lambda f: _text(f).ClearField("personal"), "personal"),
    "free text without end": (lambda f: _text(f).ClearField("max_length"), "no max_length"),
    "an opaque text": (
        lambda f: setattr(_text(f), "form", contract_pb2.TextRule.OPAQUE),
        "is an opaque text: use bytes",
    ),
    "a map of numbers": (lambda f: _add_map(f, value=5), "a map of other than texts"),
    "a map of no form": (
        lambda f: _add_map(f, value=9).ClearField("options"),
        "a map of other than texts",
    ),
    "a map without end": (lambda f: _add_map(f, value=9), "no max_items"),
    "a list without end": (
        lambda f: f.message_type[0].field.add(name="numbers", number=9, type=5, label=3),
        "no max_items",
    ),
}


@pytest.mark.parametrize("hole", HOLES)
def test_a_hole_in_the_contract_stops_the_start(monkeypatch: pytest.MonkeyPatch, hole: str) -> None:
    change, said = HOLES[hole]
    with pytest.raises(ContractError, match=re.escape(said)):
        _load(monkeypatch, change)

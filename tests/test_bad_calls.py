# SPDX-License-Identifier: Apache-2.0
"""Bad calls straight to the services over gRPC: each gets its own typed refusal, nothing is stored,
and the processes serve on (I14, T23, T28, T29)."""

from collections.abc import Iterator
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message

from cli.authority import Authority, Leaf, ensure_certificates
from services.chassis.clock import SystemClock
from services.chassis.contract import Method, fields_of, is_map, load_contract
from tests.harness.suite import Suite
from tests.matrix.http2 import raw_call
from tests.matrix.peers import (
    Metadata,
    Peers,
    call,
    key_of,
    methods_by_name,
    read_leaf,
    secure_channel,
    token_of,
)
from tests.matrix.rows import name_of
from tests.matrix.watching import nothing_stored, unmoved

METHODS = list(load_contract().methods.values())
SERVED = {method.process: method for method in METHODS}
ROUTED = {method.process: method for method in METHODS if method.http and method.roles}
READ = methods_by_name()["VaultService.ReadData"]
_OFFICERS = {
    "CLAIMS_OFFICER": "claimsOfficer",
    "PRIVACY_OFFICER": "privacyOfficer",
    "AUDITOR": "auditor",
    "KEY_CUSTODIAN": "keyCustodian",
}
_MALFORMED = {
    "no message": b"\xff\xff\xff\xff\xff\xff",
    "cut off": b"\x0a\x7fabc",
    "text that is none": b"\x0a\x02\xc3\x28",
    "an endless number": b"\x08" + b"\xff" * 11,
    "groups in groups": b"\xf3\x7d" * 300,
    "a group that ends": b"\x0c",
}
_LARGEST_CALL = 4 * 1024 * 1024
# A field that no message has, of so many bytes, is skipped by every parser.
_UNKNOWN_FIELD = b"\xf2\x7d"


@pytest.fixture(scope="module")
def peers(suite: Suite) -> Iterator[Peers]:
    """Channels under every certificate of the suite."""
    # Before anything is counted: a session is stored.
    _session(suite)
    with Peers(suite) as opened:
        yield opened


@cache
def _session(suite: Suite) -> str:
    """The token of a person concerned."""
    officer = suite.as_("claimsOfficer")
    asked = {"identification": {"method": "IDENTITY_DOCUMENT", "reference": "register:1"}}
    path = f"/v1/subjects/{suite.new_subject()}/access-codes"
    code = {"code": officer.post(path, json=asked).json()["code"]}
    return str(suite.as_("").post("/v1/access-codes:redeem", json=code).json()["session"])


def _voice(suite: Suite, method: Method) -> Metadata:
    """What a caller who may call sends."""
    if method.peer_itself or method.anyone:
        return ()
    if method.roles == frozenset({"SUBJECT"}):
        return token_of(_session(suite))
    roles = method.roles or {"STOREFRONT"}
    if "STOREFRONT" in roles:
        return key_of("STOREFRONT")
    if "RECIPIENT" in roles:
        return key_of("RECIPIENT", recipient_id=suite.credentials["courier"]["recipientId"])
    if "PARTNER" in roles:
        return key_of("PARTNER")
    officer = next(name for role, name in _OFFICERS.items() if role in roles)
    return token_of(suite.credentials[officer]["token"])


def _peer(method: Method) -> str:
    return min(method.peers)


def _padding(size: int) -> bytes:
    length, number = b"", size
    while number > 0x7F:
        length, number = length + bytes([number & 0x7F | 0x80]), number >> 7
    return _UNKNOWN_FIELD + length + bytes([number]) + b"\0" * size


def test_bytes_that_are_no_message_are_malformed_for_every_rpc(suite: Suite, peers: Peers) -> None:
    with nothing_stored(suite):
        for method in METHODS:
            for what, payload in _MALFORMED.items():
                if what == "text that is none" and not _begins_with_text(method.input):
                    continue
                reply = peers.call(_peer(method), method, payload, _voice(suite, method))
                assert reply.told == "MALFORMED", f"{name_of(method)}: {what}: {reply}"


def _begins_with_text(descriptor: Descriptor) -> bool:
    first = descriptor.fields_by_number.get(1)
    return first is not None and first.type == first.TYPE_STRING


def test_a_message_above_the_limit_of_its_rpc_is_too_large(suite: Suite, peers: Peers) -> None:
    with nothing_stored(suite):
        for method in METHODS:
            payload = _padding(method.max_request_bytes)
            reply = peers.call(_peer(method), method, payload, _voice(suite, method))
            assert reply.told == "TOO_LARGE", f"{name_of(method)}: {reply}"


@pytest.mark.parametrize("process", SERVED)
def test_a_message_above_any_limit_is_cut_off(suite: Suite, peers: Peers, process: str) -> None:
    method = SERVED[process]
    with nothing_stored(suite):
        reply = peers.call(_peer(method), method, _padding(_LARGEST_CALL), _voice(suite, method))
        assert reply.told == "RESOURCE_EXHAUSTED"


def test_a_call_without_a_deadline_is_refused_by_every_rpc(suite: Suite, peers: Peers) -> None:
    with nothing_stored(suite):
        for method in METHODS:
            reply = peers.call(_peer(method), method, b"", _voice(suite, method), seconds=None)
            assert reply.told == "DEADLINE_REQUIRED", f"{name_of(method)}: {reply}"


def test_a_call_that_has_no_time_left_is_refused(suite: Suite, peers: Peers) -> None:
    with nothing_stored(suite):
        for method in METHODS:
            reply = peers.call(_peer(method), method, b"", _voice(suite, method), seconds=0.05)
            assert reply.told == "DEADLINE_EXCEEDED", f"{name_of(method)}: {reply}"


def _strange_enums(message: Message, prefix: str = "", depth: int = 0) -> Iterator[str]:
    """Sets every enum of a request to a number that no contract names; yields where."""
    for field in fields_of(message):
        if is_map(field):
            continue
        path = f"{prefix}{field.json_name}"
        value = getattr(message, field.name)
        if field.enum_type is not None:
            if field.is_repeated:
                value.append(99_999)
                yield f"{path}[0]"
            else:
                setattr(message, field.name, 99_999)
                yield path
        elif _is_ours(field.message_type) and depth < 3:
            inner = value.add() if field.is_repeated else value
            at = f"{path}[0]" if field.is_repeated else path
            yield from _strange_enums(inner, f"{at}.", depth + 1)


def _is_ours(descriptor: Any) -> bool:
    return descriptor is not None and not descriptor.full_name.startswith("google.")


def test_numbers_that_no_enum_has_are_named(suite: Suite, peers: Peers) -> None:
    with nothing_stored(suite):
        for method in METHODS:
            request = method.input_class()
            places = set(_strange_enums(request))
            if not places:
                continue
            reply = peers.call(_peer(method), method, request, _voice(suite, method))
            assert reply.told in ("INVALID_ARGUMENT", "PURPOSE_UNKNOWN"), name_of(method)
            if reply.told == "INVALID_ARGUMENT":
                # Of an enum whose unknown values the handler refuses, validation says nothing.
                unsaid = {place for place in places if place.endswith("purpose")}
                assert places - unsaid <= set(reply.fields), f"{name_of(method)}: {reply}"


def test_an_rpc_that_there_is_not_is_unimplemented(suite: Suite) -> None:
    with nothing_stored(suite):
        for process in SERVED:
            channel = secure_channel(suite, process, read_leaf(suite.certificates, "gateway"))
            for path in ("/qupia.vault.v1.VaultService/ReadAll", "/x/y", "/"):
                assert call(channel, path, b"").told == "UNIMPLEMENTED"
            channel.close()


@pytest.fixture(scope="module")
def leaves(suite: Suite, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Leaf | None]:
    """Certificates that open nothing, by what is wrong with them."""
    folder, now = tmp_path_factory.mktemp("authority"), SystemClock().now()
    for name in ("ca.pem", "ca.key"):
        (folder / name).write_bytes((suite.certificates / name).read_bytes())
    own = ensure_certificates(folder, (), now)
    strange = Authority.create(now)
    day, hour = timedelta(days=1), timedelta(hours=1)
    return {
        "none": None,
        "another authority": strange.issue("gateway", now),
        "expired": own.issue("gateway", now - day, validity=hour),
        "not yet valid": own.issue("gateway", now + day),
        "of nobody known": own.issue("stranger", now),
    }


@pytest.mark.parametrize("process", SERVED)
@pytest.mark.parametrize(
    "wrong", ["none", "another authority", "expired", "not yet valid", "of nobody known"]
)
def test_a_wrong_certificate_opens_nothing(
    suite: Suite, leaves: dict[str, Leaf | None], process: str, wrong: str
) -> None:
    method = SERVED[process]
    told = "PEER_NOT_ALLOWED" if wrong == "of nobody known" else "UNAVAILABLE"
    with nothing_stored(suite):
        channel = secure_channel(suite, process, leaves[wrong])
        reply = call(channel, method.path, b"", key_of("STOREFRONT"), seconds=3)
        channel.close()
        assert reply.told == told


@pytest.mark.parametrize("process", SERVED)
def test_a_plaintext_client_is_not_heard(suite: Suite, process: str) -> None:
    with nothing_stored(suite):
        channel = grpc.insecure_channel(suite.target(process))
        reply = call(channel, SERVED[process].path, b"", key_of("STOREFRONT"), seconds=3)
        channel.close()
        assert reply.told == "UNAVAILABLE"


@pytest.mark.parametrize("name", ["authorization", "qupia-site", "qupia-reference", "x-other"])
@pytest.mark.parametrize("process", SERVED)
def test_metadata_beyond_ascii_kills_no_process(suite: Suite, process: str, name: str) -> None:
    method = next(m for m in METHODS if m.process == process and m.http and not m.mutates)
    value = ("Bearer құпия" if name == "authorization" else "құпия").encode()
    headers = {name: value}
    if name != "authorization":
        token = suite.credentials["claimsOfficer"]["token"]
        headers["authorization"] = f"Bearer {token}".encode()
    with nothing_stored(suite):
        leaf = suite.certificates / "gateway.pem", suite.certificates / "gateway.key"
        code = raw_call(
            Path(suite.target(process).removeprefix("unix:")),
            f"{process}.qupia.internal",
            suite.certificates / "ca.pem",
            leaf,
            method.path,
            headers,
        )
    allowed = {"UNAUTHENTICATED"} if name == "authorization" else _TYPED
    assert code in allowed


_TYPED = {
    "OK",
    "INVALID_ARGUMENT",
    "UNAUTHENTICATED",
    "PERMISSION_DENIED",
    "NOT_FOUND",
    "RESOURCE_EXHAUSTED",
}


@pytest.mark.parametrize("payload", [b"\xff" * 40, b"\x0a", b"", b"\x18\x63"])
def test_a_forwarded_holder_that_is_none_is_nobody(
    suite: Suite, peers: Peers, payload: bytes
) -> None:
    with nothing_stored(suite):
        for process in SERVED:
            asked = READ if process == "vault" else ROUTED[process]
            reply = peers.call("gateway", asked, b"", [("qupia-principal-bin", payload)])
            assert reply.told == "UNAUTHENTICATED"


def test_too_much_metadata_is_refused(suite: Suite, peers: Peers) -> None:
    many = [(f"x-{number}", "y" * 1000) for number in range(64)]
    with unmoved(suite):
        reply = peers.call("gateway", READ, b"", many)
        assert reply.told == "RESOURCE_EXHAUSTED"

# SPDX-License-Identifier: Apache-2.0
"""Who gets as far as the handler, over a real connection (threats T23, T24, T28, T29)."""

import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta

import grpc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cli.authority import Authority
from qupia.subject.v1 import subject_pb2
from qupia.vault.v1 import vault_pb2
from services.chassis.call import Call
from services.chassis.contract import load_contract
from tests.chassis.desk import BLOCK, READ, STORE, SUBJECT, Desk, shop
from tests.harness.waiting import PATIENCE_SECONDS, wait_until
from tests.vault.wire_client import Refused

REQUEST = vault_pb2.ReadDataRequest(
    subject_id=SUBJECT, purpose=subject_pb2.Purpose.IDENTIFY_FOR_ORDER
)
PATHS = sorted(m.path for m in load_contract().of_process("vault"))


@pytest.fixture(scope="module")
def open_desk() -> Iterator[Desk]:
    """One desk for what leaves no trace."""
    desk = Desk()
    yield desk
    desk.close()


def test_the_gateway_reaches_the_handler(desk: Desk) -> None:
    assert desk.why_not(REQUEST, shop()) == "OK"
    [call] = desk.calls
    assert (call.peer, call.principal.name, call.role) == ("gateway", "key/shop", "STOREFRONT")
    assert call.request == REQUEST


@pytest.mark.parametrize(
    "channel",
    [
        lambda desk: desk.channel(None),
        lambda desk: desk.channel(
            Authority.create(desk.clock.now()).issue("gateway", desk.clock.now())
        ),
        lambda desk: desk.channel(desk.leaf("gateway", lived=timedelta(days=100))),
        lambda desk: grpc.insecure_channel(desk.address),
    ],
    ids=["no certificate", "another authority's", "an expired one", "plaintext"],
)
def test_without_a_certificate_that_holds_there_is_no_connection(
    desk: Desk, channel: Callable[[Desk], grpc.Channel]
) -> None:
    opened = channel(desk)
    with pytest.raises(grpc.RpcError) as caught:
        desk.ask(REQUEST, shop(), channel=opened, seconds=2)
    assert caught.value.code() in (
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
    )
    opened.close()
    assert desk.calls == []


def test_a_server_of_another_authority_is_not_believed(desk: Desk) -> None:
    other = Authority.create(desk.clock.now())
    with pytest.raises(grpc.RpcError):
        desk.ask(REQUEST, shop(), channel=desk.channel(desk.leaf("gateway"), other.pem), seconds=2)
    assert desk.calls == []


@pytest.mark.parametrize(
    "name", ["claims", "consent", "disclosure", "vault", "intruder", "gateway2"]
)
def test_a_process_that_is_not_on_the_allow_list_is_refused(desk: Desk, name: str) -> None:
    stranger = desk.channel(desk.leaf(name))
    assert desk.why_not(REQUEST, shop(), channel=stranger) == "PEER_NOT_ALLOWED"
    assert desk.calls == []


@pytest.mark.parametrize("path", PATHS)
def test_every_call_has_its_own_allow_list(open_desk: Desk, path: str) -> None:
    allowed = load_contract().methods[path].peers
    open_desk.calls.clear()
    for process in ("gateway", "consent", "claims", "disclosure", "vault"):
        channel = open_desk.channel(open_desk.leaf(process))
        reason = open_desk.why_not(b"", shop(), path=path, channel=channel)
        assert (reason != "PEER_NOT_ALLOWED") == (process in allowed), process
        channel.close()


def test_an_open_connection_does_not_outlive_its_certificate(desk: Desk) -> None:
    channel = desk.channel(desk.leaf("gateway", validity=timedelta(days=2)))
    assert desk.why_not(REQUEST, shop(), channel=channel) == "OK"
    desk.clock.instant += timedelta(days=3)
    assert desk.why_not(REQUEST, shop(), channel=channel) == "PEER_NOT_ALLOWED"
    assert len(desk.calls) == 1


def test_a_call_without_a_deadline_is_refused(desk: Desk) -> None:
    assert desk.why_not(REQUEST, shop(), seconds=None) == "DEADLINE_REQUIRED"
    assert desk.calls == []


def test_a_call_with_too_little_time_left_is_not_begun(desk: Desk) -> None:
    desk.why_not(REQUEST, shop())
    desk.calls.clear()
    for seconds in (0.09, 0.05, 0.02):
        try:
            reason = desk.why_not(REQUEST, shop(), seconds=seconds)
        except grpc.RpcError as error:
            reason = error.code().name
        assert reason == "DEADLINE_EXCEEDED"
    assert desk.calls == []


def test_an_answer_that_comes_too_late_is_no_answer(desk: Desk) -> None:
    late = threading.Event()

    def slow(call: Call) -> vault_pb2.ReadDataResponse:
        time.sleep(call.remaining() + 0.05)
        late.set()
        return vault_pb2.ReadDataResponse(version=7)

    desk.answer = slow
    with pytest.raises((Refused, grpc.RpcError)):
        desk.ask(REQUEST, shop(), seconds=0.3)
    assert late.wait(PATIENCE_SECONDS)
    sample = ("qupia_calls_total", {"method": "ReadData", "reason": "DEADLINE_EXCEEDED"})
    wait_until(
        lambda: desk.metrics.registry.get_sample_value(*sample) == 1, "the call is not counted"
    )


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(payload=st.binary(max_size=200), path=st.sampled_from([READ, STORE, BLOCK]))
def test_bytes_that_nobody_meant_are_malformed_or_invalid_and_never_a_defect(
    open_desk: Desk, payload: bytes, path: str
) -> None:
    process = "claims" if path == BLOCK else "gateway"
    if process not in _channels:
        _channels[process] = open_desk.channel(open_desk.leaf(process))
    metadata = () if path == BLOCK else shop()
    reason = open_desk.why_not(payload, metadata, path=path, channel=_channels[process])
    assert reason in ("OK", "MALFORMED", "INVALID_ARGUMENT")


_channels: dict[str, grpc.Channel] = {}


@pytest.mark.parametrize(
    "payload",
    [
        b"\xff",
        b"\x0a\xff\xff\xff\xff\x0f",
        b"\x0a\x03\xff\xfe\xfd",
        b"\x0a\x04\x0a\x04" * 50,
        b"\x0b" * 5000,
    ],
)
def test_malformed_bytes_are_a_callers_mistake(desk: Desk, payload: bytes) -> None:
    assert desk.why_not(payload, shop()) in ("MALFORMED", "INVALID_ARGUMENT")
    assert desk.calls == []


def test_a_message_over_the_limit_of_its_call_is_too_large(desk: Desk) -> None:
    limit = load_contract().methods[READ].max_request_bytes
    body = REQUEST.SerializeToString()

    def padded(size: int) -> bytes:
        """The request with an unknown field of any length behind it."""
        count = size - len(body) - 5
        length = bytes([count & 127 | 128, count >> 7 & 127 | 128, count >> 14])
        return body + b"\xfa\x7f" + length + bytes(count)

    assert desk.why_not(padded(limit), shop()) == "OK"
    assert desk.why_not(padded(limit + 1), shop()) == "TOO_LARGE"
    with pytest.raises(grpc.RpcError) as caught:
        desk.ask(bytes(5 * 1024 * 1024), shop())
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


@pytest.mark.parametrize(
    "metadata",
    [
        (("qupia-site", "сайт"),),
        (("qupia-reference", "\u0001"),),
        (("authorization", "Bearer қ"),),
    ],
)
def test_metadata_that_is_not_ascii_harms_nobody_but_its_caller(
    desk: Desk, metadata: tuple[tuple[str, str], ...]
) -> None:
    with pytest.raises((Refused, grpc.RpcError, ValueError, UnicodeError)):
        desk.ask(REQUEST, metadata)
    assert desk.calls == []
    assert desk.why_not(REQUEST, shop()) == "OK"


@pytest.mark.parametrize(
    ("given_reference", "kept"),
    [("req-1.2_3", True), ("x" * 64, True), ("x" * 65, False), ("", False)],
)
def test_a_reference_is_returned_or_made(desk: Desk, given_reference: str, kept: bool) -> None:
    metadata = [*shop(), ("qupia-reference", given_reference)]
    with pytest.raises(Refused) as caught:
        desk.ask(b"\xff", metadata)
    reference = caught.value.reference
    assert (reference == given_reference) is kept
    assert reference


def test_a_call_that_does_not_exist_is_unimplemented(desk: Desk) -> None:
    path = "/qupia.vault.v1.VaultService/GiveEverything"
    assert desk.why_not(b"", shop(), path=path) == "UNIMPLEMENTED"
    assert desk.why_not(b"", shop(), path="/nothing") == "UNIMPLEMENTED"

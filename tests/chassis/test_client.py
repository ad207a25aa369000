# SPDX-License-Identifier: Apache-2.0
"""Calls between processes: typed refusals come back typed, a retry only where it is safe."""

import time
from collections.abc import Callable, Iterator

import pytest
from google.protobuf.message import Message

from qupia.vault.v1 import authority_pb2, vault_pb2
from services.chassis.call import Call
from services.chassis.client import Client
from services.chassis.contract import load_contract, reasons
from services.chassis.ids import new_uuid
from services.chassis.refusal import (
    FieldViolation,
    InvalidArgument,
    Refusal,
    Unavailable,
    refusal_of,
)
from services.chassis.server import Certificate
from tests.chassis.desk import BLOCK, SUBJECT, Desk
from tests.chassis.test_server import SLICE
from tests.harness.waiting import PATIENCE_SECONDS

OPEN = "/qupia.vault.v1.VaultDeciderService/OpenIncarnation"
RELEASE = "/qupia.vault.v1.VaultDisclosureService/ReadForRelease"
AUTHORITY = "/qupia.vault.v1.VaultAuthorityService/ReadForAuthority"
ANSWER = vault_pb2.ApplyClaimsSliceResponse
_RELEASED = vault_pb2.ReadForReleaseRequest(
    items=[
        vault_pb2.ReleaseItem(
            site_id="demo",
            subject_id=SUBJECT,
            release_id=new_uuid(),
            order_id="A-1",
            delivery_id=new_uuid(),
            recipient_id=new_uuid(),
        )
    ]
)
_RELEASED_BY_LAW = authority_pb2.ReadForAuthorityRequest(
    question=authority_pb2.AuthorityQuestion(
        site_id="demo", subject_id=SUBJECT, categories=[authority_pb2.DataCategory.NAME]
    ),
    request_id=new_uuid(),
    authority_id=new_uuid(),
    release_id=new_uuid(),
)


@pytest.fixture
def client(desk: Desk) -> Iterator[Client]:
    """The claims service's way to the vault."""
    client = _client_of(desk, "claims")
    yield client
    client.close()


def _client_of(desk: Desk, process: str) -> Client:
    leaf = desk.leaf(process)
    chain, key = desk.folder / f"{process}.pem", desk.folder / f"{process}.key"
    chain.write_bytes(leaf.certificate)
    key.write_bytes(leaf.key)
    return Client("vault", desk.address, Certificate(desk.folder / "ca.pem", chain, key))


def _failing(times: int, error: Refusal) -> Callable[[Call], Message]:
    left = [times]

    def answer(call: Call) -> Message:
        left[0] -= 1
        if left[0] >= 0:
            raise error
        return call.method.output_class()

    return answer


def test_an_answer_is_a_message(desk: Desk, client: Client) -> None:
    desk.answer = lambda _: ANSWER(receipt=vault_pb2.SliceReceipt(highest_incarnation=7))
    assert client.call(BLOCK, SLICE, ANSWER, 2).receipt.highest_incarnation == 7


@pytest.mark.parametrize("reason", sorted(set(reasons()) - {"UNAVAILABLE"}))
def test_a_refusal_arrives_as_what_it_was(desk: Desk, client: Client, reason: str) -> None:
    desk.answer = _failing(9, refusal_of(reason, "6.2.3"))
    with pytest.raises(Refusal) as caught:
        client.call(BLOCK, SLICE, ANSWER, 2)
    assert type(caught.value) is type(refusal_of(reason))
    if reason != "INTERNAL":
        assert caught.value.clause == "6.2.3"
    assert len(desk.calls) == 1


def test_wrong_fields_arrive_too(desk: Desk, client: Client) -> None:
    violation = FieldViolation("a.b", "RULE", "is wrong")
    desk.answer = _failing(9, InvalidArgument(fields=[violation]))
    with pytest.raises(InvalidArgument) as caught:
        client.call(BLOCK, SLICE, ANSWER, 2)
    assert caught.value.fields == (violation,)


def test_what_may_be_repeated_is_repeated_while_there_is_time(desk: Desk, client: Client) -> None:
    assert load_contract().methods[BLOCK].retryable
    desk.answer = _failing(3, Unavailable())
    client.call(BLOCK, SLICE, ANSWER, 3)
    assert len(desk.calls) == 4


def test_what_may_not_be_repeated_is_asked_once(desk: Desk, client: Client) -> None:
    assert not load_contract().methods[OPEN].retryable
    desk.answer = _failing(1, Unavailable())
    with pytest.raises(Unavailable):
        client.call(OPEN, vault_pb2.OpenIncarnationRequest(), vault_pb2.OpenIncarnationResponse, 2)
    assert len(desk.calls) == 1


@pytest.mark.parametrize(("path", "asked"), [(RELEASE, _RELEASED), (AUTHORITY, _RELEASED_BY_LAW)])
def test_data_for_a_release_are_asked_for_once(desk: Desk, path: str, asked: Message) -> None:
    """An answer that was lost had its entry: asked again, one release would have two."""
    desk.answer = _failing(1, Unavailable())
    client = _client_of(desk, "disclosure")
    with pytest.raises(Unavailable):
        client.call(path, asked, type(load_contract().methods[path].output_class()), 2)
    client.close()
    assert len(desk.calls) == 1


def test_all_attempts_together_end_with_the_time_given(desk: Desk, client: Client) -> None:
    desk.answer = _failing(10_000, Unavailable())
    started = time.monotonic()
    with pytest.raises(Unavailable):
        client.call(BLOCK, SLICE, ANSWER, 0.6)
    assert time.monotonic() - started < PATIENCE_SECONDS  # far from what 10,000 attempts take


def test_who_cannot_be_reached_is_unavailable_in_time(desk: Desk) -> None:
    certificate = Certificate(
        desk.folder / "ca.pem", desk.folder / "vault.pem", desk.folder / "vault.key"
    )
    client = Client("vault", f"unix:{desk.folder}/nobody.sock", certificate)
    with pytest.raises(Unavailable):
        client.call(BLOCK, SLICE, ANSWER, 0.5)
    client.close()


def test_another_process_under_the_vaults_address_is_not_believed(desk: Desk) -> None:
    certificate = Certificate(
        desk.folder / "ca.pem", desk.folder / "vault.pem", desk.folder / "vault.key"
    )
    client = Client("claims", desk.address, certificate)
    path = next(m.path for m in load_contract().of_process("claims"))
    method = load_contract().methods[path]
    with pytest.raises(Unavailable):
        client.call(path, method.input_class(), method.output_class, 0.5)
    assert desk.calls == []
    client.close()


def test_the_reference_travels_on(desk: Desk, client: Client) -> None:
    client.call(BLOCK, SLICE, ANSWER, 2, reference="ref-77")
    assert desk.calls[0].reference == "ref-77"

# SPDX-License-Identifier: Apache-2.0
"""Peer certificate × RPC over mTLS, from the contract: who may call whom, and as whom (T23)."""

from collections.abc import Iterator

import pytest

from services.chassis.contract import Method, load_contract
from tests.harness.suite import Suite
from tests.harness.waiting import wait_until
from tests.matrix.asking import ask
from tests.matrix.peers import CERTIFICATES, Peers, key_of, methods_by_name, token_of
from tests.matrix.rows import ROWS, name_of, row_of
from tests.matrix.rows_grpc import PEER_ROWS, peer_row_of
from tests.matrix.things import ABSENT, OWN, World

METHODS = list(load_contract().methods.values())
ROUTED = [method for method in METHODS if method.http]
INTERNAL = [method for method in METHODS if not method.http]
_KEY_ROLES = ("STOREFRONT", "RECIPIENT")


@pytest.fixture(scope="module")
def peers(suite: Suite) -> Iterator[Peers]:
    """Channels under every certificate of the suite."""
    with Peers(suite) as opened:
        yield opened


@pytest.fixture
def served_afterwards(world: World) -> Iterator[None]:
    """A decider's new incarnation is pushed again in full before the next test begins."""
    yield
    method = methods_by_name()["VaultService.ReadData"]
    caller, thing = world.callers["storefront"], world.things()[OWN]
    row = row_of(method)
    wait_until(
        lambda: ask(world.client, caller, method, row, thing).status == 200,
        lambda: f"the vault did not come back: {ask(world.client, caller, method, row, thing)}",
    )


def test_every_internal_rpc_has_a_row_and_every_row_its_rpc() -> None:
    for method in INTERNAL:
        peer_row_of(method)
    left = set(PEER_ROWS) - {name_of(method) for method in INTERNAL}
    assert not left, f"PEER_ROWS in tests/matrix/rows_grpc.py speak of RPCs that are gone: {left}"
    assert not set(PEER_ROWS) & set(ROWS)


@pytest.mark.usefixtures("served_afterwards")
@pytest.mark.parametrize("method", INTERNAL, ids=name_of)
def test_only_the_peers_of_the_contract_may_call(
    method: Method, peers: Peers, world: World
) -> None:
    row, things = peer_row_of(method), world.things()
    wrong = []
    for certificate in CERTIFICATES:
        replies = {
            name: peers.call(certificate, method, row.request(things[name]))
            for name in (OWN, ABSENT)
        }
        may = certificate in method.peers
        expected = {OWN: row.own, ABSENT: row.absent}
        for name, reply in replies.items():
            code = expected[name] if may else "PEER_NOT_ALLOWED"
            if reply.told != code:
                wrong.append(f"{certificate} × {name}: {code} expected, {reply.told} came")
        if not may and len({reply.bytes_but_reference for reply in replies.values()}) != 1:
            wrong.append(f"{certificate}: the refusal tells what is there")
    assert not wrong, "\n".join([name_of(method), *wrong])


@pytest.mark.parametrize("method", INTERNAL, ids=name_of)
def test_nobody_calls_an_internal_rpc_through_the_gateway(
    method: Method, peers: Peers, world: World
) -> None:
    request = peer_row_of(method).request(world.things()[OWN])
    officer = token_of(world.callers["privacyOfficer"].token)
    for metadata in (key_of("STOREFRONT"), officer):
        assert peers.call("gateway", method, request, metadata).told == "PEER_NOT_ALLOWED"


@pytest.mark.parametrize("method", ROUTED, ids=name_of)
def test_only_the_gateway_speaks_for_others(method: Method, peers: Peers, world: World) -> None:
    request = method.input_class()
    voices = [key_of("STOREFRONT"), token_of(world.callers["privacyOfficer"].token), ()]
    for certificate in CERTIFICATES:
        if certificate in method.peers:
            continue
        for metadata in voices:
            told = peers.call(certificate, method, request, metadata).told
            assert told == "PEER_NOT_ALLOWED", f"{certificate} may call {name_of(method)}"


@pytest.mark.parametrize("method", [m for m in ROUTED if not m.anyone], ids=name_of)
def test_the_gateway_cannot_invent_a_person(method: Method, peers: Peers, world: World) -> None:
    request = method.input_class()
    token = token_of(world.callers["claimsOfficer"].token)
    people = ["CLAIMS_OFFICER", "PRIVACY_OFFICER", "KEY_CUSTODIAN", "AUDITOR", "SUBJECT"]
    people.append("ROLE_UNSPECIFIED")
    forged = [key_of(role) for role in people]
    forged += [(), [*key_of("STOREFRONT"), *token], key_of("STOREFRONT", site="")]
    for metadata in forged:
        assert peers.call("gateway", method, request, metadata).told == "UNAUTHENTICATED"
    for role in _KEY_ROLES:
        if method.roles is not None and role not in method.roles:
            told = peers.call("gateway", method, request, key_of(role)).told
            assert told == "PERMISSION_DENIED", f"{role} may call {name_of(method)}"

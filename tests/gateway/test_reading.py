# SPDX-License-Identifier: Apache-2.0
"""The walk against the contract: whatever comes, a message or named faults, never anything else."""

import json
from contextlib import suppress
from typing import Any

import pytest
from google.protobuf import json_format
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.plan import plan
from gateway.reading import MAX_VIOLATIONS
from gateway.routes import read_template
from gateway.transcoder import Given, Transcoder
from services.chassis.contract import Method, load_contract
from services.chassis.refusal import InvalidArgument, Malformed, Refusal

METHODS = [m for m in load_contract().methods.values() if m.http and m.http.body]


def _path_fields(method: Method) -> tuple[str, ...]:
    assert method.http is not None
    return read_template(method.http.path).fields


def _all_names() -> list[str]:
    found: set[str] = set()
    waiting = [m.input for m in METHODS]
    while waiting:
        for name, field in plan(waiting.pop()).items():
            found |= {name, field.name}
            if field.kind.name == "MESSAGE" and field.message is not None:
                waiting.append(field.message)
    return sorted(found)


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**40), 2**40)
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["NEWS", "IDENTIFY_FOR_ORDER", "2026-11-23T00:00:00Z", "CODE_UNSPECIFIED"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(_all_names()) | st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=12,
)
BODIES = st.dictionaries(st.sampled_from(_all_names()), VALUES, max_size=5)


@pytest.fixture(scope="module")
def transcoders() -> dict[str, Transcoder]:
    return {m.path: Transcoder(m) for m in METHODS}


@settings(max_examples=600, deadline=None)
@given(method=st.sampled_from(METHODS), body=BODIES, text=st.text(max_size=8))
def test_any_json_makes_a_message_or_a_typed_refusal(
    transcoders: dict[str, Transcoder], method: Method, body: dict[str, Any], text: str
) -> None:
    path = dict.fromkeys(_path_fields(method), text)
    content = json.dumps(body).encode()
    refused: list[Refusal] = []
    try:
        message = transcoders[method.path].request(Given(path=path, body=content))
    except (InvalidArgument, Malformed) as refusal:
        refused.append(refusal)
    else:
        message.SerializeToString()
        for name in path:
            assert getattr(message, name) in (text, 2_147_483_647)
    assert all(0 < len(each.fields) <= MAX_VIOLATIONS for each in refused)


@settings(max_examples=300, deadline=None)
@given(body=st.binary(max_size=120), query=st.binary(max_size=40))
def test_any_bytes_make_a_message_or_a_typed_refusal(
    transcoders: dict[str, Transcoder], body: bytes, query: bytes
) -> None:
    for method in METHODS[:6]:
        given_all = Given(dict.fromkeys(_path_fields(method), "x"), query, body)
        with suppress(InvalidArgument, Malformed):
            transcoders[method.path].request(given_all)


@settings(max_examples=200, deadline=None)
@given(body=BODIES)
def test_what_is_accepted_means_the_same_to_protobufs_own_reader(
    transcoders: dict[str, Transcoder], body: dict[str, Any]
) -> None:
    """Strict, not different: what passes here reads alike there (but for lenient enum names)."""
    method = next(m for m in METHODS if m.name == "FileClaim")
    body.pop("purpose", None)
    try:
        ours = transcoders[method.path].request(
            Given(path={}, body=json.dumps(body).encode(), idempotency_key="k")
        )
    except (InvalidArgument, Malformed):
        return
    theirs = json_format.ParseDict({**body, "requestId": "k"}, method.input_class())
    assert ours == theirs

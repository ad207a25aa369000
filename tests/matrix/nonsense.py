# SPDX-License-Identifier: Apache-2.0
"""Requests that are nearly right, from the contract: the right names with strange values."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from hypothesis import strategies as st

from qupia.contract.v1 import contract_pb2
from services.chassis.contract import Method, is_map, load_contract, text_rule

_Form = contract_pb2.TextRule
_MOST_DEPTH = 4
_VALID: dict[int, Sequence[str]] = {
    _Form.TEXT: ["Нұрсұлтан", "+77011234567", "a@example.kz", "KZ"],
    _Form.SUBJECT_ID: ["0" * 32, "f" * 32],
    _Form.UUID: ["00000000-0000-0000-0000-000000000000", "01890a5d-ac96-774b-bcce-b302099a8057"],
    _Form.ORDER_ID: ["A-1", "."],
    _Form.CODE: ["NEWS", "181140010008"],
    _Form.LANGUAGE: ["kk", "ru", "en"],
    _Form.DATE: ["2026-11-23", "0001-01-01", "9999-12-31", "2026-02-30"],
    _Form.FIELD_NAME: ["phone", "address.postalCode"],
    _Form.REFERENCE: ["A-1", "a/b:c"],
    _Form.PAGE_TOKEN: ["AAAA", "e30"],
}
_STRANGE_TEXTS = [
    "",
    " ",
    "x" * 300,
    "ұ" * 30_000,
    "\0",
    "\ud800",
    "\U0001f5ff",
    "a\u0301\u202e",
    "'; DROP TABLE data; --",
    "${jndi:ldap://x}",
    "../../etc/passwd",
    "%00",
    "null",
]
_TIMES = [
    "2026-11-23T10:00:00Z",
    "2099-12-31T23:59:59.999999999+14:00",
    "1900-01-01T00:00:00Z",
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59Z",
    "2026-02-30T10:00:00Z",
    "2026-11-23T25:00:00Z",
    "2026-11-23",
    "now",
]
_NUMBERS = [0, 1, -1, 2**31 - 1, -(2**31), 2**31, 10**30, 1.5, 1e308, True, "1", "-0"]
_OTHERS: list[Any] = [None, True, 0, -1.5, "", [], {}, [[]], {"": ""}, [None], "9" * 400]


@dataclass(frozen=True)
class Nonsense:
    """One request. `url` holds raw values of the path's variables."""

    method: Method
    caller: str
    body: Any
    url: str
    query: str
    headers: dict[str, str]


def _field(field: FieldDescriptor, known: Sequence[str], depth: int) -> st.SearchStrategy[Any]:
    if is_map(field):
        values = st.one_of(st.none(), st.sampled_from(_STRANGE_TEXTS), st.text(max_size=9))
        names = st.sampled_from(["loyaltyCard", "shoeSize", "", "a.b", "x" * 50, "\0"])
        return st.one_of(st.dictionaries(names, values), st.sampled_from(_OTHERS))
    if field.message_type is not None:
        if field.message_type.full_name == "google.protobuf.Timestamp":
            usual: st.SearchStrategy[Any] = st.sampled_from(_TIMES)
        else:
            usual = _message(field.message_type, known, depth + 1)
    elif field.enum_type is not None:
        usual = st.sampled_from([*field.enum_type.values_by_name, "NOPE", "", 0, 1, 9999])
    elif field.type in (FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_BYTES):
        valid = _VALID.get(text_rule(field).form, [])
        usual = st.one_of(
            st.sampled_from([*known, *valid]), st.sampled_from(_STRANGE_TEXTS), st.text(max_size=9)
        )
    else:
        usual = st.sampled_from(_NUMBERS)
    if field.is_repeated:
        usual = st.one_of(st.lists(usual, max_size=4), usual)
    # Mostly of the right kind: what is refused at the door tries nothing behind it.
    return st.one_of(usual, usual, usual, st.sampled_from(_OTHERS))


def _message(
    descriptor: Descriptor, known: Sequence[str], depth: int
) -> st.SearchStrategy[dict[str, Any]]:
    if depth > _MOST_DEPTH:
        return st.just({})
    fields = {f.json_name: _field(f, known, depth) for f in descriptor.fields}
    whole = st.fixed_dictionaries({}, optional=fields)
    strange = st.dictionaries(st.sampled_from(["x", "__proto__", "subject_id"]), st.just(1))
    return st.one_of(whole, whole, whole, st.tuples(whole, strange).map(lambda p: p[0] | p[1]))


@st.composite
def nonsense(draw: st.DrawFn, callers: Sequence[str], known: Sequence[str]) -> Nonsense:
    """A request of any route by any caller; `known` are ids of things that are there."""
    routed = [m for m in load_contract().methods.values() if m.http]
    method = draw(st.sampled_from(routed))
    assert method.http is not None
    url = method.http.path
    for variable in [part.split("}")[0] for part in url.split("{")[1:]]:
        values = [*known, "NEWS", "1", "0", "-1", "%00", "%D2%B1", "a%2Fb", "..", "x" * 200]
        url = url.replace("{" + variable + "}", draw(st.sampled_from(values)))
    queries = ["", "", "pageSize=-1", "pageSize=9999999999", "pageToken=AAAA", "x=1", "%ff", "&&=="]
    times = ["atTime=2026-11-23T10:00:00Z", "atTime=", "state=RECEIVED", "dueBefore=2026-02-30"]
    body = draw(st.one_of(_message(method.input, known, 0), st.sampled_from(_OTHERS)))
    headers = {}
    if draw(st.booleans()):
        headers["Idempotency-Key"] = draw(st.sampled_from(["k", '"k"', '"', "k" * 200]))
    if draw(st.integers(0, 4)) == 0:
        headers["If-Match"] = draw(st.sampled_from(['"1"', "*", '"99999999999"', "1", 'W/"1"']))
    return Nonsense(
        method,
        draw(st.sampled_from(callers)),
        body if method.http.body else None,
        url,
        draw(st.sampled_from([*queries, *times])),
        headers,
    )

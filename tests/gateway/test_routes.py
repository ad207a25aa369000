# SPDX-License-Identifier: Apache-2.0
"""Paths are matched as sent, segment by segment, against the contract's templates."""

from dataclasses import replace

import pytest

from gateway.routes import MethodNotAllowed, Routes, read_template
from services.chassis.contract import ContractError, Method, Route, load_contract
from services.chassis.refusal import Malformed, NotFound

SUBJECT = "0123456789abcdef0123456789abcdef"


@pytest.fixture(scope="module")
def routes() -> Routes:
    return Routes(m for m in load_contract().methods.values() if m.http)


def _some_method(verb: str, path: str) -> Method:
    method = next(iter(load_contract().methods.values()))
    return replace(method, http=Route(verb, path, body=verb != "GET"))


def test_every_route_of_the_contract_finds_its_rpc(routes: Routes) -> None:
    for method in load_contract().methods.values():
        if method.http is None:
            continue
        template = read_template(method.http.path)
        parts = [s or f"v{i}" for i, s in enumerate(template.segments)]
        path = "/" + "/".join(parts) + (f":{template.verb}" if template.verb else "")
        match = routes.find(method.http.verb, path.encode())
        assert match.method is method
        values = [f"v{i}" for i, s in enumerate(template.segments) if s is None]
        assert match.values == dict(zip(template.fields, values, strict=True))


@pytest.mark.parametrize(
    ("path", "name", "values"),
    [
        ("/v1/policies:inForce", "GetPolicyInForce", {}),
        ("/v1/policies/3", "GetPolicy", {"version": "3"}),
        ("/v1/orders/A%2E1", "GetOrder", {"order_id": "A.1"}),
        ("/v1/orders/A%3Aassign", "GetOrder", {"order_id": "A:assign"}),
        ("/v1/orders/%D3%98", "GetOrder", {"order_id": "Ә"}),
        ("/v1/orders/..", "GetOrder", {"order_id": ".."}),
        ("/v1/orders/%2e%2e", "GetOrder", {"order_id": ".."}),
    ],
)
def test_a_segment_is_decoded_after_it_was_cut(
    routes: Routes, path: str, name: str, values: dict[str, str]
) -> None:
    match = routes.find("GET", path.encode())
    assert (match.method.name, dict(match.values)) == (name, values)


@pytest.mark.parametrize(
    "path",
    [
        "/v1/orders/A%2FB",
        "/v1/orders/A%2fB",
        "/v1/orders/",
        "/v1//orders/A",
        "/v1/orders/A/",
        "/v1/orders/A:",
        "/v1/orders/A:b",
        "/v1/orders/A:b:c",
        "/v1/Orders/A",
        "/v1/ord%65rs/A",
        "v1/orders/A",
        "//v1/orders/A",
        "",
        "/",
        "*",
        "/v1/orders\xff/A",
    ],
)
def test_what_is_no_route_is_not_found(routes: Routes, path: str) -> None:
    with pytest.raises(NotFound):
        routes.find("GET", path.encode("latin-1"))


@pytest.mark.parametrize(
    "path", ["/v1/orders/%", "/v1/orders/%4", "/v1/orders/%zz", "/v1/orders/%ff"]
)
def test_what_is_not_percent_encoded_utf8_is_malformed(routes: Routes, path: str) -> None:
    with pytest.raises(Malformed):
        routes.find("GET", path.encode())


def test_another_method_learns_which_are_allowed(routes: Routes) -> None:
    with pytest.raises(MethodNotAllowed) as refused:
        routes.find("PUT", f"/v1/subjects/{SUBJECT}/data".encode())
    assert refused.value.allowed == ("PATCH",)
    assert refused.value.template == "/v1/subjects/{subject_id}/data"


@pytest.mark.parametrize(
    "path",
    [
        "/v1/{a=**}",
        "/v1/{a=x/*}",
        "/v1/a/*",
        "/v2/a",
        "/v1/a/{b}{c}",
        "/v1/a/x{b}",
        "/v1/a/{b.c}",
        "/v1/{a}/{a}",
        "/v1/a:b:c",
        "/v1/",
        "v1/a",
        "/v1/a?b",
    ],
)
def test_a_template_outside_the_dialect_stops_the_start(path: str) -> None:
    with pytest.raises(ContractError):
        read_template(path)


@pytest.mark.parametrize(
    ("one", "other"),
    [("/v1/a/{b}", "/v1/a/{c}"), ("/v1/a/{b}", "/v1/a/c"), ("/v1/{a}/b", "/v1/c/{d}")],
)
def test_overlapping_routes_stop_the_start(one: str, other: str) -> None:
    with pytest.raises(ContractError, match="overlap"):
        Routes([_some_method("GET", one), _some_method("GET", other)])


def test_an_unknown_http_method_stops_the_start() -> None:
    with pytest.raises(ContractError):
        Routes([_some_method("TRACE", "/v1/a")])

# SPDX-License-Identifier: Apache-2.0
"""Who is calling is read from the credential alone; nothing else a client sends goes on."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from gateway.credential import digest, has_key_form, new_key
from qupia.contract.v1 import contract_pb2

Ask = Callable[..., httpx.Response]
RECIPIENT_KEY = "qk_" + "R" * 43
TOKEN = "eyJhbGciOiJFZDI1NTE5In0.eyJzdWIiOiJvZmZpY2VyIn0.c2ln"


def test_a_key_is_forwarded_as_its_holder_and_never_itself(ask: Ask, services: Any) -> None:
    assert ask("GET", "/v1/recipients").is_success
    assert set(services.metadata) == {"qupia-principal-bin", "qupia-reference"}
    forwarded = services.metadata["qupia-principal-bin"]
    assert contract_pb2.Principal.FromString(forwarded) == contract_pb2.Principal(
        principal_id="shop-web",
        site_id="demo",
        role=contract_pb2.Caller.STOREFRONT,
        purposes=["NEWS", "ACCOUNT"],
    )


def test_a_recipients_key_names_its_recipient(ask: Ask, services: Any) -> None:
    assert ask("GET", "/v1/deliveries", key=RECIPIENT_KEY).is_success
    principal = contract_pb2.Principal.FromString(services.metadata["qupia-principal-bin"])
    assert principal.role == contract_pb2.Caller.RECIPIENT
    assert principal.recipient_id == "01890000-0000-7000-8000-000000000001"


def test_a_persons_token_travels_unchanged_with_the_site_it_names(ask: Ask, services: Any) -> None:
    assert ask("GET", "/v1/claims", key=TOKEN).is_success
    assert services.metadata == {
        "authorization": f"Bearer {TOKEN}",
        "qupia-reference": services.metadata["qupia-reference"],
    }
    assert ask("GET", "/v1/claims", key=TOKEN, headers={"Qupia-Site": "other"}).is_success
    assert services.metadata["qupia-site"] == "other"


@pytest.mark.parametrize(
    "name",
    [
        "X-Forwarded-For",
        "X-Forwarded-User",
        "Forwarded",
        "X-Role",
        "X-Request-Id",
        "Qupia-Principal-Bin",
        "Qupia-Reference",
        "Qupia-Purpose",
        "Grpc-Metadata-Qupia-Principal-Bin",
        "Grpc-Timeout",
        "Cookie",
        "Via",
    ],
)
def test_no_other_header_reaches_a_service(ask: Ask, services: Any, name: str) -> None:
    answer = ask("GET", "/v1/recipients", headers={name: "forged-value"})
    assert answer.is_success
    assert set(services.metadata) == {"qupia-principal-bin", "qupia-reference"}
    assert "forged" not in str(services.metadata) + str(answer.headers)


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Basic dXNlcjpwYXNz",
        "Bearer a b",
        "Bearer " + "x" * 9000,
        "Bearer токен".encode(),
        "Bearer qk_" + "X" * 43,
        "Bearer qk_short",
        "Bearer qk_",
    ],
)
def test_without_a_valid_credential_everyone_hears_the_same(
    ask: Ask, services: Any, authorization: str | bytes | None
) -> None:
    headers = {} if authorization is None else {"Authorization": authorization}
    answer = ask("GET", "/v1/claims", key=None, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (401, "UNAUTHENTICATED")
    assert answer.headers["www-authenticate"] == 'Bearer realm="qupia"'
    assert services.asked == []


def test_a_stranger_cannot_send_a_body(ask: Ask, services: Any) -> None:
    answer = ask("PATCH", "/v1/subjects/x/data", key="qk_no", content=b"{" * 100)
    assert answer.status_code == 401
    assert services.asked == []


def test_two_credentials_are_refused(ask: Ask, services: Any) -> None:
    headers = [("Authorization", f"Bearer {TOKEN}"), ("Authorization", f"Bearer {RECIPIENT_KEY}")]
    assert ask("GET", "/v1/claims", key=None, headers=headers).status_code == 400
    assert services.asked == []


def test_a_key_opens_its_own_site_only(ask: Ask, services: Any) -> None:
    assert ask("GET", "/v1/recipients", headers={"Qupia-Site": "demo"}).is_success
    answer = ask("GET", "/v1/recipients", headers={"Qupia-Site": "other"})
    assert (answer.status_code, answer.json()["code"]) == (403, "PERMISSION_DENIED")
    assert len(services.asked) == 1


def test_keys_are_256_random_bits_of_one_form() -> None:
    keys = {new_key() for _ in range(1000)}
    assert len(keys) == 1000
    assert all(has_key_form(key) for key in keys)
    assert all(len(digest(key)) == 32 for key in keys)

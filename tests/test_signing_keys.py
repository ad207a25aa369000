# SPDX-License-Identifier: Apache-2.0
"""What a service signs anybody can verify: its public keys are open to all, in one form."""

from base64 import urlsafe_b64decode
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from services.chassis.signing import key_id_of
from tests.harness.suite import Suite

SERVICES = ("claims", "disclosure", "vault")


def _published(suite: Suite, service: str) -> dict[str, Any]:
    answer = httpx.get(f"{suite.gateway}/v1/signing-keys/{service}", trust_env=False)
    assert answer.status_code == 200
    key: dict[str, Any] = answer.json()["keys"][0]
    return key


@pytest.mark.parametrize("service", SERVICES)
def test_anybody_gets_a_services_public_keys_in_one_form(suite: Suite, service: str) -> None:
    key = _published(suite, service)
    assert (key["kty"], key["crv"]) == ("OKP", "Ed25519")
    public = urlsafe_b64decode(key["x"] + "=")
    assert key["kid"] == key_id_of(public)
    read = load_pem_public_key(key["pem"].encode())
    assert isinstance(read, Ed25519PublicKey)
    assert read.public_bytes_raw() == public


def test_every_service_signs_with_a_key_of_its_own(suite: Suite) -> None:
    assert len({_published(suite, service)["x"] for service in SERVICES}) == len(SERVICES)

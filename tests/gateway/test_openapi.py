# SPDX-License-Identifier: Apache-2.0
"""The OpenAPI document is valid, whole, and made of the contract alone."""

from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from gateway.comments import default_path, read_comments
from gateway.openapi import make_openapi
from services.chassis.contract import load_contract, reasons


@pytest.fixture(scope="module")
def document() -> Any:
    return make_openapi(load_contract(), read_comments(default_path()))


def _operation(document: Any, name: str) -> Any:
    operations = [o for path in document["paths"].values() for o in path.values()]
    return next(o for o in operations if o["operationId"] == name)


def test_it_is_valid_openapi_3_1(document: Any) -> None:
    OpenAPIV31SpecValidator(document).validate()


def test_every_route_is_described_with_its_rule(document: Any) -> None:
    described = {o.get("x-qupia-rpc"): o for p in document["paths"].values() for o in p.values()}
    for method in load_contract().methods.values():
        assert (method.path in described) == (method.http is not None)
        if method.http is not None:
            operation = described[method.path]
            assert operation["x-qupia-evidence"] == method.evidence
            assert operation["x-qupia-clauses"] == list(method.clauses)
            anyone = ["anyone" if method.anyone else "any"]
            assert operation["x-qupia-roles"] == sorted(method.roles or anyone)
            assert (operation.get("security") == []) == method.anyone
            assert operation["summary"].endswith(".")


def test_a_body_holds_neither_path_nor_headers(document: Any) -> None:
    schemas = document["components"]["schemas"]
    body = schemas["vault.StoreDataBody"]
    assert set(body["properties"]) == {"data", "form", "supplier"}
    assert body["required"] == ["data"]
    assert body["additionalProperties"] is False
    content = _operation(document, "vault_StoreData")["requestBody"]["content"]
    assert set(content) == {"application/json", "application/merge-patch+json"}
    assert "subjectId" in schemas["vault.ReadDataRequest"]["required"], "in a batch it is no path"
    assert "subjectId" not in schemas["vault.ReadDataBody"]["properties"]


def test_a_patch_takes_null_and_a_post_does_not(document: Any) -> None:
    schemas = document["components"]["schemas"]
    patch = schemas["subject.PersonalDataPatch"]["properties"]
    assert {"type": "null"} in patch["phone"]["anyOf"]
    assert {"$ref": "#/components/schemas/subject.AddressPatch"} in patch["address"]["anyOf"]
    phone = schemas["subject.PersonalData"]["properties"]["phone"]
    assert phone["maxLength"] == 40
    assert phone["x-qupia-personal"] is True


def test_enums_are_named_without_the_zero_value(document: Any) -> None:
    purposes = document["components"]["schemas"]["subject.Purpose.Code"]["enum"]
    assert purposes[0] == "IDENTIFY_FOR_ORDER"
    assert not [p for p in purposes if p.endswith("UNSPECIFIED")]
    assert document["components"]["schemas"]["Problem"]["properties"]["code"]["enum"] == list(
        reasons()
    )


def test_what_a_caller_may_send_and_get_is_in_the_responses(document: Any) -> None:
    claim = _operation(document, "claims_FileClaim")
    assert "Location" in claim["responses"]["202"]["headers"]
    assert {"$ref": "#/components/parameters/idempotencyKey"} in claim["parameters"]
    store = _operation(document, "vault_StoreData")
    assert {"$ref": "#/components/parameters/ifMatch"} in store["parameters"]
    assert "ETag" in store["responses"]["200"]["headers"]
    read = _operation(document, "vault_ReadData")
    assert {"$ref": "#/components/parameters/idempotencyKey"} not in read["parameters"]
    recipient = document["components"]["schemas"]["disclosure.Recipient"]
    assert recipient["properties"]["recipientId"]["readOnly"] is True
    assert "recipientId" not in recipient["required"]

# SPDX-License-Identifier: Apache-2.0
"""The OpenAPI 3.1 document, made from the contract."""

import re
from collections.abc import Mapping
from typing import Any

from gateway.exchange import MERGE_PATCH
from gateway.plan import IF_VERSION, REQUEST_ID, UPDATE_MASK, FieldPlan, plan
from gateway.problem import PROBLEM_TYPE
from gateway.routes import read_template
from gateway.schema import REFERENCE, Schemas
from services.chassis.contract import Contract, Method, reasons

Document = dict[str, Any]
VERSION = "1.0.0"
"""Of the API, not of the software: v1 of every path."""
_VARIABLE = re.compile(r"\{([a-z_]+)\}")
_BY_HEADER = (REQUEST_ID, IF_VERSION, UPDATE_MASK)
_TEXT: Document = {"type": "string"}
_PROBLEM = "Problem"


def make_openapi(contract: Contract, comments: Mapping[str, str]) -> Document:
    """The document of every RPC that has an HTTP route."""
    methods = [m for m in contract.methods.values() if m.http is not None]
    sent = [m.output for m in methods if m.media_type is None]
    schemas = Schemas(comments, [m.input for m in methods], sent)
    paths: Document = {"/healthz": _health_path()}
    for method in methods:
        assert method.http is not None
        path = _json_names(method.http.path, method)
        paths.setdefault(path, {})[method.http.verb.lower()] = _operation(method, schemas, comments)
    schemas.components[_PROBLEM] = _problem_schema()
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Qupia",
            "version": VERSION,
            "summary": "A privacy policy as a system that cannot break it.",
            "description": _ABOUT,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{"bearer": []}],
        "tags": [{"name": name} for name in sorted({m.process for m in methods})],
        "paths": paths,
        "components": {
            "schemas": dict(sorted(schemas.components.items())),
            "parameters": _PARAMETERS,
            "headers": _HEADERS,
            "responses": {str(status): _problem(status) for status in sorted(_statuses())},
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "An API key (qk_…), a person's signed token (JWT), or the "
                    "session (qs_…) of a person concerned.",
                }
            },
        },
    }


def json_path(method: Method) -> str:
    """The route with the JSON names of its variables, such as /v1/claims/{claimId}."""
    assert method.http is not None
    return _json_names(method.http.path, method)


def _json_names(path: str, method: Method) -> str:
    return _VARIABLE.sub(lambda m: f"{{{method.input.fields_by_name[m[1]].json_name}}}", path)


def body_fields(method: Method) -> list[FieldPlan]:
    """The fields that stand in the body, or in the query where there is no body."""
    assert method.http is not None
    path = read_template(method.http.path).fields
    return [
        f for f in plan(method.input).values() if f.name not in path and f.name not in _BY_HEADER
    ]


def _operation(method: Method, schemas: Schemas, comments: Mapping[str, str]) -> Document:
    assert method.http is not None
    name = f"{method.service}.{method.name}"
    operation: Document = {
        "operationId": f"{method.process}_{method.name}",
        "tags": [method.process],
        "summary": comments.get(name, method.name),
        "parameters": _parameters(method, schemas),
        "responses": _responses(method, schemas),
        "x-qupia-roles": _roles(method),
        "x-qupia-clauses": list(method.clauses),
        "x-qupia-evidence": method.evidence,
        "x-qupia-rpc": method.path,
    }
    if method.anyone:
        operation["security"] = []
    if method.http.body:
        patch = method.http.verb == "PATCH"
        schema = schemas.of_fields(method.input, body_fields(method), patch)
        # Not the message's own name: inside a batch it has the fields of the path too.
        body = f"{method.process}.{method.name}Body"
        schemas.components[body] = schema
        reference = {"$ref": REFERENCE + body}
        kinds = ["application/json"] + [MERGE_PATCH] * patch
        operation["requestBody"] = {
            "required": bool(schema.get("required")),
            "content": {kind: {"schema": reference} for kind in kinds},
        }
    return operation


def _roles(method: Method) -> list[str]:
    if method.anyone:
        return ["anyone"]
    return sorted(method.roles) if method.roles is not None else ["any"]


def _parameters(method: Method, schemas: Schemas) -> list[Document]:
    assert method.http is not None
    path = read_template(method.http.path).fields
    fields = {f.name: f for f in plan(method.input).values()}
    found = [_url_parameter(fields[name], "path", schemas) for name in path]
    if not method.http.body:
        found += [_url_parameter(f, "query", schemas) for f in body_fields(method)]
    names = ["site", "acceptLanguage"]
    names += ["idempotencyKey"] * (REQUEST_ID in fields) + ["ifMatch"] * (IF_VERSION in fields)
    return found + [{"$ref": f"#/components/parameters/{name}"} for name in names]


def _url_parameter(field: FieldPlan, place: str, schemas: Schemas) -> Document:
    schema = schemas.of_field(field)
    parameter: Document = {"name": field.json_name, "in": place, "schema": schema}
    if "description" in schema:
        parameter["description"] = schema.pop("description")
    if place == "path" or field.required:
        parameter["required"] = True
    return parameter


def _responses(method: Method, schemas: Schemas) -> Document:
    content = (
        {method.media_type: {"schema": {"type": "string", "format": "binary"}}}
        if method.media_type
        else {"application/json": {"schema": schemas.reference(method.output)}}
    )
    headers: Document = {"X-Request-Id": {"$ref": "#/components/headers/requestId"}}
    if method.media_type is None and "version" in method.output.fields_by_name:
        headers["ETag"] = {"$ref": "#/components/headers/etag"}
    responses: Document = {"200": {"description": "Done.", "headers": headers, "content": content}}
    if method.act_location:
        location = {"$ref": "#/components/headers/location"}
        responses["202"] = {
            "description": "Recorded, not yet in force: poll the act at Location.",
            "headers": {**headers, "Location": location},
            "content": content,
        }
    for status in sorted(_statuses()):
        responses[str(status)] = {"$ref": f"#/components/responses/{status}"}
    return responses


def _statuses() -> set[int]:
    return {rule.http_status for rule in reasons().values()} | {405, 408, 415}


def _problem(status: int) -> Document:
    codes = [r.reason for r in reasons().values() if r.http_status == status]
    headers: Document = {"X-Request-Id": {"$ref": "#/components/headers/requestId"}}
    if status in (429, 503):
        headers["Retry-After"] = {"$ref": "#/components/headers/retryAfter"}
    return {
        "description": "Refused: " + ", ".join(codes or [_GATEWAY_ONLY[status]]) + ".",
        "headers": headers,
        "content": {PROBLEM_TYPE: {"schema": {"$ref": REFERENCE + _PROBLEM}}},
    }


def _problem_schema() -> Document:
    fault = {
        "type": "object",
        "description": "A field at fault, by its JSON path; never its value.",
        "required": ["field", "code", "detail"],
        "properties": {"field": _TEXT, "code": _TEXT, "detail": _TEXT},
    }
    hold = {
        "type": "object",
        "description": "Something that holds; without `until`, somebody has to end it.",
        "required": ["kind", "id"],
        "properties": {
            "kind": _TEXT,
            "id": _TEXT,
            "until": {"type": "string", "format": "date-time"},
        },
    }
    return {
        "type": "object",
        "description": "RFC 9457. Decide by `code`; tolerate codes that you do not know.",
        "required": ["type", "title", "status", "detail", "code", "reference"],
        "properties": {
            "type": {"type": "string", "format": "uri-reference"},
            "title": {**_TEXT, "description": "In kk, ru or en, by Accept-Language."},
            "status": {"type": "integer"},
            "detail": _TEXT,
            "code": {"type": "string", "enum": list(reasons())},
            "clause": {**_TEXT, "description": "The clause of the policy that decided."},
            "reference": {**_TEXT, "description": "Finds the request in the log."},
            "errors": {"type": "array", "items": fault},
            "holds": {"type": "array", "items": hold},
        },
    }


def _health_path() -> Document:
    answer = {
        "type": "object",
        "required": ["status", "parts"],
        "properties": {
            "status": {"type": "string", "enum": ["SERVING", "NOT_SERVING"]},
            "parts": {"type": "object", "additionalProperties": {"type": "string"}},
        },
    }
    content = {"application/json": {"schema": answer}}
    return {
        "get": {
            "operationId": "healthz",
            "summary": "Whether every part serves.",
            "security": [],
            "responses": {
                "200": {"description": "Every part serves.", "content": content},
                "503": {"description": "A part does not serve.", "content": content},
            },
        }
    }


_GATEWAY_ONLY = {
    405: "UNIMPLEMENTED, the path takes other methods",
    408: "DEADLINE_EXCEEDED, the body came too slowly",
    415: "MALFORMED, the body is not JSON",
}
_PARAMETERS: Document = {
    "site": {
        "name": "Qupia-Site",
        "in": "header",
        "description": "The site, for a credential with grants on several.",
        "schema": {"type": "string", "pattern": "^[a-z0-9-]{1,32}$"},
    },
    "acceptLanguage": {
        "name": "Accept-Language",
        "in": "header",
        "description": "The language of problem titles: kk, ru or en.",
        "schema": _TEXT,
    },
    "idempotencyKey": {
        "name": "Idempotency-Key",
        "in": "header",
        "description": "Makes a repeat safe: the same key and body have one effect. A quoted "
        "string or the same without quotes; made by the gateway where absent.",
        "schema": {"type": "string", "maxLength": 258},
    },
    "ifMatch": {
        "name": "If-Match",
        "in": "header",
        "description": "The ETag of the version that the change builds on.",
        "schema": {"type": "string", "pattern": '^"[0-9]+"$'},
    },
}
_HEADERS: Document = {
    "requestId": {"description": "The reference of this request.", "schema": _TEXT},
    "etag": {"description": "The version of the subject's data.", "schema": _TEXT},
    "location": {"description": "Where to poll the act.", "schema": _TEXT},
    "retryAfter": {"description": "Seconds to wait.", "schema": {"type": "integer"}},
}
_ABOUT = (
    "Generated from the contract. Unknown members are refused in requests and are to be expected "
    "in answers, like unknown enum values. Lists page by pageSize and pageToken. A PATCH is a "
    "merge patch: null clears. Refusals are RFC 9457 problems."
)

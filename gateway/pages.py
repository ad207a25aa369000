# SPDX-License-Identifier: Apache-2.0
"""Documents that are made once at start and served to anyone."""

import hashlib
from collections.abc import Mapping

from gateway.answer import JSON_TYPE, Answer, encode
from gateway.app import Page
from gateway.docs import STYLE_DIGEST, Reference
from gateway.headers import Headers
from gateway.openapi import make_openapi
from gateway.problem import PROBLEM_PAGES
from services.chassis.contract import Contract, reasons

HTML = "text/html; charset=utf-8"
# Nothing is loaded and nothing runs; only the style that stands in the page itself.
_HTML_HEADERS = {
    "content-security-policy": f"default-src 'none'; style-src 'sha256-{STYLE_DIGEST}'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
}


def document(body: bytes, content_type: str, headers: Mapping[str, str] | None = None) -> Page:
    """A page that never changes while the process runs; 304 to a client that has it."""
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    fixed = {"cache-control": "no-cache", "etag": tag, **(headers or {})}
    whole = Answer(200, {"content-type": content_type, **fixed}, body)
    unchanged = Answer(304, fixed, b"")

    async def serve(request: Headers) -> Answer:
        known = request.one("If-None-Match") or ""
        return unchanged if tag in [t.strip() for t in known.split(",")] else whole

    return serve


def reference_pages(contract: Contract, comments: Mapping[str, str]) -> dict[str, Page]:
    """The pages that are made from the contract, by path."""
    reference = Reference(contract, comments)
    api = encode(make_openapi(contract, comments))
    pages = {"/openapi.json": document(api, JSON_TYPE), "/docs": _html(reference.api())}
    for rule in reasons().values():
        pages[PROBLEM_PAGES + rule.reason] = _html(reference.problem(rule))
    return pages


def _html(body: str) -> Page:
    return document(body.encode(), HTML, _HTML_HEADERS)

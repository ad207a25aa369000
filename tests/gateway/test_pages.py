# SPDX-License-Identifier: Apache-2.0
"""The pages for people load nothing, run nothing, and leave out no call and no refusal."""

import hashlib
import re
from base64 import b64encode
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import httpx
import pytest

from gateway.comments import default_path, explanations, read_comments
from gateway.openapi import json_path
from services.chassis.contract import ContractError, load_contract, reasons

Ask = Callable[..., httpx.Response]
_VOID = {"meta"}


class _Balance(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.ids += [v or "" for k, v in attrs if k == "id"]
        self.links += [v or "" for k, v in attrs if k in ("href", "src")]
        if tag not in _VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def _parsed(text: str) -> _Balance:
    parser = _Balance()
    parser.feed(text)
    assert parser.open == []
    assert len(parser.ids) == len(set(parser.ids))
    return parser


@pytest.mark.parametrize("path", ["/docs", "/problems/SUBJECT_BLOCKED"])
def test_a_page_needs_nothing_from_outside(ask: Ask, path: str) -> None:
    answer = ask("GET", path, key=None)
    assert answer.status_code == 200
    style = re.search(r"<style>(.*?)</style>", answer.text, re.DOTALL)
    assert style
    digest = b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    policy = answer.headers["content-security-policy"]
    assert policy.startswith(f"default-src 'none'; style-src 'sha256-{digest}';")
    page = _parsed(answer.text)
    assert not page.tags & {"script", "link", "img", "iframe", "form"}
    assert " style=" not in answer.text
    assert not [link for link in page.links if link.startswith(("http", "//"))]


def test_the_reference_shows_every_call_and_every_link_leads_somewhere(ask: Ask) -> None:
    answer = ask("GET", "/docs", key=None)
    page = _parsed(answer.text)
    for method in load_contract().methods.values():
        if method.http is not None:
            assert f"{method.http.verb} {json_path(method)}" in answer.text
    for link in page.links:
        if link.startswith("#"):
            assert link[1:] in page.ids, link
        else:
            assert ask("GET", link, key=None).status_code == 200, link
    for text in ("SUBJECT_BLOCKED", "postalCode", "Only where the identity document has one."):
        assert text in answer.text


def test_every_problem_type_has_its_page(ask: Ask) -> None:
    for rule in reasons().values():
        page = ask("GET", f"/problems/{rule.reason}", key=None)
        assert page.status_code == 200
        assert rule.titles["kk"].replace("'", "&#x27;") in page.text
    assert ask("GET", "/problems/NOTHING", key=None).status_code == 404


def test_a_client_that_has_the_document_is_told_so(ask: Ask) -> None:
    first = ask("GET", "/openapi.json", key=None)
    assert first.headers["content-type"] == "application/json"
    assert first.json()["openapi"].startswith("3.1")
    again = ask("GET", "/openapi.json", key=None, headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    head = ask("HEAD", "/openapi.json", key=None)
    assert head.content == b""
    assert int(head.headers["content-length"]) == len(first.content)


def test_every_call_field_and_reason_has_its_comment() -> None:
    comments = read_comments(default_path())
    for method in load_contract().methods.values():
        assert f"{method.service}.{method.name}" in comments
    assert set(explanations(comments)) == set(reasons())


def test_a_missing_or_damaged_descriptor_set_stops_the_start(tmp_path: Path) -> None:
    for content in (None, b"\xff\xff", b""):
        path = tmp_path / "descriptors.binpb"
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(ContractError, match="make proto"):
            read_comments(path)
    with pytest.raises(ContractError):
        explanations({})

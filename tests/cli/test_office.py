# SPDX-License-Identifier: Apache-2.0
"""The client that officers' commands stand on: where it calls, what it says, how it ends."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import typer
from rich.console import Console
from rich.text import Text

from cli.exit_codes import MEANINGS
from cli.office import Office, Problem, Unanswered
from cli.office_command import at_office, exit_code, said, warn_if_pending
from cli.office_place import Place, find_place
from cli.settings import run_settings
from cli.terminal import Terminal
from services.chassis.config import ConfigError
from services.chassis.start_error import StartError
from tests.harness.suite import Suite


class _Gateway(HTTPServer):
    """Answers every call alike and remembers what was asked; for what no suite does on demand."""

    def __init__(self, status: int, document: object, headers: dict[str, str]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer = (status, json.dumps(document).encode(), headers)
        self.asked: list[tuple[str, str, dict[str, str]]] = []
        self.bodies: list[bytes] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: _Gateway

    def do_GET(self) -> None:
        self.server.asked.append((self.command, self.path, dict(self.headers)))
        self.server.bodies.append(self.rfile.read(int(self.headers.get("Content-Length", 0))))
        status, content, headers = self.server.answer
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_POST = do_GET  # noqa: N815 - the name is the library's

    def log_message(self, *_: Any) -> None:
        """Nothing on stderr."""


@contextmanager
def gateway(
    status: int = 200, document: object = None, headers: dict[str, str] | None = None
) -> Iterator[_Gateway]:
    with _Gateway(status, {} if document is None else document, headers or {}) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


# -- where it calls -------------------------------------------------------------------------


def test_the_token_is_that_of_the_suite_by_its_callers_name(suite: Suite) -> None:
    place = find_place("privacyOfficer", environ={"QUPIA_HOME": str(suite.home)})
    assert place.gateway == suite.gateway
    assert place.token == suite.credentials["privacyOfficer"]["token"]
    other = find_place("privacyOfficer", "auditor", {"QUPIA_HOME": str(suite.home)})
    assert other.token == suite.credentials["auditor"]["token"]


def test_the_environment_goes_before_the_suite(suite: Suite, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("secret-token\n")
    named = {"QUPIA_GATEWAY": "https://q.example.kz/", "QUPIA_HOME": str(suite.home)}
    place = find_place("privacyOfficer", environ=named | {"QUPIA_TOKEN_FILE": str(file)})
    assert (place.gateway, place.token) == ("https://q.example.kz", "secret-token")
    assert "secret-token" not in repr(place)
    assert find_place("auditor", environ=named | {"QUPIA_TOKEN": "t"}).token == "t"


@pytest.mark.parametrize(
    ("environ", "told"),
    [
        ({"QUPIA_TOKEN": "t"}, "QUPIA_GATEWAY"),
        ({"QUPIA_GATEWAY": "https://q.example.kz"}, "QUPIA_TOKEN_FILE"),
        ({"QUPIA_GATEWAY": "http://q.example.kz", "QUPIA_TOKEN": "t"}, "in the clear"),
        ({"QUPIA_GATEWAY": "q.example.kz", "QUPIA_TOKEN": "t"}, "no URL"),
        ({"QUPIA_GATEWAY": "https://q.example.kz", "QUPIA_TOKEN": "two words"}, "one line"),
        ({"QUPIA_GATEWAY": "https://q.kz", "QUPIA_TOKEN_FILE": "/nowhere"}, "cannot be read"),
    ],
)
def test_half_an_environment_says_what_is_missing(environ: dict[str, str], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        find_place("privacyOfficer", environ=environ)


def test_without_a_suite_it_says_how_to_start_one(tmp_path: Path) -> None:
    with pytest.raises(StartError, match="qupia run"):
        find_place("privacyOfficer", environ={"QUPIA_HOME": str(tmp_path)})


def test_an_unknown_callers_name_is_told_with_those_there_are(suite: Suite) -> None:
    with pytest.raises(ConfigError, match="claimsOfficer"):
        find_place("privacyOfficer", "director", {"QUPIA_HOME": str(suite.home)})


def test_what_officers_set_is_no_fault_of_a_run() -> None:
    settings = run_settings({"QUPIA_GATEWAY": "https://q.example.kz", "QUPIA_TOKEN": "t"})
    assert settings.home == Path("var")


# -- what it asks ---------------------------------------------------------------------------


def test_a_call_that_changes_something_has_an_idempotency_key() -> None:
    with gateway() as server, Office(Place(server.url, "t", "shop", "kk")) as office:
        office.act("/v1/keys:rotate", {})
        office.act("/v1/keys:rotate", {}, request_id="mine")
        office.get("/v1/keys", {"kind": None, "all": True})
    (_, _, first), (_, _, second), (verb, path, third) = server.asked
    assert first["Idempotency-Key"] not in ("", "mine")
    assert second["Idempotency-Key"] == "mine"
    assert (verb, path) == ("GET", "/v1/keys?all=true")
    assert "Idempotency-Key" not in third
    assert (third["Qupia-Site"], third["Accept-Language"]) == ("shop", "kk")


def test_a_redirect_takes_the_token_nowhere() -> None:
    with (
        gateway() as elsewhere,
        gateway(307, headers={"Location": f"{elsewhere.url}/v1/keys"}) as server,
        Office(Place(server.url, "t")) as office,
        pytest.raises(Problem),
    ):
        office.get("/v1/keys")
    assert elsewhere.asked == []


def test_a_list_is_read_page_by_page(suite: Suite) -> None:
    place = find_place("auditor", environ={"QUPIA_HOME": str(suite.home)})
    with Office(place) as office:
        by_one = list(office.pages("/v1/recipients", "recipients", page_size=1))
        assert by_one == list(office.pages("/v1/recipients", "recipients"))
    assert len(by_one) >= 4


# -- what it says ---------------------------------------------------------------------------


def test_a_refusal_names_reason_clause_fields_and_reference(suite: Suite) -> None:
    place = find_place("privacyOfficer", environ={"QUPIA_HOME": str(suite.home)})
    with Office(place) as office, pytest.raises(Problem) as refused:
        office.act("/v1/policies", {"texts": []})
    lines = said(refused.value)
    assert "INVALID_ARGUMENT, clause 6.1.1" in lines
    assert "\n  texts: " in lines
    assert f"reference {refused.value.document['reference']}" in lines
    assert exit_code(refused.value) == 1


@pytest.mark.parametrize(
    ("status", "document", "code"),
    [
        (401, {"code": "UNAUTHENTICATED"}, 77),
        (403, {"code": "PERMISSION_DENIED"}, 77),
        (403, {"code": "CONSENT_REQUIRED"}, 1),
        (409, {"code": "STATE_CONFLICT"}, 1),
        (409, {"code": "IDEMPOTENCY_IN_PROGRESS"}, 75),
        (429, {"code": "OVERLOADED"}, 75),
        (503, {"code": "VAULT_NOT_READY"}, 75),
        (503, {"code": "UNAVAILABLE"}, 69),
        (502, {}, 69),
        (404, {}, 1),
    ],
)
def test_a_refusal_becomes_an_exit_code_with_a_meaning(
    status: int,
    document: dict[str, object],
    code: int,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("QUPIA_TOKEN", "t")
    with gateway(status, document, {"Retry-After": "7"}) as server:
        monkeypatch.setenv("QUPIA_GATEWAY", server.url)
        with (
            pytest.raises(typer.Exit) as ended,
            at_office("privacyOfficer", as_json=True) as (office, _),
        ):
            office.get("/v1/policies")
    assert ended.value.exit_code == code
    assert code in MEANINGS
    printed = capsys.readouterr()
    assert printed.out == ""
    assert json.loads(printed.err) == (document or {"status": status})


def test_who_is_not_answered_learns_how_to_repeat_it_safely(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with gateway() as server:
        url = server.url
    monkeypatch.setenv("QUPIA_GATEWAY", url)
    monkeypatch.setenv("QUPIA_TOKEN", "t")
    with pytest.raises(typer.Exit) as ended, at_office("privacyOfficer") as (office, _):
        office.act("/v1/policies", {}, request_id="key-1")
    assert ended.value.exit_code == 69
    assert "--request-id key-1" in capsys.readouterr().err
    with pytest.raises(Unanswered), Office(Place(url, "t")) as office:
        office.get("/v1/policies")


def test_an_act_that_is_not_yet_in_force_ends_with_75() -> None:
    err = StringIO()
    terminal = Terminal(err=Console(file=err))
    with (
        gateway(202, {"actId": "a"}, {"Location": "/v1/acts/consent/a"}) as server,
        Office(Place(server.url, "t")) as office,
        pytest.raises(typer.Exit) as ended,
    ):
        warn_if_pending(office.act("/v1/policies", {}), terminal)
    assert ended.value.exit_code == 75
    assert "/v1/acts/consent/a" in err.getvalue()


def test_a_table_fits_the_terminal_and_breaks_no_id_in_a_pipe() -> None:
    long = "0123456789abcdef" * 8
    narrow, piped = StringIO(), StringIO()
    for console in (
        Console(file=narrow, force_terminal=True, width=60, no_color=True),
        Console(file=piped, width=60),
    ):
        Terminal(out=console).table({}, ("id", "rows#"), [(long, 7)])
    lines = [Text.from_ansi(line).plain for line in narrow.getvalue().splitlines()]
    assert max(len(line) for line in lines) <= 60
    assert "".join(line.split()[0] for line in lines[1:]) == long
    assert long in piped.getvalue()


def test_progress_is_shown_on_a_terminal_only() -> None:
    for terminal_like, as_json, shown in ((True, False, True), (True, True, False)):
        err = StringIO()
        console = Console(file=err, force_terminal=terminal_like, width=80)
        with Terminal(as_json=as_json, err=console).progress("rewrapping", 10) as bar:
            bar.at(5)
        assert ("rewrapping" in err.getvalue()) is shown
    err = StringIO()
    with Terminal(err=Console(file=err)).progress("rewrapping", 10) as bar:
        bar.at(5, 20, "still")
    assert err.getvalue() == ""

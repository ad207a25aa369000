# SPDX-License-Identifier: Apache-2.0
"""`qupia fsck` as a command: on a running suite, on a stopped one, and where it cannot run."""

import io
from pathlib import Path
from typing import Any, cast

import pytest
from rich.console import Console
from sqlalchemy import delete

from cli.consistency.checks import all_checks
from cli.consistency.fault import Fault
from cli.consistency.records import open_records
from cli.consistency.store_snapshot import CannotRead
from cli.fsck import COULD_NOT_RUN, fsck
from services.chassis.calendar import load_calendar
from services.vault.tables import subjects
from tests.fsck.books import Books
from tests.fsck.conftest import Inspected

pytestmark = pytest.mark.long


def _page() -> Console:
    return Console(width=500, file=io.StringIO())


def _text(page: Console) -> str:
    assert isinstance(page.file, io.StringIO)
    return page.file.getvalue()


def test_all_holds_in_a_running_suite(inspected: Inspected) -> None:
    assert inspected.running.code == 0, inspected.running.out
    assert "All holds" in inspected.running.out
    for check in all_checks(load_calendar(None)):
        assert f" {check.name} " in inspected.running.out, "a name fills its column"


def test_json_tells_every_check_and_how_much_was_read(inspected: Inspected) -> None:
    document = inspected.running_json.document
    assert inspected.running_json.code == 0
    assert document["clean"] is True
    assert document["first"] is None
    assert document["rowsRead"] > 500
    every = [check.name for check in all_checks(load_calendar(None))]
    assert [check["check"] for check in document["checks"]] == every
    assert all(check["faults"] == [] for check in document["checks"])


def test_what_changes_under_ones_eyes_is_no_fault(inspected: Inspected) -> None:
    assert inspected.busy.code == 0, inspected.busy.out


def test_what_is_pending_is_no_fault(inspected: Inspected) -> None:
    assert inspected.pending.code == 0, inspected.pending.out


def test_all_holds_in_a_stopped_suite(inspected: Inspected) -> None:
    assert inspected.stopped.code == 0, inspected.stopped.out + inspected.stopped.err


def test_what_is_tampered_with_later_is_whole_before(books: Books) -> None:
    inspection = books.inspect(books.urls())
    found = [str(fault) for each in inspection.outcomes for fault in each.faults + each.warnings]
    assert found == []


def _environ(books: Books, urls: dict[str, str]) -> dict[str, str]:
    variables = {
        "consent": "QUPIA_CONSENT_DATABASE_URL",
        "vault": "QUPIA_VAULT_DATABASE_URL",
        "keystore": "QUPIA_VAULT_KEY_STORE_URL",
        "disclosure": "QUPIA_DISCLOSURE_DATABASE_URL",
        "claims": "QUPIA_CLAIMS_DATABASE_URL",
        "gateway": "QUPIA_GATEWAY_DATABASE_URL",
    }
    return {
        "QUPIA_VAULT_KEY_FILE": str(books.key_file),
        **{variables[name]: url for name, url in urls.items()},
    }


def test_a_tampered_copy_ends_with_exit_code_1_and_names_the_first_fault(books: Books) -> None:
    statement = "UPDATE data SET ciphertext = '\\x00'::bytea WHERE field = 'email'"
    out = _page()
    with books.tampered("vault", statement) as urls:
        code = fsck(environ=_environ(books, urls), out=out, err=_page())
    told = _text(out)
    assert code == 1
    assert "First fault, of ciphertexts: vault.data (site_id=demo, subject_id=" in told
    assert "field=email): the ciphertext does not open in this place" in told


def test_first_stops_at_the_first_check_that_finds_a_fault(books: Books) -> None:
    out = _page()
    with books.tampered("consent", "UPDATE policy_texts SET body = body || '!'") as urls:
        environ = _environ(books, urls)
        assert fsck(only_first=True, environ=environ, out=out, err=_page()) == 1
    told = _text(out)
    assert told.count("✗") == 1
    assert "ciphertexts" not in told


def test_the_inspection_can_write_nothing(books: Books) -> None:
    with (
        books.tampered("vault", "SELECT 1") as urls,
        open_records(urls, books.key_file, lambda _rows: None) as records,
        pytest.raises(CannotRead, match="25006"),
    ):
        records.vault.one(cast("Any", delete(subjects)))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            {"QUPIA_VAULT_KEY_FILE": "/nowhere/vault.json"},
            "key file /nowhere/vault.json is missing",
        ),
        ({"QUPIA_CONSENT_DATABASE_URL": "sqlite://"}, "the database consent has to be PostgreSQL"),
        ({"QUPIA_CONSENT_DATABASE_URL": "none"}, "the URL of the database consent is none"),
        (
            {"QUPIA_CLAIMS_DATABASE_URL": "postgresql://claims@/claims?host=/nowhere"},
            "the database claims cannot be read",
        ),
    ],
)
def test_what_cannot_be_read_is_said_and_ends_with_exit_code_2(
    books: Books, change: dict[str, str], told: str
) -> None:
    err = _page()
    environ = {**_environ(books, books.urls()), **change}
    assert fsck(environ=environ, out=_page(), err=err) == COULD_NOT_RUN
    assert told in _text(err)


@pytest.mark.parametrize("other", ["gateway", "disclosure"])
def test_another_services_database_is_not_taken_for_ones_own(books: Books, other: str) -> None:
    urls = books.urls()
    environ = _environ(books, urls | {"claims": urls[other]})
    err = _page()
    assert fsck(environ=environ, out=_page(), err=err) == COULD_NOT_RUN
    assert "the database claims cannot be read" in _text(err)


def test_an_empty_folder_holds_no_suite(tmp_path: Path) -> None:
    err = _page()
    environ = {"QUPIA_HOME": str(tmp_path)}
    assert fsck(environ=environ, out=_page(), err=err) == COULD_NOT_RUN
    assert "there is no suite in" in _text(err)


def test_a_fault_names_its_row_by_its_key() -> None:
    fault = Fault.of("vault", "data", "is wrong", site_id="demo", field="phone")
    assert str(fault) == "vault.data (site_id=demo, field=phone): is wrong"
    assert fault.document()["key"] == {"site_id": "demo", "field": "phone"}

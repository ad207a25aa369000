# SPDX-License-Identifier: Apache-2.0
"""The databases of a suite that has lived a little, and copies of them to tamper with."""

import io
import json
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import httpx
import psycopg
from psycopg import sql
from rich.console import Console

from cli.consistency.checks import all_checks
from cli.consistency.inspection import Inspection, Outcome, inspect
from cli.consistency.records import open_records
from cli.conversation import Answered, Conversation
from cli.databases import BOOKS
from cli.demo import STEPS
from cli.fsck import fsck
from cli.postgres import Cluster
from cli.story import Story
from services.chassis.calendar import load_calendar
from tests.harness.acts import granted
from tests.harness.contacts import new_phone
from tests.harness.suite import Suite
from tests.harness.waiting import awaited, wait_until
from tests.matrix.things import new_authority_request

ROOT = Path(__file__).parents[2]
COPY = "tampered_copy"
_RUN = "import sys; from cli.fsck import fsck; sys.exit(fsck())"


class Deaf:
    """Hears the story and the checks, and says nothing."""

    def exchanged(self, answered: Answered) -> None:
        """A request was answered."""

    def held(self, fact: str, clause: str) -> None:
        """A fact holds."""

    def begun(self, check: object) -> None:
        """A check begins."""

    def ended(self, outcome: Outcome) -> None:
        """A check has ended."""


def ask_by_law(suite: Suite, subject: str) -> None:
    """Requests of a state body: one picked up and repeated, one waiting for a second officer."""
    first, second = suite.as_("privacyOfficer"), suite.as_("secondPrivacyOfficer")
    body = {"authority": {"legalName": "Полиция", "bin": "000140002217"}}
    authority = granted(first.post("/v1/authorities", json=body))["authority"]["authorityId"]
    granted(second.post(f"/v1/authorities/{authority}:activate", json={}))
    form = new_authority_request(authority, subject)
    granted(first.post("/v1/authority-requests", json=form))
    made = granted(first.post("/v1/authority-requests", json=form))["request"]["requestId"]
    path = f"/v1/authority-requests/{made}"
    granted(second.post(f"{path}:approve", json={"categories": ["PHONE"]}))
    for why in ({}, {"repeated": True, "reason": "Жолда жоғалды."}):
        code = granted(second.post(f"{path}:release", json=why))["code"]
        asked = {"code": code, "bin": "000140002217"}
        package = httpx.post(f"{suite.gateway}/v1/authority-packages:pickUp", json=asked)
        assert package.status_code == 200, package.text


def register_incidents(suite: Suite, subject: str) -> None:
    """One incident with all its steps, closed; another whose notice is overdue."""
    officer = suite.as_("privacyOfficer")
    made = granted(officer.post("/v1/incidents", json=_incident_of()))
    path = f"/v1/incidents/{made['incident']['incidentId']}"
    assessed = {
        "cause": "EMPLOYEE_ERROR",
        "intent": "NOT_INTENTIONAL",
        "measures": "Жабылды.",
        "subjectIds": [subject],
    }
    granted(officer.post(f"{path}:assess", json=assessed))
    label = {"code": "UNAUTHORISED_ACCESS", "reference": "Полиция, № 17"}
    granted(officer.post(f"{path}/exemptions", json=label))
    dispatch = {"channel": "POST", "time": datetime.now(UTC).isoformat(), "proof": "№ 1"}
    for addressee in ("SUBJECTS", "AUTHORISED_BODY", "AUTHORISED_BODY"):
        body = {"addressee": addressee, "dispatch": dispatch}
        granted(officer.post(f"{path}/notices", json=body))
    granted(officer.post(f"{path}:close", json={"reason": "Бәрі айтылды."}))
    old = _incident_of(subject, detectTime=(datetime.now(UTC) - timedelta(days=20)).isoformat())
    late = granted(officer.post("/v1/incidents", json=old))["incident"]["incidentId"]
    wait_until(
        lambda: "overdueTime" in granted(officer.get(f"/v1/incidents/{late}"))["incident"],
        "nobody found that its notice is overdue",
    )


def _incident_of(*subjects: str, **more: object) -> dict[str, object]:
    incident = {
        "kind": "DISCLOSED",
        "cause": "UNDETERMINED",
        "intent": "UNKNOWN",
        "description": "Тізім ашық жатты.",
        "subjectIds": list(subjects),
        **more,
    }
    return {"incident": incident}


def own_view(suite: Suite, subject: str) -> None:
    """Codes that an officer hands over: one replaced, one tried too often, three redeemed. Of the
    sessions one ends by the next, one by its person, one stays."""
    officer, path = suite.as_("claimsOfficer"), f"/v1/subjects/{subject}"
    by = {"identification": {"method": "IDENTITY_DOCUMENT", "reference": "register:17"}}

    def handed() -> str:
        return str(granted(officer.post(f"{path}/access-codes", json=by))["code"])

    def tried(code: str) -> httpx.Response:
        return httpx.post(
            f"{suite.gateway}/v1/access-codes:redeem", json={"code": code}, timeout=20
        )

    handed()
    spent = handed()
    wrong = spent[:-1] + ("1" if spent[-1] == "0" else "0")
    for _ in range(5):
        assert tried(wrong).status_code == 401
    granted(tried(handed()))
    ending = {"Authorization": f"Bearer {granted(tried(handed()))['session']}"}
    granted(httpx.post(f"{suite.gateway}{path}/access-codes:end", json={}, headers=ending))
    granted(tried(handed()))
    handed()


def live(suite: Suite) -> None:
    """The whole story, and what it leaves out: open claims, disagreement, clearing, returning."""
    with Conversation(suite.gateway, suite.credentials) as conversation:
        story = Story(conversation, Deaf())
        for step in STEPS:
            step.tell(story)
    storefront = suite.as_("storefront")
    returning = suite.new_subject({"givenName": "Айгүл", "phone": new_phone()})
    path = f"/v1/subjects/{returning}"
    wording = {"language": "kk", "wording": "Жаңалықтарды алғым келеді"}
    for verb, body in (("grant", wording), ("withdraw", {}), ("grant", wording)):
        granted(storefront.post(f"{path}/consents/NEWS:{verb}", json=body))
    granted(
        storefront.patch(f"{path}/data", json={"data": {"phone": None, "email": "a@example.kz"}})
    )
    granted(storefront.post(f"{path}/policy:reject", json={}))
    granted(storefront.post(f"{path}/policy:accept", json={"language": "kk"}))
    granted(storefront.post(f"{path}/consents/NEWS:grant", json=wording))
    link(suite, returning)
    ask_by_law(suite, returning)
    register_incidents(suite, returning)
    own_view(suite, returning)
    visit = {"ip": "203.0.113.9", "cookie": "sid-1", "accessTime": datetime.now(UTC).isoformat()}
    visits = {"items": [{"subjectId": returning, "visit": visit}]}
    granted(storefront.post("/v1/visits", json=visits))
    line = {"title": "Кітап", "quantity": 1, "amount": "4990", "currency": "KZT"}
    purchase = {"purchase": {"orderId": "F-1", "lines": [line]}}
    granted(storefront.post(f"{path}/purchases", json=purchase))
    ordering = suite.new_subject({"givenName": "Дана", "phone": new_phone()})
    _order, delivery = suite.new_order(ordering)
    for _ in range(2):
        granted(suite.as_("courier").post(f"/v1/deliveries/{delivery}:release", json={}))
    told(suite)
    for how in ("destroy", "depersonalize"):
        leaving = suite.new_subject({"givenName": "Болат", "phone": new_phone()})
        granted(storefront.post(f"/v1/subjects/{leaving}/purchases", json=purchase))
        # Their names in what is told of the incident go with them.
        granted(suite.as_("privacyOfficer").post("/v1/incidents", json=_incident_of(leaving)))
        path = f"/v1/subjects/{leaving}:{how}"
        granted(suite.as_("privacyOfficer").post(path, json={"ground": "DEMAND"}))
    claiming = suite.new_subject({"familyName": "Өтегенов", "phone": new_phone()})
    suite.new_claim(claiming)
    suite.new_claim(claiming, kind="CONSUMER")
    claim_of_the_site(suite)
    granted(suite.as_("privacyOfficer").post("/v1/policies", json={"texts": [_TEXT]}))


def claim_of_the_site(suite: Suite) -> None:
    """The site claims, and its user has the claim a moment after it was recorded."""
    officer = suite.as_("claimsOfficer")
    claim = {
        "subjectIds": [suite.new_subject({"givenName": "Гүлнар"})],
        "kind": "OTHER",
        "claimant": "SITE",
        "statement": "Тапсырыс төленбеді.",
        "demand": "Төлеуді сұраймыз.",
        "language": "kk",
    }
    filed = granted(officer.post("/v1/claims", json={"claim": claim}))["claim"]["claimId"]
    received = {"receiptTime": datetime.now(UTC).isoformat(), "proof": "Хабарлама № 7"}
    granted(officer.post(f"/v1/claims/{filed}:recordReceipt", json=received))


def told(suite: Suite) -> None:
    """A courier who holds data of somebody blocked, and an open order with address and message."""
    holding = suite.new_subject({"givenName": "Марат", "phone": new_phone()})
    _order, delivery = suite.new_order(holding)
    granted(suite.as_("courier").post(f"/v1/deliveries/{delivery}:release", json={}))
    suite.new_claim(holding)
    courier = suite.as_("courier")
    found = awaited(
        lambda: courier.get("/v1/notices").json()["notices"] or None, "the courier was not told"
    )
    granted(courier.post(f"/v1/notices/{found[0]['noticeId']}:acknowledge", json={}))
    address = {"country": "KZ", "locality": "Алматы", "street": "Абай даңғылы", "house": "10"}
    ordering = suite.new_subject({"phone": new_phone(), "address": address})
    order = {
        "orderId": "F-2",
        "subjectId": ordering,
        "deliveryAddress": "SNAPSHOT",
        "messageText": "Курьер выехал",
    }
    granted(suite.as_("storefront").post("/v1/orders", json={"order": order}))


def link(suite: Suite, account: str) -> None:
    """A visitor linked to an account, and another whose link was wrong."""
    path = f"/v1/subjects/{account}"
    phones = new_phone(), new_phone()
    visitors = [suite.new_subject({"givenName": "Айгүл", "phone": each}) for each in phones]
    for visitor in visitors:
        granted(suite.as_("storefront").post(f"{path}:linkVisitor", json={"visitorId": visitor}))
    wrong = {"visitorId": visitors[0], "fault": "STOREFRONT_ERROR", "reference": "case-1"}
    granted(suite.as_("privacyOfficer").post(f"{path}:unlinkVisitor", json=wrong))


@contextmanager
def at_work(suite: Suite) -> Iterator[None]:
    """Within, people come, order, complain and go, without a pause."""
    done = threading.Event()

    def work() -> None:
        while not done.is_set():
            subject = suite.new_subject({"givenName": "Ерлан", "phone": new_phone()})
            order, delivery = suite.new_order(subject)
            granted(suite.as_("courier").post(f"/v1/deliveries/{delivery}:release", json={}))
            granted(suite.as_("storefront").post(f"/v1/orders/{order}:close", json={}))
            suite.new_claim(subject)

    with ThreadPoolExecutor(1) as pool:
        working = pool.submit(work)
        try:
            yield
        finally:
            done.set()
        # Whoever was refused says so: work that had ended would be no work.
        working.result()


@contextmanager
def pending_claim(suite: Suite) -> Iterator[None]:
    """Within, the vault is frozen and a claim waits to come into force; afterwards it has."""
    subject = suite.new_subject({"givenName": "Сәуле"})
    suite.stop_process("vault")
    claim = {
        "subjectIds": [subject],
        "kind": "UNLAWFUL_ACTS",
        "claimant": "SUBJECT",
        "statement": "Данные переданы третьим лицам.",
        "demand": "Прекратить.",
        "language": "ru",
    }
    filed = suite.as_("storefront").post("/v1/claims", json={"claim": claim})
    assert filed.status_code == 202, filed.text
    try:
        yield
    finally:
        suite.continue_process("vault")
    path = f"/v1/claims/{filed.json()['claim']['claimId']}"
    officer = suite.as_("claimsOfficer")
    wait_until(
        lambda: officer.get(path).json().get("claim", {}).get("enforcement") == "IN_FORCE",
        "the claim did not come into force",
    )


_TEXT = {"language": "ru", "title": "Вторая редакция", "body": "Всё остаётся как было."}


@dataclass
class Run:
    """One run of the command: its exit code and what it printed."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        """What it said with --json."""
        found: dict[str, Any] = json.loads(self.out)
        return found


def inspection(environ: Mapping[str, str], *, as_json: bool = False) -> Run:
    """What `qupia fsck` does, in this process."""
    out, err = (Console(width=500, file=io.StringIO()) for _ in range(2))
    code = fsck(as_json=as_json, environ=environ, out=out, err=err)
    return Run(code, *(cast("io.StringIO", page.file).getvalue() for page in (out, err)))


def command(environ: Mapping[str, str]) -> Run:
    """`qupia fsck` as a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", _RUN],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": f"{ROOT}:{ROOT / 'protos'}", **environ},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return Run(done.returncode, done.stdout, done.stderr)


def own_folder() -> Path:
    """A folder that PostgreSQL's account can enter, also when the tests run as root."""
    folder = Path(tempfile.mkdtemp(prefix="qupia-fsck-", dir="/tmp"))
    folder.chmod(0o755)
    return folder


def remove(folder: Path) -> None:
    """Take a folder away, with the place that a link in it points to."""
    shutil.rmtree(folder, ignore_errors=True)


@dataclass
class Books:
    """The databases of a suite that was stopped, on a server of their own."""

    cluster: Cluster
    key_file: Path

    @contextmanager
    def tampered(self, database: str, *statements: str) -> Iterator[dict[str, str]]:
        """The URLs with a copy in the place of `database`, on which the statements were run."""
        urls = self.urls()
        self._on("postgres", _copy(database))
        try:
            self._on(COPY, *(sql.SQL(s) for s in statements))
            yield urls | {database: self.cluster.superuser_url(COPY)}
        finally:
            self._on("postgres", sql.SQL("DROP DATABASE IF EXISTS tampered_copy WITH (FORCE)"))

    def urls(self) -> dict[str, str]:
        """The URLs of the runtime roles by database."""
        return {book.name: self.cluster.url(book.name, book.name) for book in BOOKS}

    def inspect(self, urls: Mapping[str, str], *only: str) -> Inspection:
        """All checks, or these only. Nothing else changes the databases: nothing to wait for."""
        with open_records(urls, self.key_file, lambda _rows: None) as records:
            every = all_checks(load_calendar(None))
            checks = [check for check in every if check.name in only] if only else every
            return inspect(records, checks, Deaf(), pause=lambda _seconds: None)

    def query(self, database: str, statement: str) -> list[tuple[Any, ...]]:
        """Rows of the database as it was left."""
        with psycopg.connect(_libpq(self.cluster.superuser_url(database))) as connection:
            return connection.execute(sql.SQL(statement)).fetchall()

    def _on(self, database: str, *statements: sql.SQL | sql.Composed) -> None:
        url = _libpq(self.cluster.superuser_url(database))
        with psycopg.connect(url, autocommit=True) as connection:
            for statement in statements:
                # Foreign keys and unique indexes do not stop whoever owns the files.
                changed = connection.execute(statement).rowcount
                assert changed != 0, f"nothing was tampered with: {statement}"


def _copy(database: str) -> sql.Composed:
    return sql.SQL("CREATE DATABASE tampered_copy TEMPLATE {}").format(sql.Identifier(database))


def _libpq(url: str) -> str:
    return url.replace("postgresql+psycopg:", "postgresql:", 1)

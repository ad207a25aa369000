# SPDX-License-Identifier: Apache-2.0
"""The embedded PostgreSQL: whom it lets in, what it keeps, what it tells, and how it ends."""

import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from cli import postgres
from cli.postgres import Cluster, PostgresError, ensure_database
from tests.harness.waiting import PATIENCE_SECONDS

pytestmark = pytest.mark.long

CANARY = "Нұрсұлтан-7d1f"
PARENT = """
import sys, time
from pathlib import Path
from cli import postgres
cluster = postgres.start(Path(sys.argv[1]), fsync=False)
print(cluster.pid, cluster.socket_dir, flush=True)
time.sleep(60)
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that the server's account can enter, also when the tests run as root."""
    yield from _open_folder()


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """A server with the databases vault and claims."""
    for path in _open_folder():
        server = postgres.start(path / "postgres", fsync=False)
        for service in ("vault", "claims"):
            ensure_database(server, service, f"{service}_owner", service, server.passwords)
        yield server
        server.stop()


def _open_folder() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="qupia-test-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


def _connect(url: str) -> psycopg.Connection:
    return psycopg.connect(url.replace("+psycopg", "", 1), autocommit=True)


def _setting(cluster: Cluster, name: str) -> str:
    with _connect(cluster.superuser_url()) as connection:
        row = connection.execute("SELECT current_setting(%s)", [name]).fetchone()
    assert row is not None
    return str(row[0])


def _ended(pid: int) -> bool:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


@pytest.mark.parametrize("role", ["vault", "vault_owner"])
@pytest.mark.parametrize("other", ["claims", "postgres", "template1"])
def test_a_role_connects_to_its_own_database_only(cluster: Cluster, role: str, other: str) -> None:
    with _connect(cluster.url(role, "vault")) as connection:
        assert connection.execute("SELECT current_user").fetchone() == (role,)
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        _connect(cluster.url(role, other))


def test_the_runtime_role_may_do_only_what_the_owner_granted(cluster: Cluster) -> None:
    with _connect(cluster.url("vault_owner", "vault")) as owner:
        owner.execute("CREATE TABLE entries (body text)")
        owner.execute("GRANT SELECT, INSERT ON entries TO vault")
    with _connect(cluster.url("vault", "vault")) as runtime:
        runtime.execute("INSERT INTO entries VALUES ('first')")
        for refused in (
            "UPDATE entries SET body = ''",
            "DELETE FROM entries",
            "TRUNCATE entries",
            "DROP TABLE entries",
            "CREATE TABLE mine (body text)",
            "CREATE TEMPORARY TABLE mine (body text)",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                runtime.execute(refused)
        assert runtime.execute("SELECT body FROM entries").fetchall() == [("first",)]


def test_a_wrong_password_is_refused(cluster: Cluster) -> None:
    wrong = cluster.url("vault", "vault").replace(cluster.passwords["vault"], "guess")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        _connect(wrong)


def test_passwords_are_for_the_owner_only_and_never_shown(cluster: Cluster) -> None:
    mode = cluster.passwords.path.stat().st_mode
    assert stat.S_IMODE(mode) == 0o600
    access = ensure_database(cluster, "vault", "vault_owner", "vault", cluster.passwords)
    shown = f"{cluster!r} {access!r} {cluster.passwords!r}"
    for role in ("postgres", "vault", "vault_owner"):
        assert cluster.passwords[role] not in shown


def test_no_value_reaches_the_log(cluster: Cluster) -> None:
    with _connect(cluster.url("claims_owner", "claims")) as owner:
        owner.execute("CREATE TABLE people (name text PRIMARY KEY, age int CHECK (age > 0))")
        owner.execute("INSERT INTO people VALUES (%s, 1)", [CANARY])
        for age in (1, -1):
            with pytest.raises(psycopg.errors.IntegrityError, match=CANARY):
                owner.execute("INSERT INTO people VALUES (%s, %s)", [CANARY, age])
        with pytest.raises(psycopg.errors.SyntaxError):
            owner.execute(f"SELEC '{CANARY}'".encode())
    log = cluster.passwords.path.with_name("postgres.log").read_text()
    assert "violates check constraint" in log
    assert CANARY not in log


def test_the_server_listens_on_no_port_and_sorts_by_code_point(cluster: Cluster) -> None:
    assert _setting(cluster, "listen_addresses") == ""
    assert _setting(cluster, "synchronous_commit") == "on"
    assert _setting(cluster, "fsync") == "off"
    assert stat.S_IMODE(cluster.socket_dir.stat().st_mode) == 0o700
    assert psutil.Process(cluster.pid).net_connections("inet") == []
    with _connect(cluster.superuser_url("vault")) as connection:
        row = connection.execute("SELECT 'z' < 'ә', upper('ә'), current_setting('timezone')")
        assert row.fetchone() == (True, "Ә", "UTC")


def test_a_second_start_keeps_the_data_and_stopping_leaves_no_socket(folder: Path) -> None:
    first = postgres.start(folder / "postgres")
    try:
        assert _setting(first, "fsync") == "on"
        url = ensure_database(first, "vault", "vault_owner", "vault", first.passwords).owner_url
        with _connect(url) as owner:
            owner.execute("CREATE TABLE kept AS SELECT 7 AS number")
    finally:
        first.stop()
    assert not first.running
    assert not first.socket_dir.exists()

    second = postgres.start(folder / "postgres")
    try:
        url = ensure_database(second, "vault", "vault_owner", "vault", second.passwords).owner_url
        with _connect(url) as owner:
            assert owner.execute("SELECT number FROM kept").fetchone() == (7,)
    finally:
        second.stop()


def test_an_interrupted_database_is_completed(cluster: Cluster) -> None:
    with _connect(cluster.superuser_url()) as server:
        server.execute("CREATE ROLE consent LOGIN PASSWORD 'an earlier one'")
        server.execute("CREATE DATABASE consent")
    access = ensure_database(cluster, "consent", "consent_owner", "consent", cluster.passwords)
    with _connect(access.owner_url) as owner:
        owner.execute("CREATE TABLE policies (version int)")
    with (
        _connect(access.runtime_url) as runtime,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        runtime.execute("SELECT version FROM policies")
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        _connect(cluster.url("vault", "consent"))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="prctl is Linux's")
def test_the_server_ends_cleanly_when_its_parent_is_killed(folder: Path) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(folder / "postgres")], stdout=subprocess.PIPE, text=True
    )
    with parent:
        assert parent.stdout is not None
        pid, socket_dir = parent.stdout.readline().split()
        parent.send_signal(signal.SIGKILL)
    assert _ended(int(pid))
    assert "database system is shut down" in (folder / "postgres.log").read_text()
    assert Path(socket_dir).exists()

    again = postgres.start(folder / "postgres", fsync=False)
    again.stop()
    assert not Path(socket_dir).exists()


def test_data_in_use_are_refused_with_the_process_that_uses_them(cluster: Cluster) -> None:
    data_dir = cluster.passwords.path.with_name("postgres")
    with pytest.raises(PostgresError, match=f"already running as process {cluster.pid}: stop"):
        postgres.start(data_dir)
    assert cluster.running
    assert _setting(cluster, "server_encoding") == "UTF8"


def test_data_without_their_passwords_are_refused(folder: Path) -> None:
    postgres.start(folder / "postgres", fsync=False).stop()
    passwords = folder / "postgres-passwords.json"
    for left in ("{}", None):
        passwords.write_text(left) if left else passwords.unlink()
        with pytest.raises(PostgresError, match=r"postgres-passwords\.json is missing or empty"):
            postgres.start(folder / "postgres")
    passwords.write_text("{broken")
    with pytest.raises(PostgresError, match="PostgreSQL cannot start"):
        postgres.start(folder / "postgres")


def test_damaged_data_are_refused_with_the_servers_reason(folder: Path) -> None:
    postgres.start(folder / "postgres", fsync=False).stop()
    (folder / "postgres" / "PG_VERSION").write_text("9\n")
    with pytest.raises(PostgresError, match=r"FATAL: .*incompatible"):
        postgres.start(folder / "postgres")


def test_missing_programs_are_named(folder: Path) -> None:
    with pytest.raises(PostgresError, match="has no program `postgres`"):
        postgres.start(folder / "postgres", binaries=folder)


def test_programs_too_old_are_refused(folder: Path) -> None:
    program = folder / "postgres"
    program.write_text("#!/bin/sh\necho 'postgres (PostgreSQL) 14.20'\n")
    program.chmod(0o755)
    with pytest.raises(PostgresError, match="PostgreSQL 14: 15 or newer is needed"):
        postgres.start(folder / "data", binaries=folder)


def test_a_start_from_another_thread_is_refused(folder: Path) -> None:
    found: list[Exception] = []

    def attempt() -> None:
        try:
            postgres.start(folder / "postgres")
        except PostgresError as error:
            found.append(error)

    thread = threading.Thread(target=attempt)
    thread.start()
    thread.join()
    assert "main thread" in str(found[0])


@pytest.mark.skipif(os.geteuid() != 0, reason="only root changes the account")
def test_below_a_closed_folder_the_data_get_a_place_of_their_own(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    closed = folder / "closed"
    closed.mkdir(mode=0o700)
    place = None
    try:
        first = postgres.start(closed / "postgres", fsync=False)
        place = first.data_dir.parent
        assert str(first.data_dir) in capsys.readouterr().out
        assert closed not in first.data_dir.parents
        with _connect(first.superuser_url()) as connection:
            connection.execute("CREATE TABLE kept (number int)")
        first.stop()

        second = postgres.start(closed / "postgres", fsync=False)
        with _connect(second.superuser_url()) as connection:
            connection.execute("SELECT number FROM kept")
        second.stop()

        for left in closed.iterdir():
            left.unlink()
        anew = postgres.start(closed / "postgres", fsync=False)
        with (
            _connect(anew.superuser_url()) as connection,
            pytest.raises(psycopg.errors.UndefinedTable),
        ):
            connection.execute("SELECT number FROM kept")
        anew.stop()
    finally:
        if place is not None:
            shutil.rmtree(place)

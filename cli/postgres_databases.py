# SPDX-License-Identifier: Apache-2.0
"""One database per service, with a role that owns its tables and a role that the service uses."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql

from cli.passwords import Passwords

if TYPE_CHECKING:
    from cli.postgres import Cluster


@dataclass(frozen=True)
class DatabaseAccess:
    """The SQLAlchemy URLs of a database; they hold passwords."""

    owner_url: str = field(repr=False)
    runtime_url: str = field(repr=False)


def ensure_database(
    cluster: "Cluster", name: str, owner_role: str, runtime_role: str, passwords: Passwords
) -> DatabaseAccess:
    """Makes what is missing of a database and its two roles; nobody else may connect to it.

    The owner makes and changes tables; the runtime role may do only what the owner grants it table
    by table. `passwords` gets the roles' passwords. Raises psycopg.Error.
    """
    for role in (owner_role, runtime_role):
        passwords.ensure(role)
    with psycopg.connect(_libpq(cluster.superuser_url()), autocommit=True) as server:
        if not _is_complete(server, name):
            for role in (owner_role, runtime_role):
                _ensure_role(server, role, passwords[role])
            _ensure_owned(server, name, owner_role)
            with psycopg.connect(_libpq(cluster.superuser_url(name)), autocommit=True) as database:
                _close_schema(database, runtime_role)
            # Last: an interrupted call leaves a database that is not complete.
            _close(server, name, runtime_role)
    return DatabaseAccess(cluster.url(owner_role, name), cluster.url(runtime_role, name))


def _libpq(url: str) -> str:
    return url.replace("postgresql+psycopg:", "postgresql:", 1)


def _is_complete(server: psycopg.Connection, name: str) -> bool:
    row = server.execute(
        "SELECT has_database_privilege('public', oid, 'CONNECT') FROM pg_database"
        " WHERE datname = %s",
        [name],
    ).fetchone()
    return row == (False,)


def _ensure_role(server: psycopg.Connection, role: str, password: str) -> None:
    known = server.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone()
    # The verifier is reckoned here: the password itself is in no statement.
    verifier = server.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256")
    server.execute(
        sql.SQL(
            "{} ROLE {} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION PASSWORD {}"
        ).format(
            sql.SQL("ALTER" if known else "CREATE"),
            sql.Identifier(role),
            sql.Literal(verifier.decode()),
        )
    )


def _ensure_owned(server: psycopg.Connection, name: str, owner: str) -> None:
    known = server.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone()
    server.execute(
        sql.SQL("ALTER DATABASE {} OWNER TO {}" if known else "CREATE DATABASE {} OWNER {}").format(
            sql.Identifier(name), sql.Identifier(owner)
        )
    )


def _close_schema(database: psycopg.Connection, runtime: str) -> None:
    database.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC")
    database.execute(sql.SQL("GRANT USAGE ON SCHEMA public TO {}").format(sql.Identifier(runtime)))


def _close(server: psycopg.Connection, name: str, runtime: str) -> None:
    for shared in ("postgres", "template1"):
        server.execute(
            sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(sql.Identifier(shared))
        )
    server.execute(
        sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(
            sql.Identifier(name), sql.Identifier(runtime)
        )
    )
    server.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(sql.Identifier(name)))

# SPDX-License-Identifier: Apache-2.0
"""`qupia migrate`: brings databases to the schema that this code needs, as their owners."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from sqlalchemy import create_engine, make_url
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from cli.databases import BOOKS, Book
from services.chassis.config import ConfigError, Settings, load_settings
from services.chassis.database import sqlstate_of
from services.chassis.migration import SchemaMismatch, check, upgrade
from services.chassis.start_error import StartError


class MigrateSettings(Settings):
    """URLs of the owners by database, and the roles that the services use."""

    consent_owner_url: str = ""
    vault_owner_url: str = ""
    keystore_owner_url: str = ""
    disclosure_owner_url: str = ""
    claims_owner_url: str = ""
    gateway_owner_url: str = ""
    consent_role: str = "consent"
    vault_role: str = "vault"
    keystore_role: str = "keystore"
    disclosure_role: str = "disclosure"
    claims_role: str = "claims"
    gateway_role: str = "gateway"


def bring_up_to_date(owner_url: str, migrations: Path, runtime_role: str) -> bool:
    """Runs what is missing of a database's migrations; says whether there was any.

    Raises SQLAlchemyError.
    """
    # Asked first, because loading the migrations takes longer than asking.
    engine = create_engine(
        make_url(owner_url).set(drivername="postgresql+psycopg"), hide_parameters=True
    )
    try:
        with engine.connect() as connection:
            check(connection, migrations)
    except SchemaMismatch:
        upgrade(owner_url, migrations, runtime_role)
        return True
    finally:
        engine.dispose()
    return False


def migrate(names: Sequence[str], environ: Mapping[str, str] | None = None) -> dict[str, bool]:
    """Brings the named databases up to date, all where none is named: name to whether it changed.

    The owners' URLs stand in QUPIA_<DATABASE>_OWNER_URL, the services' roles in
    QUPIA_<DATABASE>_ROLE, or both in the file that QUPIA_CONFIG names. Raises ConfigError, and
    StartError for a database that cannot be reached or refuses.
    """
    books = _chosen(names)
    settings = _settings(os.environ if environ is None else environ)
    urls = {book.name: str(getattr(settings, f"{book.name}_owner_url")) for book in books}
    missing = [f"QUPIA_{name.upper()}_OWNER_URL" for name, url in urls.items() if not url]
    if missing:
        raise ConfigError(f"set {', '.join(missing)}, or name only the databases to migrate")
    changed = {}
    for book in books:
        role = str(getattr(settings, f"{book.name}_role"))
        try:
            changed[book.name] = bring_up_to_date(urls[book.name], book.migrations, role)
        except SQLAlchemyError as error:
            _explain(book, error)
    return changed


def _chosen(names: Sequence[str]) -> list[Book]:
    known = {book.name: book for book in BOOKS}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ConfigError(f"{', '.join(unknown)}: no such database; known are {', '.join(known)}")
    return [known[name] for name in dict.fromkeys(names)] or list(BOOKS)


def _settings(environ: Mapping[str, str]) -> MigrateSettings:
    own = {"QUPIA_CONFIG": environ.get("QUPIA_CONFIG", "")}
    for key in MigrateSettings.model_fields:
        if value := environ.get(f"QUPIA_{key.upper()}"):
            own[f"QUPIA_MIGRATE_{key.upper()}"] = value
    return load_settings(MigrateSettings, "migrate", own)


def _explain(book: Book, error: SQLAlchemyError) -> NoReturn:
    # The driver's text may hold values; the state alone says what is wrong.
    state = sqlstate_of(error) if isinstance(error, DBAPIError) else "none"
    raise StartError(
        f"the database {book.name} cannot be migrated (SQLSTATE {state}): check that it can be "
        f"reached by QUPIA_{book.name.upper()}_OWNER_URL and that this role owns it"
    ) from None

# SPDX-License-Identifier: Apache-2.0
"""Puts the vault together and runs it: `python -m services.vault`."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import Field

from services.chassis import migration
from services.chassis.assembly import Parts, prepare, serve
from services.chassis.calendar import CalendarFileError, load_calendar
from services.chassis.config import ConfigError, load_settings
from services.chassis.configured_fields import load_configured_fields
from services.chassis.database import Connection, Database
from services.chassis.idempotency import IdempotencyKeys, forget_old
from services.chassis.mail import MailSettings, mailer_of
from services.chassis.paging import PageTokens
from services.chassis.pipeline import Handler
from services.chassis.process import ProcessSettings, run
from services.chassis.refusal import Unavailable
from services.chassis.rounds import Rounds
from services.chassis.signing import Signer
from services.chassis.sites import Sites, load_sites
from services.chassis.start_error import StartError
from services.vault.access import Access
from services.vault.access_sender import AccessSender
from services.vault.batch_writer import BatchWriter
from services.vault.block_keeper import BlockKeeper
from services.vault.budget import DailyBudget
from services.vault.combiner import Combiner
from services.vault.correction import Corrections
from services.vault.counting import Counting
from services.vault.custody import Custody
from services.vault.destruction import KeySchedule
from services.vault.due_destructions import DueDestructions
from services.vault.endings import Endings
from services.vault.epoch_schedule import EpochSchedule
from services.vault.gate import Gate
from services.vault.key_record import KeyRecord
from services.vault.keyring import Keyring
from services.vault.lifetime import begin_life
from services.vault.order_documents import OrderDocuments
from services.vault.provider import KeyAbsent, KeyProvider, KeyProviderError
from services.vault.provider_file import FileKeyProvider
from services.vault.retention import Retention, RetentionFileError, load_retention
from services.vault.retirement import Retirement
from services.vault.rotation import Rotations
from services.vault.rotation_walk import Pace
from services.vault.same_contact import SameContact
from services.vault.search import Search
from services.vault.servicer_access import AccessServicer
from services.vault.servicer_authority import AuthorityServicer
from services.vault.servicer_batches import BatchServicer
from services.vault.servicer_blocking import BlockingServicer
from services.vault.servicer_changes import ChangeServicer
from services.vault.servicer_deciders import DeciderServicer
from services.vault.servicer_destruction import DestructionServicer
from services.vault.servicer_documents import DocumentServicer
from services.vault.servicer_endings import EndingServicer
from services.vault.servicer_fields import FieldServicer
from services.vault.servicer_keys import KeyServicer
from services.vault.servicer_own_view import OwnViewServicer
from services.vault.servicer_pushes import PushServicer
from services.vault.servicer_reads import ReadServicer
from services.vault.servicer_recipients import RecipientServicer
from services.vault.servicer_records import RecordServicer
from services.vault.servicer_recovery import RecoveryServicer
from services.vault.servicer_search import SearchServicer
from services.vault.servicer_sessions import SessionServicer
from services.vault.servicer_slices import SliceTaker
from services.vault.servicer_standing import StandingServicer
from services.vault.servicer_statistics import StatisticsServicer
from services.vault.servicer_storing import StoringServicer
from services.vault.servicer_templates import TemplateServicer
from services.vault.servicer_uses import UseServicer
from services.vault.servicer_versions import VersionServicer
from services.vault.sessions import OpenSessions
from services.vault.site_fields import SiteLists
from services.vault.store import Subject
from services.vault.store_keys import EpochRows, KeyStore
from services.vault.store_links import reach
from services.vault.volume_watch import VolumeWatch
from services.vault.writer import Writer

_HERE = Path(__file__).parent
_V = TypeVar("_V")
_ROUND_SECONDS, _FORGET_SECONDS = 5.0, 600.0


class VaultSettings(ProcessSettings, MailSettings):
    """The vault's settings: `key_store_url` is a database of its own.

    Rotations move `rotation_rows_per_second` rows at most. A new epoch begins every `epoch_days`
    and the old one is retired `epoch_keep_days` later, by itself or, with `epochs_by_hand`, by the
    custodian. Certificates of destruction reckon with both. Every `volume_seconds` at most, what
    credentials read today is compared with their earlier days.

    The KEK is in `key_file`, or with `key_provider` pkcs11 in the token `pkcs11_token` behind
    `pkcs11_module` (a shared library), opened with the PIN in `pkcs11_pin_file` (mode 0600).

    `retention_file` holds the statutory terms (`services.vault.retention`), `calendar` the override
    of the working calendar. `fields` is the TOML file of the data that sites have added to the
    list.

    `sites` says who operates each site, for what a person is shown. Without a way for letters to
    leave, only officers hand out the codes that open a person's own view.
    """

    # Readers share transactions: most of those who are here only wait for the combiner.
    workers: int = 32
    key_store_url: str
    fields: Path | None = None
    key_provider: Literal["file", "pkcs11"] = "file"
    key_file: Path | None = None
    pkcs11_module: Path | None = None
    pkcs11_token: str = ""
    pkcs11_pin_file: Path | None = None
    retention_file: Path | None = None
    calendar: Path | None = None
    rotation_rows_per_second: int = Field(default=2000, ge=1)
    epochs_by_hand: bool = False
    epoch_days: int = Field(default=7, ge=1, le=366)
    epoch_keep_days: int = Field(default=7, ge=0, le=366)
    volume_seconds: float = Field(default=300.0, ge=1.0, le=86400.0)
    sites: Path | None = None


def main(ready: Callable[[], None] = lambda: None) -> int:
    """Run the vault until it is told to stop; returns its exit code."""
    return run("vault", lambda stop: _serve(stop, ready))


def _serve(stop: threading.Event, ready: Callable[[], None]) -> None:
    settings = load_settings(VaultSettings, "vault")
    retention = _retention(settings)
    lists = SiteLists(load_configured_fields(settings.fields))
    parts = prepare("vault", settings, _HERE / "migrations")
    keys, provider = _keys(settings, parts)
    begin_life(parts.database, keys)
    endings = Endings(parts.database, keys, _key_schedule(settings), parts.clock)
    endings.reconcile()
    writer = Writer(keys)
    order_documents = OrderDocuments(keys, parts.metrics)
    corrections = Corrections(keys, writer, lists, order_documents)
    budget = DailyBudget(parts.secret)
    gate = Gate(parts.database, keys, parts.refusals, parts.clock, parts.metrics, budget)
    combiner = Combiner(gate)
    tokens, idempotency = PageTokens(parts.secret), IdempotencyKeys(parts.secret)
    due = DueDestructions(cache(lambda: load_calendar(settings.calendar)))
    taker = SliceTaker(keys, corrections, BlockKeeper(keys), due, order_documents, parts.clock)
    same_contact = SameContact(parts.database, keys, parts.clock, parts.metrics, parts.log)
    deciders = DeciderServicer(parts.database, gate, keys, parts.clock)
    pushes = PushServicer(
        parts.database, taker, same_contact, keys, parts.clock, parts.metrics, parts.log
    )
    documents = DocumentServicer(parts.database, keys, corrections, parts.clock)
    search = Search(parts.database, keys, parts.refusals, parts.clock, budget)
    searches = SearchServicer(parts.database, search, lists, parts.clock)
    blocking = BlockingServicer(parts.database, keys, tokens, parts.clock)
    templates = TemplateServicer(parts.database, idempotency, tokens, parts.clock)
    reads = ReadServicer(gate, combiner, lists)
    storing = StoringServicer(parts.database, writer, keys, idempotency, lists, parts.clock)
    standing = StandingServicer(parts.database, keys, parts.clock)
    by_name = reads.handlers() | storing.handlers() | standing.handlers()
    by_name |= pushes.handlers() | deciders.handlers() | documents.handlers() | blocking.handlers()
    uses = UseServicer(parts.database, keys, parts.clock)
    records = RecordServicer(parts.database, keys, idempotency, parts.refusals, parts.clock)
    statistics = StatisticsServicer(parts.database, keys, parts.clock, parts.metrics)
    by_name |= ChangeServicer(parts.database).handlers()
    by_name |= RecipientServicer(parts.database).handlers()
    by_name |= RecoveryServicer(parts.database, keys, tokens, parts.clock).handlers()
    by_name |= searches.handlers() | templates.handlers() | uses.handlers()
    by_name |= FieldServicer(lists, tokens).handlers()
    by_name |= AuthorityServicer(parts.database, gate, lists, parts.clock).handlers()
    by_name |= VersionServicer(parts.database, keys, tokens, parts.clock).handlers()
    batches = BatchServicer(
        parts.database, keys, BatchWriter(keys), idempotency, parts.refusals, lists, parts.clock
    )
    destructions = DestructionServicer(
        parts.database,
        keys,
        endings,
        Counting(parts.database, keys),
        retention,
        idempotency,
        tokens,
        parts.clock,
    )
    by_name |= destructions.handlers() | EndingServicer(parts.database, tokens).handlers()
    by_name |= records.handlers() | statistics.handlers() | batches.handlers()
    custody, key_servicer = _custody(settings, parts, keys, provider)
    by_name |= key_servicer.handlers()
    sender = _sender(settings, parts, keys)
    by_name |= _own_view(settings, parts, keys, sender, lists)
    by_name |= SessionServicer(parts.database, parts.clock, _own_subjects).handlers()
    serve(
        parts,
        _by_path(parts, by_name),
        lambda _connection, site, subject: keys.pseudonym(site, subject),
        [custody, *_rounds(settings, parts, keys, endings, same_contact), sender],
        stop,
        ready,
        OpenSessions(parts.database, parts.clock),
    )


def _sender(settings: VaultSettings, parts: Parts, keys: KeyStore) -> AccessSender:
    mailer = mailer_of(settings, parts.clock, development=settings.development)
    return AccessSender(parts.database, keys, mailer, parts.clock, parts.metrics, parts.log)


def _own_view(
    settings: VaultSettings,
    parts: Parts,
    keys: KeyStore,
    sender: AccessSender,
    lists: SiteLists,
) -> dict[str, Handler]:
    """What opens for the person concerned, and how they get in."""
    access = Access(keys, parts.secret, parts.clock)
    codes = AccessServicer(
        parts.database,
        access,
        keys,
        IdempotencyKeys(parts.secret),
        parts.refusals,
        parts.clock,
        can_send=sender.can_send,
        wake=sender.wake,
    )
    view = OwnViewServicer(
        parts.database,
        keys,
        Signer.of_secret(parts.secret),
        load_sites(settings.sites) if settings.sites else Sites(),
        PageTokens(parts.secret),
        parts.clock,
        lists,
        reach=_own_subjects,
    )
    return codes.handlers() | view.handlers()


def _own_subjects(connection: Connection, subject: Subject) -> list[Subject]:
    """The subject, and for an account the visitors linked to it; a visitor opens no account."""
    site, own = subject
    found = reach(connection, site, own)
    return [(site, each) for each in found.subjects] if found.account == own else [subject]


def _by_path(parts: Parts, by_name: dict[str, Handler]) -> dict[str, Handler]:
    return {
        m.path: by_name[m.name] for m in parts.contract.of_process("vault") if m.name in by_name
    }


def _retention(settings: VaultSettings) -> Retention:
    try:
        if settings.calendar:
            load_calendar(settings.calendar)
        return load_retention(settings.retention_file)
    except (RetentionFileError, CalendarFileError) as error:
        raise ConfigError(str(error)) from None


def _key_schedule(settings: VaultSettings) -> KeySchedule:
    return KeySchedule(
        timedelta(days=settings.epoch_days), timedelta(days=settings.epoch_keep_days)
    )


def _rounds(
    settings: VaultSettings,
    parts: Parts,
    keys: KeyStore,
    endings: Endings,
    same_contact: SameContact,
) -> list[Rounds]:
    """What is done again and again beside the server."""

    def count() -> float:
        with suppress(Unavailable):
            begin_life(parts.database, keys)
        return _ROUND_SECONDS

    def make_up() -> float:
        # A database that is away is told of elsewhere; the next round finds the same work.
        with suppress(Unavailable):
            endings.resume()
        return _ROUND_SECONDS

    def forget() -> float:
        with suppress(Unavailable), parts.database.transaction() as connection:
            forget_old(connection, parts.clock.now())
        return _FORGET_SECONDS

    watch = VolumeWatch(parts.database, parts.clock, parts.metrics, settings.volume_seconds)

    def watched() -> float:
        with suppress(Unavailable):
            return watch.look()
        return _ROUND_SECONDS

    return [
        Rounds("same_contact", same_contact.round, parts.metrics, parts.log),
        Rounds("volume_watch", watched, parts.metrics, parts.log),
        Rounds("vault_life", count, parts.metrics, parts.log),
        Rounds("unfinished_destruction", make_up, parts.metrics, parts.log),
        Rounds("idempotency_keys", forget, parts.metrics, parts.log),
    ]


def _custody(
    settings: VaultSettings, parts: Parts, keys: KeyStore, provider: KeyProvider
) -> tuple[Custody, KeyServicer]:
    database, clock, metrics = parts.database, parts.clock, parts.metrics
    stopping = threading.Event()
    pace = Pace(settings.rotation_rows_per_second, pause=stopping.wait)
    record = KeyRecord(database, clock)
    rotations = Rotations(database, keys, provider, clock, metrics, pace, record.ended)
    retirement = Retirement(database, keys, provider, clock)
    schedule = EpochSchedule(
        settings.epoch_days, settings.epoch_keep_days, by_hand=settings.epochs_by_hand
    )
    custody = Custody(
        keys, rotations, retirement, schedule, record, clock, metrics, parts.log, stopping
    )
    servicer = KeyServicer(
        database,
        keys,
        provider,
        rotations,
        retirement,
        schedule,
        IdempotencyKeys(parts.secret),
        clock,
        custody.wake,
    )
    return custody, servicer


def _keys(settings: VaultSettings, parts: Parts) -> tuple[KeyStore, KeyProvider]:
    try:
        database = Database(
            settings.key_store_url,
            pool_size=settings.workers + 8,
            timeout_ms=settings.database_timeout_ms,
        )
    except ValueError as error:
        raise StartError(f"key_store_url: {error}") from None
    try:
        with database.transaction() as connection:
            migration.check(connection, _HERE / "key_store_migrations")
    except Unavailable:
        raise StartError(
            "the key store cannot be reached: start it, or check QUPIA_VAULT_KEY_STORE_URL"
        ) from None
    epochs = EpochRows(database)
    try:
        provider = _provider(settings, create=epochs.is_empty())
        keys = KeyStore(database, Keyring(provider, epochs), parts.clock)
        _open_epoch(keys, parts)
    except KeyProviderError as error:
        raise StartError(f"the key-encryption key: {error}") from None
    return keys, provider


def _provider(settings: VaultSettings, *, create: bool) -> KeyProvider:
    """Where the KEK is. With `create` the first one is made; otherwise nothing is touched yet."""
    if settings.key_provider == "file":
        path = _given(settings.key_file, "key_file")
        return FileKeyProvider.open(path, create=True) if create else FileKeyProvider(path)
    try:
        # An extra: only who uses a token has it installed.
        from services.vault.pkcs11_token import TokenPlace  # noqa: PLC0415
        from services.vault.provider_pkcs11 import Pkcs11KeyProvider  # noqa: PLC0415
    except ImportError:
        raise StartError(
            "key_provider pkcs11 needs the package python-pkcs11: install qupia[pkcs11]"
        ) from None
    place = TokenPlace(
        _given(settings.pkcs11_module, "pkcs11_module"),
        _given(settings.pkcs11_token, "pkcs11_token"),
        _given(settings.pkcs11_pin_file, "pkcs11_pin_file"),
    )
    return Pkcs11KeyProvider.open(place, create=True) if create else Pkcs11KeyProvider(place)


def _given(value: _V | None, key: str) -> _V:
    if not value:
        raise ConfigError(
            "the configuration of vault is wrong:\n"
            f"  {key}: missing; set QUPIA_VAULT_{key.upper()} or the key in the file"
        )
    return value


def _open_epoch(keys: KeyStore, parts: Parts) -> None:
    """Prove the KEK. One that is absent is an alarm and no end: blocks and withdrawals need none.

    Raises KeyUnavailable, KeyWrong where the provider is there and is not the right one.
    """
    try:
        keys.open_epoch()
    except KeyAbsent as absence:
        parts.metrics.alarms.labels("key_unavailable").inc()
        parts.log.critical("key unavailable", where="start")
        sys.stderr.write(f"vault: reads and writes are refused for now: {absence}\n")


if __name__ == "__main__":
    raise SystemExit(main())

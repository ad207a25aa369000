# SPDX-License-Identifier: Apache-2.0
"""The key store: wrapped keys in a database of their own."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import (
    LargeBinary,
    Text,
    delete,
    exists,
    func,
    insert,
    literal,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert as upsert

from services.chassis.arrays import Texts
from services.chassis.clock import Clock
from services.chassis.database import Connection, Database, DatabaseDefect
from services.chassis.ids import new_uuid
from services.chassis.prepared import Prepared, given_in_order, matching
from services.chassis.refusal import SubjectDestroyed
from services.vault import store_keks, store_rotation
from services.vault.fields import Field
from services.vault.key_name import KeyName
from services.vault.keyring import Keyring, WrappedKey
from services.vault.provider import KeyUnavailable
from services.vault.secret_key import SecretKey
from services.vault.tables_keys import (
    data_keys,
    epoch_keys,
    index_keys,
    sealing_keys,
    vault_life,
)
from services.vault.tables_tombstones import tombstones
from services.vault.unsealing import SealingPair, create_sealing_pair

_NO_SUCH_EPOCH = "23503"  # the foreign key
_FIRST_INDEX_KEY = 4

Owner = tuple[str, str]
"""(site, owner)"""


_asked = given_in_order("asked", site_id=Text, owner_id=Text)
_OWNER_KEYS = Prepared(
    select(_asked.c.place, data_keys.c.epoch, data_keys.c.wrapped, data_keys.c.pseudonym).join_from(
        _asked,
        data_keys,
        (data_keys.c.site_id == _asked.c.site_id) & (data_keys.c.owner_id == _asked.c.owner_id),
    )
)


_places = given_in_order("places", site_id=Text, field=Text)
_INDEX_KEYS = Prepared(
    select(_places.c.place, index_keys.c.key_version, index_keys.c.kek_id, index_keys.c.wrapped)
    .join_from(
        _places,
        index_keys,
        (index_keys.c.site_id == _places.c.site_id) & (index_keys.c.field == _places.c.field),
    )
    .order_by(index_keys.c.key_version)
)


_SEALING_PAIR = Prepared(
    select(sealing_keys.c.public_key, sealing_keys.c.kek_id, sealing_keys.c.wrapped).where(
        matching(sealing_keys.c.key_id)
    )
)


@dataclass(frozen=True, slots=True)
class OwnerKey:
    """An owner's wrapped data key and the owner's pseudonym in evidence."""

    wrapped: WrappedKey = field(repr=False)
    pseudonym: str


class EpochRows:
    """Reads epoch keys for the keyring."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def epoch_key(self, epoch: str) -> WrappedKey | None:
        """The wrapped key of an epoch; None where it is unknown or destroyed."""
        with self._database.transaction() as connection:
            row = connection.execute(select(epoch_keys).filter_by(epoch=epoch)).one_or_none()
        return WrappedKey(row.kek_id, bytes(row.wrapped)) if row else None

    def is_empty(self) -> bool:
        """Whether no epoch was ever made: only then may a fresh KEK be."""
        with self._database.transaction() as connection:
            return connection.execute(select(epoch_keys.c.epoch).limit(1)).first() is None


class KeyStore:
    """Finds and makes the keys of owners, indexes and sealing."""

    def __init__(self, database: Database, keyring: Keyring, clock: Clock) -> None:
        self.database = database
        self.keyring = keyring
        self._clock = clock

    def open_epoch(self) -> str:
        """The current epoch; the first one is made here. Raises KeyUnavailable, KeyWrong."""
        with self.database.transaction() as connection:
            connection.execute(func.pg_advisory_xact_lock(1).select())
            row = connection.execute(select(epoch_keys).filter_by(current=True)).one_or_none()
            if row is None:
                epoch = new_uuid()
                key = self.keyring.create(KeyName.epoch(epoch))
                now = self._clock.now()
                store_keks.adopt(connection, key.wrapper_id, now)
                store_rotation.begin_epoch(connection, epoch, key, now)
                return epoch
        self.keyring.check(row.epoch)
        return str(row.epoch)

    def _current_epoch(self) -> str:
        with self.database.transaction() as connection:
            statement = select(epoch_keys.c.epoch).filter_by(current=True)
            epoch = connection.execute(statement).scalar_one_or_none()
        return str(epoch) if epoch else self.open_epoch()

    def owner_keys(self, owners: Collection[Owner]) -> Mapping[Owner, OwnerKey]:
        """The keys of those owners that have one, in one query."""
        if not owners:
            return {}
        asked = list(owners)
        with self.database.look() as connection:
            rows = _OWNER_KEYS.rows(
                connection,
                site_id=Texts([site for site, _ in asked]),
                owner_id=Texts([owner for _, owner in asked]),
            )
        return {
            asked[place - 1]: OwnerKey(WrappedKey(epoch, wrapped), pseudonym)
            for place, epoch, wrapped, pseudonym in rows
        }

    def owner_key(self, site: str, owner: str) -> OwnerKey | None:
        """One owner's key; None where there is none."""
        return self.owner_keys([(site, owner)]).get((site, owner))

    def ensure_owner_keys(self, owners: Collection[Owner]) -> Mapping[Owner, OwnerKey]:
        """The key of each, made where there is none. Raises as `ensure_owner_key` does."""
        found = dict(self.owner_keys(owners))
        missing = sorted(set(owners) - found.keys())
        return found | {owner: self.ensure_owner_key(*owner) for owner in missing}

    def ensure_owner_key(self, site: str, owner: str) -> OwnerKey:
        """The owner's key, made where there is none.

        Raises KeyUnavailable, KeyWrong; SubjectDestroyed for whoever has a tombstone.
        """
        found = self.owner_key(site, owner)
        if found is not None:
            return found
        try:
            self._create_owner_key(site, owner, self._current_epoch())
        except DatabaseDefect as defect:
            if defect.sqlstate != _NO_SUCH_EPOCH:
                raise
            # The epoch was current a moment ago, and is retired now.
            self._create_owner_key(site, owner, self._current_epoch())
        made = self.owner_key(site, owner)
        if made is None:
            raise SubjectDestroyed
        return made

    def _create_owner_key(self, site: str, owner: str, epoch: str) -> None:
        _, wrapped = self.keyring.create_data_key(site, owner, epoch)
        with self.database.transaction() as connection:
            row = select(
                literal(site),
                literal(owner),
                literal(epoch),
                literal(wrapped.wrapped, LargeBinary),
                literal(secrets.token_hex(16)),
                literal(self._clock.now(), data_keys.c.create_time.type),
            )
            # Whoever was destroyed is never made again, whatever a restored database believes.
            buried = exists().where(tombstones.c.site_id == site, tombstones.c.owner_id == owner)
            names = [column.name for column in data_keys.columns]
            connection.execute(
                upsert(data_keys).from_select(names, row.where(~buried)).on_conflict_do_nothing()
            )

    def open(self, site: str, owner: str, key: OwnerKey) -> SecretKey:
        """An owner's data key in the clear. Raises KeyUnavailable, KeyWrong."""
        try:
            return self.keyring.open_data_key(site, owner, key.wrapped)
        except KeyUnavailable:
            # Rewrapped since the row was read, and the old epoch retired?
            now_stored = self.owner_key(site, owner)
            if now_stored is None or now_stored.wrapped.wrapper_id == key.wrapped.wrapper_id:
                raise
            return self.keyring.open_data_key(site, owner, now_stored.wrapped)

    def pseudonym(self, site: str, owner: str) -> str:
        """The owner's name in evidence; empty for an owner without key."""
        found = self.owner_key(site, owner)
        return found.pseudonym if found else ""

    def index_keys(self, site: str, indexed: Field) -> Mapping[int, WrappedKey]:
        """The blind-index keys of a site's field by version; several during a rotation."""
        return self.all_index_keys([(site, indexed)])[site, indexed]

    def all_index_keys(
        self, places: Collection[tuple[str, Field]]
    ) -> dict[tuple[str, Field], Mapping[int, WrappedKey]]:
        """The same for each (site, field), in one query."""
        with self.database.look() as connection:
            return self._index_keys(connection, list(places))

    def _index_keys(
        self, connection: Connection, places: Sequence[tuple[str, Field]]
    ) -> dict[tuple[str, Field], Mapping[int, WrappedKey]]:
        rows = _INDEX_KEYS.rows(
            connection,
            site_id=Texts([site for site, _ in places]),
            field=Texts([str(indexed) for _, indexed in places]),
        )
        held: dict[tuple[str, Field], dict[int, WrappedKey]] = {place: {} for place in places}
        for place, version, kek, wrapped in rows:
            held[places[place - 1]][version] = WrappedKey(kek, wrapped)
        return dict(held)

    def ensure_index_keys(self, site: str, indexed: Field) -> Mapping[int, WrappedKey]:
        """The same; version 1 is made where there is none. Raises KeyUnavailable."""
        held = self.index_keys(site, indexed)
        if held:
            return held
        with self.database.transaction() as connection:
            connection.execute(func.pg_advisory_xact_lock(_FIRST_INDEX_KEY).select())
            place = (site, indexed)
            if not self._index_keys(connection, [place])[place]:
                self.create_index_key(connection, site, indexed, 1)
            return self._index_keys(connection, [place])[place]

    def create_index_key(
        self, connection: Connection, site: str, indexed: Field, key_version: int
    ) -> None:
        """A fresh index key of that version. Raises KeyUnavailable."""
        made = self.keyring.create(KeyName.index(site, str(indexed), key_version))
        store_keks.adopt(connection, made.wrapper_id, self._clock.now())
        connection.execute(
            insert(index_keys).values(
                site_id=site,
                field=str(indexed),
                key_version=key_version,
                kek_id=made.wrapper_id,
                wrapped=made.wrapped,
            )
        )

    def delete_index_key(self, site: str, indexed: Field, key_version: int) -> None:
        """Remove an index key; the caller has proved that no digest is under it."""
        place = {"site_id": site, "field": str(indexed), "key_version": key_version}
        with self.database.transaction() as connection:
            connection.execute(delete(index_keys).filter_by(**place))

    def open_index_key(
        self, site: str, indexed: Field, key_version: int, key: WrappedKey
    ) -> SecretKey:
        """A blind-index key in the clear. Raises KeyUnavailable, KeyWrong."""
        name = KeyName.index(site, str(indexed), key_version)
        try:
            return self.keyring.open_kept(name, key)
        except KeyUnavailable:
            # Rewrapped since the row was read, and the old KEK destroyed?
            now_stored = self.index_keys(site, indexed).get(key_version)
            if now_stored is None or now_stored.wrapper_id == key.wrapper_id:
                raise
            return self.keyring.open_kept(name, now_stored)

    def sealing_pair(self, key_id: str | None = None) -> SealingPair | None:
        """A sealing pair by its id, the newest where None; the first one is made here."""
        if key_id is not None:
            with self.database.look() as connection:
                row = _SEALING_PAIR.first(connection, key_id=key_id)
            return SealingPair(row[0], WrappedKey(*row[1:])) if row else None
        statement = select(sealing_keys).order_by(sealing_keys.c.create_time.desc()).limit(1)
        with self.database.transaction() as connection:
            row = connection.execute(statement).one_or_none()
            if row is None:
                pair = create_sealing_pair(self.keyring)
                now = self._clock.now()
                store_keks.adopt(connection, pair.private_key.wrapper_id, now)
                connection.execute(
                    insert(sealing_keys).values(
                        key_id=pair.key_id,
                        public_key=pair.public_key,
                        kek_id=pair.private_key.wrapper_id,
                        wrapped=pair.private_key.wrapped,
                        create_time=now,
                    )
                )
                return pair
        return SealingPair(bytes(row.public_key), WrappedKey(row.kek_id, bytes(row.wrapped)))

    def read_life(self) -> tuple[str, int]:
        """(vault incarnation, starts) as the key store knows them."""
        with self.database.transaction() as connection:
            row = connection.execute(select(vault_life)).one_or_none()
        return (row.vault_incarnation, row.starts) if row else ("", 0)

    def write_life(self, vault_incarnation: str, starts: int) -> None:
        """Write them down."""
        members = {"vault_incarnation": vault_incarnation, "starts": starts}
        with self.database.transaction() as connection:
            changed = connection.execute(update(vault_life).values(**members)).rowcount
            if not changed:
                connection.execute(insert(vault_life).values(only=True, **members))

# SPDX-License-Identifier: Apache-2.0
"""What the vault holds: ends, keys, ciphertexts, the ways to them."""

from collections.abc import Callable, Iterator

from cli.consistency import (
    access,
    blind_index,
    ciphertexts,
    destructions,
    keys,
    rotations,
    store_access,
    store_destructions,
    store_evidence,
    store_keys,
    store_records,
    store_rotations,
    store_vault,
    writes,
)
from cli.consistency.check import Check
from cli.consistency.fault import Fault
from cli.consistency.matching import chunked
from cli.consistency.records import Records
from cli.consistency.store_keys import OwnerRow
from services.vault.secret_key import SecretKey

_AT_ONCE = 500


def _destructions(records: Records) -> Iterator[Fault]:
    vault, keystore = records.vault, records.keystore
    yield from destructions.end_faults(
        store_destructions.ends(vault), store_destructions.stones(keystore)
    )
    yield from destructions.remains_faults(store_destructions.remains(vault))
    yield from destructions.certificate_faults(
        store_destructions.ends(vault), lambda ids: store_evidence.bodies(vault, ids)
    )
    yield from destructions.restriction_faults(
        store_destructions.ends(vault), store_destructions.restricted(keystore)
    )


def _keys(records: Records) -> Iterator[Fault]:
    source, keyring = records.keystore, records.keyring
    yield from keys.epoch_faults(store_keys.epochs(source))
    for named in (store_keys.epochs, store_keys.indexes, store_keys.sealing):
        yield from keys.named_faults(named(source), keyring)
    yield from keys.owner_faults(
        store_keys.owners(source), store_vault.owners_in_use(records.vault), keyring
    )


def _rotations(records: Records) -> Iterator[Fault]:
    yield from rotations.retired_faults(store_rotations.wrapped_by_retired(records.keystore))
    yield from rotations.rotation_faults(
        store_rotations.rotations(records.keystore),
        store_rotations.recorded_rotations(records.vault),
    )


def _ciphertexts(records: Records) -> Iterator[Fault]:
    vault = records.vault
    for sealed in (
        store_vault.current,
        store_vault.former,
        store_vault.kept_documents,
        store_vault.staged_corrections,
        store_records.recorded_visits,
        store_records.stored_purchases,
        store_access.waiting_letters,
    ):
        yield from ciphertexts.ciphertext_faults(
            sealed(vault), store_keys.owners(records.keystore), _open_key(records)
        )
    yield from ciphertexts.version_faults(
        store_vault.subject_rows(vault), store_vault.current(vault), store_vault.former(vault)
    )


def _writes(records: Records) -> Iterator[Fault]:
    vault = records.vault
    written = writes.written_data(
        store_vault.subject_rows(vault),
        store_vault.current(vault),
        store_vault.former(vault),
        store_vault.written_corrections(vault),
    )
    named = writes.named(written, store_keys.owners(records.keystore))
    for some in chunked(named, _AT_ONCE):
        bodies = store_evidence.stored_data(vault, [(w.place[0], name) for w, name in some])
        for each, pseudonym in some:
            yield from writes.write_faults(each, bodies.get((each.place[0], pseudonym), []))


def _blind_index(records: Records) -> Iterator[Fault]:
    yield from blind_index.index_faults(
        store_vault.current(records.vault),
        store_keys.owners(records.keystore),
        store_vault.index_rows(records.vault),
        keys.opened_indexes(store_keys.indexes(records.keystore), records.keyring),
        _open_key(records),
    )


def _access(records: Records) -> Iterator[Fault]:
    vault = records.vault
    yield from access.code_faults(
        store_access.codes(vault), store_access.told(vault, "access_code.issued")
    )
    yield from access.live_faults(store_access.live_codes(vault))
    yield from access.session_faults(
        store_access.codes(vault),
        store_access.sessions(vault),
        store_access.told(vault, "access_code.redeemed"),
    )
    yield from access.end_faults(
        store_access.sessions_of_subjects(vault),
        store_keys.owners(records.keystore),
        lambda names: store_access.ends(vault, names),
    )


def _open_key(records: Records) -> Callable[[OwnerRow], SecretKey]:
    return lambda owner: records.keyring.open_data_key(owner.site, owner.owner, owner.wrapped)


CHECKS = (
    Check("destroyed", "who was destroyed is gone, and nobody else is", _destructions),
    Check("keys", "every wrapped key opens, and everybody has one", _keys),
    Check("rotations", "no retired key is in use, every rotation is recorded", _rotations),
    Check("ciphertexts", "every ciphertext opens in its place and version", _ciphertexts),
    Check("writes", "every version of data has its entry, every entry its data", _writes),
    Check("blind_index", "everybody is found by what they have", _blind_index),
    Check("access", "a code opens its own subject's view, once and for a while", _access),
)

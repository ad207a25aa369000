# SPDX-License-Identifier: Apache-2.0
"""Every wrapped key opens under its name, everybody has a key, nobody's key is left over."""

from collections.abc import Iterable, Iterator

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from cli.consistency.blind_index import IndexKeys
from cli.consistency.fault import Fault
from cli.consistency.matching import gathered, matched
from cli.consistency.store_keys import NamedKey, OwnerRow
from services.vault.key_name import KeyKind
from services.vault.keyring import Keyring
from services.vault.provider import KeyProviderError
from services.vault.unsealing import SealingPair


def named_faults(keys: Iterable[NamedKey], keyring: Keyring) -> Iterator[Fault]:
    """Keys that no KEK opens under their name, and pairs whose halves do not fit."""
    for key in keys:
        what = _named_fault(key, keyring)
        if what:
            yield Fault("keystore", key.table, key.key, what)


def epoch_faults(epochs: Iterable[NamedKey]) -> Iterator[Fault]:
    """More or less than one current epoch."""
    current = [epoch for epoch in epochs if epoch.current]
    for epoch in current[1:]:
        yield Fault("keystore", "epoch_keys", epoch.key, "a second epoch is current")
    if not current:
        yield Fault.of("keystore", "epoch_keys", "no epoch is current", current=True)


def owner_faults(
    owners: Iterable[OwnerRow],
    in_use: Iterable[tuple[str, str]],
    keyring: Keyring,
) -> Iterator[Fault]:
    """Data keys that do not open, are missing, or belong to nobody; both by (site, owner)."""
    users = gathered(in_use, lambda place: place)
    for owner, user in matched(owners, users, lambda o: (o.site, o.owner), lambda g: g[0]):
        site, name = (owner.site, owner.owner) if owner else user[0] if user else ("", "")
        if owner is None:
            what = "the key is missing"
            yield Fault.of("keystore", "data_keys", what, site_id=site, owner_id=name)
            continue
        if user is None:
            what = "belongs to no subject and no document"
            yield Fault.warn("keystore", "data_keys", what, site_id=site, owner_id=name)
        try:
            keyring.open_data_key(site, name, owner.wrapped)
        except KeyProviderError:
            what = "the key does not open: its row was moved or altered, or its epoch is gone"
            yield Fault.of("keystore", "data_keys", what, site_id=site, owner_id=name)


def opened_indexes(keys: Iterable[NamedKey], keyring: Keyring) -> IndexKeys:
    """The index keys that open."""
    opened = {}
    for key in keys:
        columns = dict(key.key)
        try:
            place = columns["site_id"], columns["field"], int(columns["key_version"])
            opened[place] = keyring.open(key.name, key.wrapped)
        except KeyProviderError:
            continue
    return opened


def _named_fault(key: NamedKey, keyring: Keyring) -> str:
    try:
        opened = keyring.open(key.name, key.wrapped)
    except KeyProviderError:
        return "the key does not open: its row was moved or altered, or its KEK is gone"
    if key.name.kind is not KeyKind.SEALING:
        return ""
    private = X25519PrivateKey.from_private_bytes(opened.reveal())
    if private.public_key().public_bytes_raw() != key.public_key:
        return "the public key is not that of the private one"
    if SealingPair(key.public_key, key.wrapped).key_id != key.name.version:
        return "the key is not named by its public half"
    return ""

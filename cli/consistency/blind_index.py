# SPDX-License-Identifier: Apache-2.0
"""Who is found by phone or e-mail is who has it, and everybody who has it is found (T-3.2.3-a)."""

from collections.abc import Iterable, Iterator, Mapping

from cli.consistency.ciphertexts import OpenKey
from cli.consistency.fault import Fault
from cli.consistency.matching import gathered, matched
from cli.consistency.store_keys import OwnerRow
from cli.consistency.store_vault import IndexRow, Sealed
from services.vault.blind_index import INDEXED_FIELDS, blind_index
from services.vault.envelope import CiphertextMisplaced, Place, decrypt
from services.vault.fields import Field
from services.vault.plaintext import SCHEMA, parse
from services.vault.provider import KeyProviderError
from services.vault.secret_key import SecretKey

_INDEXED = {str(field): field for field in INDEXED_FIELDS}
IndexKeys = Mapping[tuple[str, str, int], SecretKey]
"""Opened index keys by (site, field, version)."""


def index_faults(
    current: Iterable[Sealed],
    owners: Iterable[OwnerRow],
    rows: Iterable[IndexRow],
    keys: IndexKeys,
    open_key: OpenKey,
) -> Iterator[Fault]:
    """Rows that are missing, left over, or of another value; all by (site, subject).

    What does not open is the fault of another check, and says nothing of the index.
    """
    groups = gathered(current, lambda each: (each.site, each.owner))
    data = matched(groups, owners, lambda g: g[0], lambda o: (o.site, o.owner))
    known = ((group, owner) for group, owner in data if group is not None)
    indexed = gathered(rows, lambda row: (row.site, row.subject))
    for pair, found in matched(known, indexed, lambda p: p[0][0], lambda g: g[0]):
        sealed, owner = (pair[0][1], pair[1]) if pair else ([], None)
        by_field: dict[str, list[IndexRow]] = {}
        for row in found[1] if found else []:
            by_field.setdefault(row.field, []).append(row)
        site, subject = pair[0][0] if pair else found[0] if found else ("", "")
        values = {each.name: each for each in sealed if each.name in _INDEXED}
        key = _opened(owner, open_key)
        for name in sorted(values.keys() | by_field.keys()):
            what = _fault(by_field.get(name, []), values.get(name), key, keys)
            if what:
                yield Fault.of(
                    "vault", "blind_index", what, site_id=site, field=name, subject_id=subject
                )


def _opened(owner: OwnerRow | None, open_key: OpenKey) -> SecretKey | None:
    if owner is None:
        return None
    try:
        return open_key(owner)
    except KeyProviderError:
        return None


def _fault(
    rows: list[IndexRow], each: Sealed | None, key: SecretKey | None, keys: IndexKeys
) -> str:
    if each is None:
        return "the subject has no such datum"
    if not rows:
        return "the row is missing"
    if len(rows) > 1:
        return "there are two rows for one datum"
    value = _value(each, key)
    if value is None:
        return ""
    row = rows[0]
    index_key = keys.get((row.site, row.field, row.key_version))
    if index_key is None:
        return "its index key is missing or does not open"
    field = _INDEXED[each.name]
    if blind_index(index_key, row.site, field, row.key_version, value) != row.digest:
        return "the digest is not that of the datum"
    return ""


def _value(each: Sealed, key: SecretKey | None) -> str | None:
    if key is None:
        return None
    place = Place(SCHEMA, each.site, each.owner, each.name, each.version)
    try:
        value = parse(Field(each.name), decrypt(key, place, each.ciphertext))
    except (CiphertextMisplaced, ValueError):
        return None
    return value if isinstance(value, str) else None

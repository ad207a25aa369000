# SPDX-License-Identifier: Apache-2.0
"""Every ciphertext opens in its place, every version follows the last (threat T13, I10)."""

from collections.abc import Callable, Iterable, Iterator

from cli.consistency.fault import Fault
from cli.consistency.matching import gathered, matched
from cli.consistency.store_keys import OwnerRow
from cli.consistency.store_vault import Sealed, SubjectRow
from services.vault.envelope import CiphertextMisplaced, Place, decrypt
from services.vault.fields import RECORDED_FIELDS, AnyField, field_of
from services.vault.plaintext import SCHEMA, parse
from services.vault.provider import KeyProviderError
from services.vault.secret_key import SecretKey

OpenKey = Callable[[OwnerRow], SecretKey]
"""Unwraps an owner's key. Raises KeyProviderError."""


def ciphertext_faults(
    sealed: Iterable[Sealed], owners: Iterable[OwnerRow], open_key: OpenKey
) -> Iterator[Fault]:
    """Ciphertexts of one table that do not open where they stand; both by (site, owner)."""
    groups = gathered(sealed, lambda each: (each.site, each.owner))
    for group, owner in matched(groups, owners, lambda g: g[0], lambda o: (o.site, o.owner)):
        if group is None:
            continue
        key = _opened(owner, open_key)
        for each in group[1]:
            what = "its owner's key is missing or does not open" if key is None else ""
            if key is not None:
                what = _open_fault(key, each)
            if what:
                yield Fault("vault", each.table, each.key, what)


def version_faults(
    subjects: Iterable[SubjectRow], current: Iterable[Sealed], former: Iterable[Sealed]
) -> Iterator[Fault]:
    """Versions that do not follow from each other; all three by (site, subject)."""
    present = gathered(current, lambda each: (each.site, each.owner))
    past = gathered(former, lambda each: (each.site, each.owner))
    data = matched(present, past, lambda g: g[0], lambda g: g[0])
    pairs = matched(
        subjects,
        ((now or then, now, then) for now, then in data),
        lambda s: (s.site, s.subject),
        lambda each: each[0][0] if each[0] else ("", ""),
    )
    for subject, rows in pairs:
        now = rows[1][1] if rows and rows[1] else []
        then = rows[2][1] if rows and rows[2] else []
        if subject is None:
            for each in (*now, *then):
                yield Fault("vault", each.table, each.key, "the subject's row is missing")
            continue
        yield from _row_faults(subject, now, then)
        newest = max(
            (*(e.version for e in now), *(e.end_version or 0 for e in then)),
            default=0,
        )
        if newest != subject.data_version:
            yield Fault.of(
                "vault",
                "subjects",
                "the data version is not that of the data",
                site_id=subject.site,
                subject_id=subject.subject,
            )


def _row_faults(subject: SubjectRow, now: list[Sealed], then: list[Sealed]) -> Iterator[Fault]:
    starts = {each.name: each.version for each in now}
    for each in now:
        if not 1 <= each.version <= subject.data_version:
            yield Fault("vault", each.table, each.key, "its version is none of the subject's")
    for name, spans in gathered(then, lambda each: each.name):
        following = [(each.version, each.end_version or 0) for each in spans]
        nexts = [start for start, _ in following[1:]] + [starts.get(name, subject.data_version + 1)]
        for each, (start, end), after in zip(spans, following, nexts, strict=True):
            if not 1 <= start < end <= min(after, subject.data_version):
                yield Fault("vault", each.table, each.key, "its versions overlap with others")


def _opened(owner: OwnerRow | None, open_key: OpenKey) -> SecretKey | None:
    if owner is None:
        return None
    try:
        return open_key(owner)
    except KeyProviderError:
        return None


def _stated(name: str) -> AnyField | None:
    try:
        field = field_of(name)
    except ValueError:
        return None
    return None if field in RECORDED_FIELDS else field


def _open_fault(key: SecretKey, each: Sealed) -> str:
    place = Place(SCHEMA, each.site, each.owner, each.name, each.version)
    try:
        plaintext = decrypt(key, place, each.ciphertext)
    except CiphertextMisplaced:
        return "the ciphertext does not open in this place: moved, altered, or of another key"
    if each.table not in {"data", "data_history"}:
        return ""
    field = _stated(each.name)
    if field is None:
        return "the field is none of the closed list"
    try:
        parse(field, plaintext)
    except ValueError:
        return "the plaintext is not in the form of its field"
    return ""

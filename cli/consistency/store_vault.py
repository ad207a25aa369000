# SPDX-License-Identifier: Apache-2.0
"""The vault's rows beside the standing: what is encrypted, how it is found, what left."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from sqlalchemy import select

from cli.consistency.store_claims import CorrectionRow, DocumentRow
from cli.consistency.store_snapshot import Snapshot, plain
from services.vault import order_documents
from services.vault.tables import (
    blind_index,
    corrections,
    data,
    data_history,
    documents,
    release_entries,
    subjects,
)


@dataclass(frozen=True, slots=True)
class Sealed:
    """A ciphertext and its place; `name` and `version` are those of its associated data."""

    table: str
    key: tuple[tuple[str, str], ...]
    site: str
    owner: str
    name: str
    version: int
    ciphertext: bytes = field(repr=False)
    supplier: str = ""
    end_version: int | None = None


@dataclass(frozen=True, slots=True)
class SubjectRow:
    """A subject."""

    site: str
    subject: str
    life: str
    data_version: int


@dataclass(frozen=True, slots=True)
class IndexRow:
    """A row of the blind index."""

    site: str
    subject: str
    field: str
    key_version: int
    digest: bytes


def subject_rows(vault: Snapshot) -> Iterator[SubjectRow]:
    """Subjects by (site, subject)."""
    s = subjects.c
    for row in vault.stream(select(subjects).order_by(plain(s.site_id), plain(s.subject_id))):
        yield SubjectRow(row.site_id, row.subject_id, row.life, row.data_version)


def current(vault: Snapshot) -> Iterator[Sealed]:
    """The current data by (site, subject, field)."""
    d = data.c
    order = plain(d.site_id), plain(d.subject_id), plain(d.field)
    for row in vault.stream(select(data).order_by(*order)):
        key = ("site_id", row.site_id), ("subject_id", row.subject_id), ("field", row.field)
        yield Sealed(
            "data",
            key,
            row.site_id,
            row.subject_id,
            row.field,
            row.version,
            row.ciphertext,
            row.supplier,
        )


def former(vault: Snapshot) -> Iterator[Sealed]:
    """What was current before, by (site, subject, field, version)."""
    h = data_history.c
    order = plain(h.site_id), plain(h.subject_id), plain(h.field), h.version
    for row in vault.stream(select(data_history).order_by(*order)):
        key = (
            ("site_id", row.site_id),
            ("subject_id", row.subject_id),
            ("field", row.field),
            ("version", str(row.version)),
        )
        yield Sealed(
            "data_history",
            key,
            row.site_id,
            row.subject_id,
            row.field,
            row.version,
            row.ciphertext,
            row.supplier,
            row.end_version,
        )


def kept_documents(vault: Snapshot) -> Iterator[Sealed]:
    """Documents by (site, owner, document)."""
    d = documents.c
    order = plain(d.site_id), plain(d.owner_id), plain(d.document_id)
    for row in vault.stream(select(documents).order_by(*order)):
        key = ("site_id", row.site_id), ("document_id", row.document_id)
        name = f"document/{row.document_id}"
        yield Sealed("documents", key, row.site_id, row.owner_id, name, 1, row.ciphertext)


def kept_for_orders(vault: Snapshot) -> Iterator[tuple[str, str, str, str, str]]:
    """(site, subject, order, document, kind) of what open orders keep, by the first three."""
    d = documents.c
    order = plain(d.site_id), plain(d.owner_id), plain(d.bound_to), plain(d.document_id)
    statement = select(d.site_id, d.owner_id, d.bound_to, d.document_id, d.kind)
    for row in vault.stream(statement.where(d.kind.in_(order_documents.KINDS)).order_by(*order)):
        yield row.site_id, row.owner_id, row.bound_to, row.document_id, row.kind


def staged_corrections(vault: Snapshot) -> Iterator[Sealed]:
    """Corrections by (site, subject, correction)."""
    c = corrections.c
    order = plain(c.site_id), plain(c.subject_id), plain(c.correction_id)
    for row in vault.stream(select(corrections).order_by(*order)):
        key = ("site_id", row.site_id), ("correction_id", row.correction_id)
        name = f"correction/{row.correction_id}"
        yield Sealed("corrections", key, row.site_id, row.subject_id, name, 1, row.ciphertext)


def written_corrections(vault: Snapshot) -> Iterator[tuple[tuple[str, str], int]]:
    """((site, subject), version) of corrections that were written, by both."""
    c = corrections.c
    statement = select(c.site_id, c.subject_id, c.applied_version).where(
        c.applied_version.is_not(None)
    )
    order = plain(c.site_id), plain(c.subject_id), c.applied_version
    for row in vault.stream(statement.order_by(*order)):
        yield (row.site_id, row.subject_id), row.applied_version


def corrections_by_id(vault: Snapshot) -> Iterator[CorrectionRow]:
    """Corrections by id."""
    for r in vault.stream(select(corrections).order_by(plain(corrections.c.correction_id))):
        yield CorrectionRow(r.correction_id, r.site_id, r.subject_id, r.claim_id, r.applied_version)


def documents_by_id(vault: Snapshot) -> Iterator[DocumentRow]:
    """Documents of claims by (site, document)."""
    d = documents.c
    statement = select(d.site_id, d.document_id, d.owner_id, d.bound_to, d.kind)
    statement = statement.where(d.kind.not_in(order_documents.KINDS))
    for r in vault.stream(statement.order_by(plain(d.site_id), plain(d.document_id))):
        yield DocumentRow(r.site_id, r.document_id, r.owner_id, r.bound_to, r.kind, delivered=True)


def owners_in_use(vault: Snapshot) -> Iterator[tuple[str, str]]:
    """(site, owner) of whoever lives or has documents, by both."""
    every = (
        select(subjects.c.site_id, subjects.c.subject_id.label("owner_id"))
        .where(subjects.c.life != "DESTROYED")
        .union(select(documents.c.site_id, documents.c.owner_id))
        .subquery()
    )
    statement = select(every).order_by(plain(every.c.site_id), plain(every.c.owner_id))
    for row in vault.stream(statement):
        yield row.site_id, row.owner_id


def index_rows(vault: Snapshot) -> Iterator[IndexRow]:
    """The blind index by (site, subject, field, key version, digest)."""
    b = blind_index.c
    order = plain(b.site_id), plain(b.subject_id), plain(b.field), b.key_version, b.digest
    for r in vault.stream(select(blind_index).order_by(*order)):
        yield IndexRow(r.site_id, r.subject_id, r.field, r.key_version, r.digest)


def releases(vault: Snapshot) -> Iterator[tuple[str, str, str]]:
    """(site, release, entry) of data that left for a release, by the first two."""
    r = release_entries.c
    for row in vault.stream(
        select(release_entries).order_by(plain(r.site_id), plain(r.release_id))
    ):
        yield row.site_id, row.release_id, row.entry_id

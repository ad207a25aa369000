# SPDX-License-Identifier: Apache-2.0
"""The claims' texts and corrections are where the claims service says they are (6.2.3, 8)."""

from collections.abc import Iterable, Iterator

from cli.consistency.fault import Fault
from cli.consistency.matching import matched
from cli.consistency.store_claims import CorrectionRow, DocumentRow


def document_faults(sent: Iterable[DocumentRow], kept: Iterable[DocumentRow]) -> Iterator[Fault]:
    """Documents that were delivered but are not kept, or kept elsewhere; by (site, document)."""
    for mine, there in matched(sent, kept, _document, _document):
        if mine is None:
            if there is not None:
                yield _fault("vault", "documents", there, "no claim has this document")
        elif there is None:
            if mine.delivered:
                what = "was delivered, but the vault does not have it"
                yield _fault("claims", "sealed_documents", mine, what)
        elif (mine.owner, mine.bound_to, mine.kind) != (there.owner, there.bound_to, there.kind):
            yield _fault("vault", "documents", there, "its place is not the one it was sealed for")


def correction_faults(
    concluded: Iterable[CorrectionRow], staged: Iterable[CorrectionRow]
) -> Iterator[Fault]:
    """Corrections that were concluded but are not staged, or written otherwise; by id.

    One that is staged only is of a conclusion that did not come about.
    """
    for mine, there in matched(concluded, staged, _correction, _correction):
        what = ""
        if mine is None:
            if there is not None and there.version is not None:
                what = "it was written, but no claim was concluded with it"
        elif there is None:
            what = "the vault does not have it"
        elif (mine.site, mine.subject, mine.claim_id) != (
            there.site,
            there.subject,
            there.claim_id,
        ):
            what = "claim or subject are not those of the vault's"
        elif mine.version is not None and mine.version != there.version:
            what = "it was not written as this version"
        if what:
            database, row = ("claims", mine) if mine is not None else ("vault", there)
            assert row is not None
            yield Fault.of(database, "corrections", what, correction_id=row.correction_id)


def _document(row: DocumentRow) -> tuple[str, str]:
    return row.site, row.document_id


def _correction(row: CorrectionRow) -> str:
    return row.correction_id


def _fault(database: str, table: str, row: DocumentRow, what: str) -> Fault:
    return Fault.of(database, table, what, site_id=row.site, document_id=row.document_id)

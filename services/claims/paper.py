# SPDX-License-Identifier: Apache-2.0
"""Files and notes of a claim: what a file is by its first bytes, and how much a claim carries."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from services.claims.documents import DocumentKind

FILES_BYTES: Final = 8 * 1024 * 1024
"""Of all files of a claim together: its court bundle has to fit into one answer."""
NOTES: Final = 500
"""Notes of a claim."""
ENDINGS: Final[Mapping[str, str]] = {
    "application/pdf": "pdf",
    "image/png": "png",
    "image/jpeg": "jpg",
}
_MAGIC: Final = {
    b"%PDF-": "application/pdf",
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
}


@dataclass(frozen=True, slots=True)
class Paper:
    """A note or a file, without its words and bytes; `media_type` is None for a note."""

    document_id: str
    kind: DocumentKind
    media_type: str | None
    size: int
    author: str
    record_time: datetime


def media_type_of(content: bytes) -> str | None:
    """What a file's first bytes say it is; None for anything but PDF, PNG and JPEG.

    It is never opened here: what it says is enough to name it, not to trust it.
    """
    return next((kind for magic, kind in _MAGIC.items() if content.startswith(magic)), None)

# SPDX-License-Identifier: Apache-2.0
"""An archive for whoever has nothing of ours: plain files, their digests, a detached signature.

The digests are `sha256sum -c SHA256SUMS`, the signature `openssl pkeyutl -verify` (5.3, 8.3).
"""

import hashlib
import io
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from services.chassis.signing import Signer, public_pem

SUMS, SIGNATURE, PUBLIC_KEY, READ_ME = (
    "SHA256SUMS",
    "SHA256SUMS.sig",
    "public-key.pem",
    "README.txt",
)
_EARLIEST_OF_ZIP: Final = 1980

_READ_ME: Final = f"""\
{{start}} - бастау беті / начните отсюда / begin here

sha256sum -c {SUMS}
openssl pkeyutl -verify -pubin -inkey {PUBLIC_KEY} -rawin -in {SUMS} -sigfile {SIGNATURE}

{PUBLIC_KEY}: compare it with the key that the operator publishes (GET {{published}}).
"""


@dataclass(frozen=True, slots=True)
class ArchiveFile:
    """A file of the archive; its name holds nothing personal."""

    name: str
    content: bytes = field(repr=False)


def pack(files: Sequence[ArchiveFile], signer: Signer, moment: datetime, published: str) -> bytes:
    """The archive as ZIP, made at `moment` (aware); its first file is where to begin.

    `published` is the path at which the operator publishes the signer's key. Raises ValueError for
    a name twice.
    """
    sums = "".join(
        f"{hashlib.sha256(each.content).hexdigest()}  {each.name}\n"
        for each in sorted(files, key=lambda each: each.name)
    ).encode()
    sealed = [
        ArchiveFile(SUMS, sums),
        ArchiveFile(SIGNATURE, signer.sign(sums).value),
        ArchiveFile(PUBLIC_KEY, public_pem(signer.public_key).encode()),
        ArchiveFile(READ_ME, _READ_ME.format(start=files[0].name, published=published).encode()),
    ]
    return _zip([*files, *sealed], moment)


def _zip(files: Iterable[ArchiveFile], moment: datetime) -> bytes:
    when = moment.timetuple()[:6]
    if when[0] < _EARLIEST_OF_ZIP:
        raise ValueError("a ZIP knows no time before 1980")
    written: set[str] = set()
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for each in files:
            if each.name in written:
                raise ValueError(f"{each.name} is there already")
            written.add(each.name)
            archive.writestr(zipfile.ZipInfo(each.name, when), each.content, zipfile.ZIP_DEFLATED)
    return target.getvalue()

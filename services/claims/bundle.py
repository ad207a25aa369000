# SPDX-License-Identifier: Apache-2.0
"""A court's archive of a claim: plain files, their digests, a detached signature (clause 8.3).

Nothing of ours is needed to read or verify it: the page is HTML without scripts, the digests are
`sha256sum -c SHA256SUMS`, the signature `openssl pkeyutl -verify`.
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
index.html - бастау беті / начните отсюда / begin here

sha256sum -c {SUMS}
openssl pkeyutl -verify -pubin -inkey {PUBLIC_KEY} -rawin -in {SUMS} -sigfile {SIGNATURE}

{PUBLIC_KEY}: compare it with the key that the operator publishes (GET /v1/signing-keys/claims).
"""


@dataclass(frozen=True, slots=True)
class BundleFile:
    """A file of the archive; its name holds nothing personal."""

    name: str
    content: bytes = field(repr=False)


def pack(files: Sequence[BundleFile], signer: Signer, moment: datetime) -> bytes:
    """The archive as ZIP, made at `moment` (aware). Raises ValueError for a name twice."""
    sums = "".join(
        f"{hashlib.sha256(each.content).hexdigest()}  {each.name}\n"
        for each in sorted(files, key=lambda each: each.name)
    ).encode()
    sealed = [
        BundleFile(SUMS, sums),
        BundleFile(SIGNATURE, signer.sign(sums).value),
        BundleFile(PUBLIC_KEY, public_pem(signer.public_key).encode()),
        BundleFile(READ_ME, _READ_ME.encode()),
    ]
    return _zip([*files, *sealed], moment)


def _zip(files: Iterable[BundleFile], moment: datetime) -> bytes:
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

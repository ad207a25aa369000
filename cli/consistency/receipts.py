# SPDX-License-Identifier: Apache-2.0
"""What a recipient's receipt says is in evidence too, under a key that is known (clause 5.2)."""

from collections.abc import Iterable, Iterator

from cli.consistency.fault import Fault
from cli.consistency.matching import gathered, matched
from services.chassis.signing import PUBLIC_KEY_BYTES, key_id_of


def receipt_faults(
    answered: Iterable[tuple[str, str]], receipted: Iterable[tuple[str, str]]
) -> Iterator[Fault]:
    """Answered releases whose evidence lacks the digest of what left; both by (site, release)."""
    proofs = gathered(receipted, lambda r: r)
    for release, proof in matched(answered, proofs, lambda r: r, lambda g: g[0]):
        if release is not None and proof is None:
            what = "no evidence entry has the digest of its receipt"
            yield Fault.of(
                "disclosure", "releases", what, site_id=release[0], release_id=release[1]
            )


def key_faults(keys: Iterable[tuple[str, bytes]], *, used: bool) -> Iterator[Fault]:
    """Public keys that are not what their names say; where any was `used`, one has to be kept."""
    found = False
    for key_id, public_key in keys:
        found = True
        if len(public_key) != PUBLIC_KEY_BYTES or key_id_of(public_key) != key_id:
            what = "the public key is not the one that receipts name"
            yield Fault.of("disclosure", "receipt_keys", what, key_id=key_id)
    if used and not found:
        yield Fault.of(
            "disclosure", "receipt_keys", "no key is kept that receipts were signed with"
        )

# SPDX-License-Identifier: Apache-2.0
"""Whom a person reads to have their data is who was let in (clauses 5.2, 5.3, 6.1.3)."""

from collections.abc import Iterable, Iterator

from cli.consistency.fault import Fault
from cli.consistency.matching import matched

Name = tuple[str, str, str, str, str]
"""(site, recipient, kind, legal name, BIN)"""


def name_faults(broker: Iterable[Name], vault: Iterable[Name]) -> Iterator[Fault]:
    """Names that the vault has otherwise than the broker; both by (site, recipient).

    One that the vault has not heard yet is no fault: the broker tells it within a second or so.
    """
    for let_in, told in matched(broker, vault, lambda n: n[:2], lambda n: n[:2]):
        if let_in is not None and told is not None and let_in != told:
            what = "another name, kind or BIN than the broker has"
            yield Fault.of("vault", "named_recipients", what, site_id=told[0], recipient_id=told[1])

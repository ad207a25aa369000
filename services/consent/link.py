# SPDX-License-Identifier: Apache-2.0
"""The links of a visitor to accounts (clause 1.1.5).

A link is a proposal until the vault has applied it. None is ever forgotten: an ended one goes on
standing with its end, so that no restored copy revives it.
"""

from dataclasses import dataclass, replace
from datetime import datetime

MOST_LINKS = 16
"""Of one visitor, ended ones too; as many as a slice holds."""


@dataclass(frozen=True, slots=True)
class Link:
    """A pointer to an account, and when it ended."""

    act_id: str
    account_id: str
    time: datetime
    end_time: datetime | None = None


@dataclass(frozen=True, slots=True)
class Links:
    """Those that were in force once, in the order of their times, and the one on its way."""

    settled: tuple[Link, ...] = ()
    proposed: Link | None = None

    @property
    def live(self) -> Link | None:
        """The link in force."""
        return next((link for link in self.settled if link.end_time is None), None)

    @property
    def last(self) -> Link | None:
        """The link in force, or the one on its way."""
        return self.live or self.proposed

    @property
    def full(self) -> bool:
        """Whether no more can be recorded."""
        return len(self.settled) >= MOST_LINKS

    def propose(self, link: Link) -> "Links":
        """A link is on its way."""
        return replace(self, proposed=link)

    def end(self, time: datetime) -> "Links":
        """End the link in force, and the one on its way.

        The vault may have applied that although its answer never came: it is kept, ended.
        """
        ended = [link if link.end_time else replace(link, end_time=time) for link in self.settled]
        if self.proposed is not None:
            ended.append(replace(self.proposed, end_time=time))
        return Links(tuple(ended))

    def disagree(self, time: datetime) -> "Links":
        """The visitor disagreed: a link on its way comes into force no more."""
        return self if self.proposed is None else self.end(time)

    def mend(self, link: Link) -> "Links":
        """The vault holds a link, or the end of one, that this book had forgotten."""
        others = [each for each in self.settled if each.act_id != link.act_id]
        settled = tuple(sorted([*others, link], key=lambda each: (each.time, each.act_id)))
        same = self.proposed is not None and self.proposed.act_id == link.act_id
        return Links(settled, None if same else self.proposed)

    def settle(self, act_id: str, *, applied: bool) -> "Links":
        """The vault has answered a link."""
        if self.proposed is None or self.proposed.act_id != act_id:
            return self
        return Links((*self.settled, self.proposed) if applied else self.settled)

# SPDX-License-Identifier: Apache-2.0
"""Rules of the push protocol between a decider (consent, claims, disclosure) and the vault.

Pure. The vault calls `judge`, `next_incarnation`, `completes`; a decider calls `next_step`.
`docs/protocol.md` says the protocol in words; `tests/protocol` runs these functions through every
interleaving of its bounds.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


class SliceVersion(NamedTuple):
    """A place in the history of one slice, ordered by incarnation, then counter.

    `incarnation` is the decider database's life, given by the vault (first one: 1); `counter` is
    per (site, subject) and goes up by one with every change of the slice's bytes, verdicts and
    mended facts included, so that one version never names two byte strings.
    """

    incarnation: int
    counter: int


class Stamp(NamedTuple):
    """A version and the SHA-256 of the canonical bytes that it names."""

    version: SliceVersion
    digest: bytes


class Verdict(StrEnum):
    """What the vault says about a whole push."""

    APPLIED = "APPLIED"
    REPEAT = "REPEAT"
    STALE = "STALE"
    CONFLICT = "CONFLICT"
    NEEDS_ALL = "NEEDS_ALL"


class ProposalVerdict(StrEnum):
    """What the vault says about one open proposal (acceptance, grant, open order) of a push.

    SUPERSEDED: never decided, but the vault knows it as ended (the decider forgot so); the fact
    stays, ended. DEFERRED: the vault was restored and does not hold every decider's slices again;
    it cannot decide yet, the act stays PENDING and the same slice is pushed again.
    """

    APPLIED = "APPLIED"
    REFUSED = "REFUSED"
    SUPERSEDED = "SUPERSEDED"
    DEFERRED = "DEFERRED"


class Step(StrEnum):
    """What a decider does after an answer.

    DONE: the vault holds the slice sent; every restricting act up to its counter is in force,
    every proposal in it has the verdict that the answer names. RETRY: push the *current* slice
    again. OPEN_INCARNATION: push nothing more, take a new incarnation, then push everything.
    """

    DONE = "DONE"
    RETRY = "RETRY"
    OPEN_INCARNATION = "OPEN_INCARNATION"


@dataclass(frozen=True, slots=True)
class Answer:
    """The head of the vault's answer to a push.

    `current` is the version the vault holds for this slice after the push (None: none yet),
    `highest_incarnation` the highest it has given to this decider. Both are in every answer:
    a push can be stale although `current` is lower, when only an incarnation was opened.
    """

    verdict: Verdict
    vault_incarnation: str
    highest_incarnation: int
    current: SliceVersion | None


def judge(
    current: Stamp | None,
    incoming: Stamp,
    highest_incarnation: int,
    *,
    names_this_vault: bool,
) -> Verdict:
    """Judge a push; the caller holds the subject's exclusive lock.

    `current` is what the vault holds of this slice, `highest_incarnation` the highest it has given
    to this decider; `names_this_vault`: the push names the vault's present incarnation.
    """
    if not names_this_vault:
        return Verdict.NEEDS_ALL
    if incoming.version.incarnation < highest_incarnation:
        return Verdict.STALE
    if incoming.version.incarnation > highest_incarnation:
        return Verdict.CONFLICT
    if current is None or current.version.incarnation < incoming.version.incarnation:
        return Verdict.APPLIED
    if current.version > incoming.version:
        return Verdict.STALE
    if current.version == incoming.version:
        return Verdict.REPEAT if current.digest == incoming.digest else Verdict.CONFLICT
    return Verdict.APPLIED


def next_incarnation(highest_incarnation: int, known_to_decider: int) -> int:
    """Give the number of a new incarnation; the vault records it as the highest.

    Both sides' memories count, because either may have been restored.
    """
    return max(highest_incarnation, known_to_decider) + 1


def completes(names_this_vault: bool, incarnation: int, highest_incarnation: int) -> bool:
    """Tell whether a CompleteResync counts: only one of the two present lives does."""
    return names_this_vault and incarnation == highest_incarnation


def next_step(sent: SliceVersion, own: SliceVersion, own_vault: str, answer: Answer) -> Step:
    """Choose a decider's next step after the answer to the push of `sent`.

    `own` and `own_vault` are the slice's version and the vault incarnation in the decider's
    database when the answer is handled, read under the slice's lock. An answer that belongs to
    a former life of either side settles nothing.
    """
    if answer.verdict is Verdict.NEEDS_ALL:
        known = answer.vault_incarnation == own_vault
        return Step.RETRY if known else Step.OPEN_INCARNATION
    if answer.vault_incarnation != own_vault or sent.incarnation != own.incarnation:
        return Step.RETRY
    if answer.verdict is Verdict.CONFLICT:
        return Step.OPEN_INCARNATION
    if answer.verdict is Verdict.STALE:
        unknown = answer.current is not None and answer.current > own
        forgotten = answer.highest_incarnation > own.incarnation
        return Step.OPEN_INCARNATION if unknown or forgotten else Step.RETRY
    return Step.DONE

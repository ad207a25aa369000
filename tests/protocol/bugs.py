# SPDX-License-Identifier: Apache-2.0
"""Planted bugs: each a protocol that looks right; the model must find what it breaks."""

from dataclasses import replace
from enum import StrEnum

from services.vault.standing import ClaimsStanding, ConsentStanding, Slice


class Bug(StrEnum):
    DELTA = "a push carries only what the last act changed"
    ACKNOWLEDGE_FIRST = "acknowledge, then push"
    COUNTER_REUSED = "after a restore count on in the same incarnation"
    NO_CARRY = "a new slice replaces the old one, restrictions included"
    EARLY_READS = "a restored vault serves reads before every decider has pushed again"
    EARLY_DECISIONS = "a restored vault decides proposals before every decider has pushed again"
    ONE_ID = "a link is decided on what stands of the visitor alone"
    NO_MEMORY = "the vault decides a repeated proposal again"
    CARRY_ONCE = "restrictions are carried over only when the incarnation changes"
    SHORT_MEMORY = "the vault forgets verdicts on proposals that the slice no longer names"
    NO_MENDING = "a decider does not mend its book with carried facts"
    MEND_LAST = "a decider records verdicts before it mends its book"
    ALL_OR_NOTHING = "CompleteResync waits for proposals that the vault has deferred"
    SAME_COUNTER = "a verdict changes the slice's bytes but not its counter"
    COMPLETE_FIRST = "CompleteResync before the slices are confirmed"
    ANY_COMPLETION = "a CompleteResync of a former life counts"
    ANY_VAULT = "a push does not name the vault's incarnation"
    OLD_ANSWERS = "an answer to a push of a former life is believed"
    RESTORED_UNNOTICED = "the vault's database is set back and nobody notices"


def delta(before: Slice, after: Slice) -> Slice:
    """Keep of a slice only what the last act changed."""
    if isinstance(before, ClaimsStanding) and isinstance(after, ClaimsStanding):
        return replace(after, blocks=tuple(b for b in after.blocks if b not in before.blocks))
    if isinstance(before, ConsentStanding) and isinstance(after, ConsentStanding):
        return replace(after, consents=tuple(f for f in after.consents if f not in before.consents))
    return after


def overlaid(held: Slice, changed: Slice) -> Slice:
    """Write a delta over the slice held."""
    if isinstance(held, ClaimsStanding) and isinstance(changed, ClaimsStanding):
        ids = {block.claim_id for block in changed.blocks}
        rest = tuple(block for block in held.blocks if block.claim_id not in ids)
        return replace(changed, blocks=rest + changed.blocks)
    if isinstance(held, ConsentStanding) and isinstance(changed, ConsentStanding):
        ids = {fact.proposal_id for fact in changed.consents}
        kept = tuple(fact for fact in held.consents if fact.proposal_id not in ids)
        return replace(changed, consents=kept + changed.consents)
    return changed

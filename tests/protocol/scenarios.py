# SPDX-License-Identifier: Apache-2.0
"""The bounds that the model is enumerated within: one subject, one to three deciders.

Or a visitor, whose consents are told by one decider, and an account, whose claims by another.
"""

from typing import NamedTuple

from services.vault.standing import (
    ClaimsStanding,
    ConsentFact,
    ConsentStanding,
    OrderStanding,
)
from tests.protocol.acts import START, Act, Body, Kind, moment


class Scenario(NamedTuple):
    """Bounds of one enumeration.

    `books`: each decider's book at the start, which the vault holds; `scripts`: its acts, in
    order. `restores`: the deciders that are restored at most once, to any earlier state;
    `noticed`: in which ways that is seen at their start. `vault_restores`: how often the vault is.
    `strays`: OpenIncarnation calls whose answer is lost or that arrive late. `answers`: answers
    that wait for one decider at once. `visitor`: the claims are of the account that the subject of
    the rest may be linked to.
    """

    name: str
    books: tuple[Body, ...]
    scripts: tuple[tuple[Act, ...], ...]
    restores: tuple[int, ...]
    vault_restores: int
    strays: int = 0
    noticed: tuple[bool, ...] = (True, False)
    answers: int = 1
    visitor: bool = False


NEWS = ConsentFact("NEWS", 1, START, None, None, None, "grant-0")
ACCEPTED = Body(ConsentStanding(1, START, None, ()), frozenset())
CONSENTED = Body(ConsentStanding(1, START, None, (NEWS,)), frozenset())
UNBLOCKED = Body(ClaimsStanding((), ()), frozenset())
ORDERLESS = Body(OrderStanding(()), frozenset())

BLOCK, LIFT = Act(Kind.BLOCK, "c1"), Act(Kind.LIFT, "c1")
BLOCK_2, BLOCK_3 = Act(Kind.BLOCK, "c2"), Act(Kind.BLOCK, "c3")
GRANT = Act(Kind.GRANT, "NEWS", "grant-1")
GRANT_2 = Act(Kind.GRANT, "ADVERTISING", "grant-2")
WITHDRAW, DISAGREE = Act(Kind.WITHDRAW, "NEWS"), Act(Kind.DISAGREE)
USE = Act(Kind.USE, "", f"accept-{moment(1)}")
ACCEPT = Act(Kind.ACCEPT, "", f"accept-{moment(1)}")
LINK, UNLINK = Act(Kind.LINK, "account", "link-1"), Act(Kind.UNLINK, "account")
ORDER, CLOSE = Act(Kind.ORDER, "A-1", "order-1"), Act(Kind.CLOSE, "A-1")

SCENARIOS = {
    scenario.name: scenario
    for scenario in (
        Scenario("block, lift", (UNBLOCKED,), ((BLOCK, LIFT),), (0,), 1),
        Scenario("block, stray opening", (UNBLOCKED,), ((BLOCK,),), (0,), 1, strays=1),
        Scenario("three blocks", (UNBLOCKED,), ((BLOCK, BLOCK_2, BLOCK_3),), (0,), 0),
        Scenario("block, vault restored twice", (UNBLOCKED,), ((BLOCK,),), (0,), 2),
        Scenario("grant, withdraw", (ACCEPTED,), ((GRANT, WITHDRAW),), (0,), 1),
        Scenario("withdraw, grant", (CONSENTED,), ((WITHDRAW, GRANT),), (0,), 1),
        Scenario("grant, grant", (ACCEPTED,), ((GRANT, GRANT_2),), (0,), 0, answers=2),
        Scenario("disagree, use", (CONSENTED,), ((DISAGREE, USE),), (0,), 1),
        Scenario("disagree, accept", (CONSENTED,), ((DISAGREE, ACCEPT),), (0,), 1),
        Scenario("order, close", (ORDERLESS,), ((ORDER, CLOSE),), (0,), 1),
        Scenario("block | grant", (UNBLOCKED, ACCEPTED), ((BLOCK,), (GRANT,)), (), 1),
        Scenario("block, lift | order", (UNBLOCKED, ORDERLESS), ((BLOCK, LIFT), (ORDER,)), (0,), 0),
        Scenario(
            "block, lift | grant, grant",
            (UNBLOCKED, ACCEPTED),
            ((BLOCK, LIFT), (GRANT, GRANT_2)),
            (1,),
            0,
            noticed=(True,),
        ),
        Scenario(
            "block, lift | grant, withdraw",
            (UNBLOCKED, ACCEPTED),
            ((BLOCK, LIFT), (GRANT, WITHDRAW)),
            (),
            0,
        ),
        Scenario(
            "block, lift | withdraw, grant | order",
            (UNBLOCKED, CONSENTED, ORDERLESS),
            ((BLOCK, LIFT), (WITHDRAW, GRANT), (ORDER,)),
            (),
            0,
        ),
        Scenario("link, unlink", (ACCEPTED,), ((LINK, UNLINK),), (0,), 1, visitor=True),
        Scenario(
            "block | link, unlink",
            (UNBLOCKED, ACCEPTED),
            ((BLOCK,), (LINK, UNLINK)),
            (1,),
            0,
            visitor=True,
        ),
        Scenario("block | link", (UNBLOCKED, ACCEPTED), ((BLOCK,), (LINK,)), (), 1, visitor=True),
    )
}

DEEP_SCENARIOS = {
    scenario.name: scenario
    for scenario in (
        Scenario("block, lift", (UNBLOCKED,), ((BLOCK, LIFT),), (0,), 2, answers=2),
        Scenario("three blocks", (UNBLOCKED,), ((BLOCK, BLOCK_2, BLOCK_3),), (0,), 1),
        Scenario(
            "grant, withdraw", (ACCEPTED,), ((GRANT, WITHDRAW),), (0,), 1, strays=1, answers=2
        ),
        Scenario("withdraw, grant", (CONSENTED,), ((WITHDRAW, GRANT),), (0,), 2),
        Scenario("disagree, use", (CONSENTED,), ((DISAGREE, USE),), (0,), 2),
        Scenario("order, close", (ORDERLESS,), ((ORDER, CLOSE),), (0,), 2),
        Scenario("link, unlink", (ACCEPTED,), ((LINK, UNLINK),), (0,), 2, visitor=True),
        Scenario("block | link", (UNBLOCKED, ACCEPTED), ((BLOCK,), (LINK,)), (1,), 1, visitor=True),
        Scenario("block | grant", (UNBLOCKED, ACCEPTED), ((BLOCK,), (GRANT,)), (1,), 1),
        Scenario("block, lift | grant", (UNBLOCKED, ACCEPTED), ((BLOCK, LIFT), (GRANT,)), (0,), 1),
        Scenario(
            "block | grant | order",
            (UNBLOCKED, ACCEPTED, ORDERLESS),
            ((BLOCK,), (GRANT,), (ORDER,)),
            (),
            1,
        ),
    )
}

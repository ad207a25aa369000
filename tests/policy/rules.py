# SPDX-License-Identifier: Apache-2.0
"""Every rule of the policy's clauses, and which of them the product cannot show yet.

`RULES` is the requirement. A rule has tests that name it in their docstrings, or stands in `OPEN`
with what is missing. A rule in `PARTLY` has tests, and still lacks what is said there. The number
is the issue that brings the rest.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

# Each clause with the letters of its rules.
_LETTERED = (
    "0:a 1.1.1:ab 1.1.2:a 1.1.3:a 1.1.4:a 1.1.5:a 1.1.6:a 1.1.7:a "
    "2.1:abc 2.2:abc 2.3:ab 2.4:a "
    "3.1:a 3.2:ab 3.2.1:a 3.2.2:a 3.2.3:a 3.2.4:a 3.3:a 3.3.1:a 3.3.2:a 3.4:a "
    "4.1:ab 4.1.1:a 4.1.2:a 4.1.3:a 4.1.4:a 4.1.5:a 4.1.6:a 4.1.7:a 4.1.8:a 4.1.9:a 4.1.10:a "
    "4.1.11:a 4.1.12:a "
    "5.1:ab 5.2:abc 5.3:abc "
    "6.1.1:a 6.1.2:a 6.1.3:a 6.2.1:a 6.2.2:ab 6.2.3:abcde "
    "7.1:a 7.2:abc 7.3:a 8.1:ab 8.2:abcde 8.3:a 8.4:a 9.1:ab 9.2:abcd"
)
RULES = frozenset(
    f"T-{clause}-{letter}"
    for clause, _, letters in (each.partition(":") for each in _LETTERED.split())
    for letter in letters
)


@dataclass(frozen=True, slots=True)
class Missing:
    """What the product lacks for a rule, and the issue that brings it."""

    what: str
    issue: int


def _missing(rules: Mapping[str, tuple[int, str]]) -> Mapping[str, Missing]:
    return MappingProxyType({rule: Missing(what, issue) for rule, (issue, what) in rules.items()})


OPEN = _missing(
    {
        "T-5.1-b": (3, "no DestroySubject"),
        "T-5.3-a": (4, "no requests of state bodies"),
        "T-5.3-b": (4, "no requests of state bodies"),
        "T-5.3-c": (4, "no requests of state bodies"),
        "T-6.1.3-a": (3, "no one-time codes for the person, no ListProcessing"),
        "T-7.1-a": (5, "no incident register"),
        "T-7.2-a": (5, "no incident register"),
        "T-7.2-b": (5, "no incident register"),
        "T-8.1-b": (5, "no ReferToCourt: the state COURT cannot be asked for at all"),
        "T-8.2-e": (5, "a due date that passes makes no NO_ANSWER and tells nobody"),
        "T-8.3-a": (5, "no court bundle"),
    }
)

PARTLY = _missing(
    {
        "T-0-a": (3, "a datum's policy version stands in its evidence, not in its row; orders"),
        "T-1.1.1-a": (2, "a call with no token at all is refused by the gateway unrecorded"),
        "T-1.1.1-b": (3, "shown by name and BIN; not by address, contact and responsible person"),
        "T-1.1.5-a": (3, "no LinkVisitor"),
        "T-2.4-a": (3, "no datum carries verification=UNVERIFIED"),
        "T-3.2-b": (3, "the form is kept where it is named; it need not be"),
        "T-3.2.4-a": (3, "a new category needs a new contract, configuration cannot add one"),
        "T-3.3.1-a": (3, "use events carry no cookie that could be missing"),
        "T-5.1-a": (3, "shown by back-dated data and by the gate's decision at later times"),
        "T-5.2-a": (4, "a telecom operator gets the phone, but no message text can be given"),
        "T-6.1.2-a": (3, "no audit reads former versions, no verifier the proposed correction"),
        "T-6.2.2-a": (4, "the pair (state body, 5.3) does not exist yet"),
        "T-6.2.3-a": (3, "no depersonalising, destroying and own view that a block could meet"),
        "T-6.2.3-e": (5, "no destruction task; that a block is lifted in time nobody watches"),
        "T-7.2-c": (5, "the consent is proven for an instant; no incident can name it yet"),
        "T-8.1-a": (5, "a claim does not name its recipient, and the site's has no own clock"),
    }
)

# SPDX-License-Identifier: Apache-2.0
"""JSON read without forgiving anything.

What Python's reader would let pass (the last of two equal members, NaN, numbers without bounds,
any depth) is either refused here or kept visible for the walk against the contract, which can name
the field it stands in.
"""

import json
import math
import re

from services.chassis.refusal import FieldViolation, Malformed

MAX_DEPTH = 32
_MAX_DIGITS = 18
# A string that never ends is one token too: else the search would begin anew at each quote in it.
_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*+"?|[\[{\]}]', re.DOTALL)


class Members:
    """The members of a JSON object in their order, equal names kept."""

    __slots__ = ("pairs",)

    def __init__(self, pairs: list[tuple[str, object]]) -> None:
        self.pairs = pairs


class Unusable:
    """A number that no field can hold: NaN, an infinity, or one of too many digits."""

    __slots__ = ()


def read_json(body: bytes) -> object:
    """The JSON value in `body`: None, bool, int, float, str, list, Members or Unusable.

    Raises Malformed for what is not JSON in UTF-8 or is nested deeper than MAX_DEPTH.
    """
    _check_depth(body)
    try:
        return json.loads(
            body.decode("utf-8"),
            object_pairs_hook=Members,
            parse_int=_integer,
            parse_float=_decimal,
            parse_constant=lambda _: Unusable(),
        )
    except ValueError:
        raise Malformed(fields=[_NOT_JSON]) from None


def _integer(digits: str) -> int | Unusable:
    return int(digits) if len(digits) <= _MAX_DIGITS else Unusable()


def _decimal(digits: str) -> float | Unusable:
    value = float(digits)
    return value if math.isfinite(value) else Unusable()


def _check_depth(body: bytes) -> None:
    # Only a body with that many brackets can be that deep.
    if body.count(b"[") + body.count(b"{") <= MAX_DEPTH:
        return
    depth = 0
    for token in _TOKEN.finditer(body):
        if token[0] in (b"[", b"{"):
            depth += 1
            if depth > MAX_DEPTH:
                raise Malformed(fields=[_TOO_DEEP])
        elif token[0] in (b"]", b"}"):
            depth -= 1


_NOT_JSON = FieldViolation("", "json", "the body is not JSON in UTF-8")
_TOO_DEEP = FieldViolation("", "depth", "the body is nested too deeply")

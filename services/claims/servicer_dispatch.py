# SPDX-License-Identifier: Apache-2.0
"""What a caller says of how a letter left, and what is wrong with it (clause 8.2)."""

from datetime import datetime, timedelta

from qupia.claims.v1 import claims_pb2
from services.chassis.deadline import local_date
from services.chassis.refusal import FieldViolation, InvalidArgument
from services.claims import wire
from services.claims.state import AnswerIncomplete, Dispatch

_CLOCKS_DIFFER = timedelta(minutes=1)


def given_dispatch(given: claims_pb2.Dispatch) -> Dispatch:
    """A dispatch that is whole. Raises InvalidArgument."""
    channel = claims_pb2.Dispatch.Channel.Name(given.channel) if given.channel else ""
    time = wire.instant(given.time) if given.HasField("time") else None
    try:
        return Dispatch(channel, time, given.proof)
    except AnswerIncomplete as incomplete:
        raise blank_parts(incomplete) from None


def blank_parts(incomplete: AnswerIncomplete) -> InvalidArgument:
    """The refusal that names the parts that are missing."""
    return InvalidArgument(
        fields=[FieldViolation(part, "blank", "has to say something") for part in incomplete.parts]
    )


def time_faults(dispatch: Dispatch, earliest: datetime, now: datetime) -> list[FieldViolation]:
    """Violations of a dispatch before the day of `earliest`, or after now."""
    # Proofs name a day or a minute, and clocks differ: the day itself is early enough, a minute
    # ahead not late.
    time = dispatch.time
    early = time is not None and local_date(time) < local_date(earliest)
    late = time is not None and time > now + _CLOCKS_DIFFER
    if not (early or late):
        return []
    what = "from the day of the claim's receipt, or of its letter, to now"
    return [FieldViolation("dispatch.time", "range", what)]

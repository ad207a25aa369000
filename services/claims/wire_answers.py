# SPDX-License-Identifier: Apache-2.0
"""Written answers in the contract's messages."""

from qupia.claims.v1 import answers_pb2, claims_pb2
from services.claims.answer import LetterStatus, Sending
from services.claims.wire import stamp


def letter_message(status: LetterStatus) -> answers_pb2.AnswerLetter:
    """A letter as callers see it, without its words."""
    letter, way = status.letter, status.way
    sending = way.sending if way else Sending.NOT_BY_EMAIL
    message = answers_pb2.AnswerLetter(
        number=letter.number,
        decision=claims_pb2.Claim.Decision.Value(letter.decision),
        author=letter.author,
        write_time=stamp(letter.write_time),
        sha256=letter.sha256,
        signature=letter.signature,
        key_id=letter.key_id,
        national_signature=status.national_signature or b"",
        sending=answers_pb2.AnswerLetter.Sending.Value(sending),
        attempts=way.attempts if way else 0,
    )
    if way and way.sending is Sending.UNDER_WAY:
        message.next_time.CopyFrom(stamp(way.next_time))
    if status.channel:
        message.channel = claims_pb2.Dispatch.Channel.Value(status.channel)
    if status.dispatch_time is not None:
        message.dispatch_time.CopyFrom(stamp(status.dispatch_time))
    return message

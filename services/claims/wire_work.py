# SPDX-License-Identifier: Apache-2.0
"""Messages of what is kept of a claim and of what happened to it."""

import json
from datetime import datetime

from qupia.claims.v1 import work_pb2
from services.claims.paper import Paper
from services.claims.wire import stamp


def paper_message(paper: Paper, *, stored: bool) -> work_pb2.ClaimDocument:
    """A note or a file, without its words and bytes."""
    message = document_message(paper.document_id, paper.kind, paper.record_time, stored=stored)
    message.author, message.size = paper.author, paper.size
    if paper.media_type is not None:
        message.media_type = paper.media_type
    return message


def document_message(
    document_id: str, kind: str, create_time: datetime, *, stored: bool
) -> work_pb2.ClaimDocument:
    """A document, without its words."""
    return work_pb2.ClaimDocument(
        document_id=document_id, kind=kind, create_time=stamp(create_time), stored=stored
    )


def entry_message(time: datetime, body: str) -> work_pb2.TimelineEntry:
    """An entry of evidence as the timeline tells it."""
    members = json.loads(body)
    return work_pb2.TimelineEntry(
        entry_id=members["entryId"],
        time=stamp(time),
        event=members["event"],
        verb=members["verb"],
        outcome=members["outcome"],
        principal=members["principal"],
        clause=members["clause"],
        decided_on=json.dumps(members.get("decidedOn") or {}, ensure_ascii=False, sort_keys=True),
    )

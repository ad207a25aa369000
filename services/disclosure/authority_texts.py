# SPDX-License-Identifier: Apache-2.0
"""The texts of a state body's request: sealed to the vault where they arrive (clause 5.3).

They lie under a key of the request's own: under the person's they would stand in the evidence that
the person sees, and go when the person's data go, while the ground of what was given has to stay.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from services.chassis.ids import new_uuid
from services.chassis.sealed.document import SealedDocument, SealingKey, seal_document


class TextKind(StrEnum):
    """What a text is."""

    OFFICIAL = "AUTHORITY_OFFICIAL"
    DOCUMENT = "AUTHORITY_DOCUMENT"
    REASON = "REASON"


@dataclass(frozen=True, slots=True)
class Official:
    """Who of the body asks; in the clear only as long as a call."""

    name: str = field(repr=False)
    position: str = field(repr=False)

    @classmethod
    def from_json(cls, text: str) -> "Official":
        """As the vault keeps it."""
        members = json.loads(text)
        return cls(members["name"], members["position"])

    @property
    def as_json(self) -> str:
        """As the vault keeps it."""
        members = {"name": self.name, "position": self.position}
        return json.dumps(members, ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class Text:
    """A text in the clear; it lives only as long as the call that brought it."""

    kind: TextKind
    text: str = field(repr=False)
    document_id: str = field(default_factory=new_uuid)


def seal_texts(
    key: SealingKey, site_id: str, request_id: str, texts: Iterable[Text]
) -> list[SealedDocument]:
    """Seal each at its place in the request. Raises ValueError for a key that is none."""
    return [
        seal_document(
            key,
            site_id,
            request_id,
            (request_id, each.document_id, each.kind),
            each.text.encode(),
        )
        for each in texts
    ]

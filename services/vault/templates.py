# SPDX-License-Identifier: Apache-2.0
"""What a read for feedback is sent for: a registered message template (clause 4.1.3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from services.chassis.database import Connection
from services.vault import store_templates
from services.vault.decide import Question
from services.vault.purposes import PURPOSES, ReferenceRule


def with_templates(connection: Connection, asked: Sequence[tuple[str, Question]]) -> list[Question]:
    """The questions of (site, question), told of which kind the template named is."""
    wanted = {(site, q.reference) for site, q in asked if _names_template(q)}
    known = store_templates.kinds(connection, wanted)
    return [
        replace(question, template=known.get((site, question.reference), ""))
        if _names_template(question)
        else question
        for site, question in asked
    ]


def _names_template(question: Question) -> bool:
    rule = PURPOSES.get(question.purpose)
    return rule is not None and rule.reference is ReferenceRule.TEMPLATE

# SPDX-License-Identifier: Apache-2.0
"""Rows of a statement's own, given as one array per column: many rows, one statement."""

from __future__ import annotations

from typing import Any

from sqlalchemy import TableValuedAlias, column, func
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.sql import cast, literal


def unnest(name: str, *columns: tuple[str, Any, list[Any]]) -> TableValuedAlias:
    """A table `name` of those (column, type, values)."""
    arrays = [cast(literal(values, ARRAY(kind)), ARRAY(kind)) for _, kind, values in columns]
    valued = func.unnest(*arrays).table_valued(*(column(each, kind) for each, kind, _ in columns))
    return valued.render_derived(name)

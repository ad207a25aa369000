# SPDX-License-Identifier: Apache-2.0
"""Statutory retention: how long the law makes a site keep what (Digital Code 41(3), clause 8.4).

Pure but for reading the file. A TOML file names for each site and category the term and its basis:

    [demo.PURCHASES]
    years = 5
    basis = "Tax Code, article 48"

A term runs from the storing of the newest row of its category. CONSENT_PROOFS are explained only:
they are no data of the vault and hold nothing.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Final

_LONGEST_YEARS: Final = 100
_LONGEST_BASIS: Final = 300


class Category(StrEnum):
    """What the vault holds of a subject, as a dry run and a certificate tell it."""

    DATA = "DATA"
    FORMER_DATA = "FORMER_DATA"
    VISITS = "VISITS"
    PURCHASES = "PURCHASES"
    DOCUMENTS = "DOCUMENTS"
    CORRECTIONS = "CORRECTIONS"
    INDEX_ENTRIES = "INDEX_ENTRIES"
    BATCH_ITEMS = "BATCH_ITEMS"
    STANDING = "STANDING"
    ACCESS = "ACCESS"
    CONSENT_PROOFS = "CONSENT_PROOFS"


# What a law can make a site keep; the rest only serves these.
RETAINABLE: Final = frozenset(
    {
        Category.DATA,
        Category.VISITS,
        Category.PURCHASES,
        Category.DOCUMENTS,
        Category.CONSENT_PROOFS,
    }
)


class RetentionFileError(ValueError):
    """The file cannot be used; the text names it and the fault."""

    def __init__(self, path: Path, fault: str) -> None:
        super().__init__(f"retention file {path}: {fault}")


@dataclass(frozen=True, slots=True)
class Term:
    """How many years the law makes a site keep a category, and which law."""

    years: int
    basis: str

    def until(self, newest: datetime) -> datetime:
        """When the term ends that began at `newest`; a leap day's ends with February."""
        year = newest.year + self.years
        try:
            return newest.replace(year=year)
        except ValueError:
            return newest.replace(year=year, day=28)


Retention = Mapping[str, Mapping[Category, Term]]
"""The terms by site and category."""

NO_RETENTION: Final[Retention] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Held:
    """How many rows of a category a subject has, and when the newest was stored."""

    rows: int
    newest: datetime | None


@dataclass(frozen=True, slots=True)
class Kept:
    """A category that a term still keeps."""

    category: Category
    until: datetime
    basis: str


def kept(
    terms: Mapping[Category, Term], held: Mapping[Category, Held], now: datetime
) -> list[Kept]:
    """The categories whose term has not ended at `now`, in the order of Category."""
    found = []
    for category in Category:
        term, rows = terms.get(category), held.get(category)
        if term is None or rows is None or rows.newest is None:
            continue
        until = term.until(rows.newest.astimezone(UTC))
        if until > now:
            found.append(Kept(category, until, term.basis))
    return found


def load_retention(path: Path | None) -> Retention:
    """The terms of a file; none without one. Raises RetentionFileError."""
    if path is None:
        return NO_RETENTION
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise RetentionFileError(path, f"cannot be read: {error.strerror}") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise RetentionFileError(path, f"is not TOML: {error}") from None
    return {site: _terms(path, site, table) for site, table in document.items()}


def _terms(path: Path, site: str, table: object) -> Mapping[Category, Term]:
    if not isinstance(table, dict):
        raise RetentionFileError(path, f"{site} holds no categories")
    terms = {}
    for name, entry in table.items():
        if name not in RETAINABLE:
            known = ", ".join(sorted(RETAINABLE))
            raise RetentionFileError(path, f"{site}.{name} is none of {known}")
        terms[Category(name)] = _term(path, f"{site}.{name}", entry)
    return terms


def _term(path: Path, place: str, entry: object) -> Term:
    if not isinstance(entry, dict) or entry.keys() != {"years", "basis"}:
        raise RetentionFileError(path, f"{place} needs years and basis, and nothing else")
    years, basis = entry["years"], entry["basis"]
    if type(years) is not int or not 1 <= years <= _LONGEST_YEARS:
        raise RetentionFileError(path, f"{place}.years must be from 1 to {_LONGEST_YEARS}")
    if not isinstance(basis, str) or not 0 < len(basis) <= _LONGEST_BASIS:
        raise RetentionFileError(path, f"{place}.basis must name the law")
    return Term(years, basis)

# SPDX-License-Identifier: Apache-2.0
"""One thing that is tampered with, with a superuser's rights, and what fsck has to say of it."""

from dataclasses import dataclass

from tests.fsck.books import Books

FLIPPED = "set_byte({0}, 20, get_byte({0}, 20) # 1)"
"""A byte string with one bit of its 21st byte turned."""
PHONES = "SELECT min(subject_id) FROM data WHERE field = 'phone'"
OTHER_PHONE = "SELECT max(subject_id) FROM data WHERE field = 'phone'"
PRESENT = "SELECT min(subject_id) FROM subjects WHERE life = 'PRESENT'"
"""Ids are random: a row has to be chosen by what makes the fault one, not by its id alone."""


@dataclass(frozen=True)
class Case:
    """Where, by which statement, which check has to find it in which table.

    `who` is a query for an id that the fault has to name. It is asked of the untouched database
    `where`, or of `asked` if that is given.
    """

    name: str
    where: str
    statement: str
    check: str
    table: str
    who: str
    asked: str = ""


def name_of(case: Case) -> str:
    """How a test of the case is called."""
    return case.name


def require_named(books: Books, case: Case) -> None:
    """The check has to find it, and name the row."""
    named = str(books.query(case.asked or case.where, case.who)[0][0])
    with books.tampered(case.where, case.statement) as urls:
        inspection = books.inspect(urls, case.check)
    found = [fault for outcome in inspection.outcomes for fault in outcome.faults]
    assert any(
        f"{fault.database}.{fault.table}" == case.table
        and named in (value for _, value in fault.key)
        for fault in found
    ), f"{case.check} did not find {case.table} {named}: {[str(fault) for fault in found]}"

# SPDX-License-Identifier: Apache-2.0
"""`qupia fsck`: compares the books of record with the standing and derives everything anew."""

import json
import os
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console
from rich.status import Status
from rich.text import Text

from cli.consistency.check import Check
from cli.consistency.checks import all_checks
from cli.consistency.fault import Fault
from cli.consistency.inspection import MOST_FAULTS, Inspection, Outcome, inspect
from cli.consistency.matching import OutOfOrder
from cli.consistency.records import open_records
from cli.consistency.sources import find_sources
from cli.consistency.store_snapshot import CannotRead
from cli.postgres import PostgresError
from services.chassis.calendar import CalendarFileError, load_calendar
from services.chassis.config import ConfigError
from services.chassis.start_error import StartError
from services.vault.provider import KeyProviderError

CLEAN, FAULTY, COULD_NOT_RUN = 0, 1, 2
_NAME_WIDTH = 17
_HOLDS_WIDTH = 62


def fsck(
    *,
    as_json: bool = False,
    only_first: bool = False,
    environ: Mapping[str, str] | None = None,
    out: Console | None = None,
    err: Console | None = None,
) -> int:
    """Inspect; 0 where all holds, 1 where something does not, 2 where it could not be done.

    Reads only. Call it from the main thread: of a suite that is stopped it starts the database.
    """
    environ = os.environ if environ is None else environ
    out = out or Console(highlight=False)
    err = err or Console(stderr=True, highlight=False)
    report = Report(out, err, quiet=as_json)
    try:
        with (
            find_sources(environ) as sources,
            open_records(sources.urls, sources.key_file, report.counted) as records,
        ):
            checks = all_checks(load_calendar(_calendar(environ)))
            inspection = inspect(records, checks, report, only_first=only_first)
    except (
        CannotRead,
        OutOfOrder,
        KeyProviderError,
        StartError,
        ConfigError,
        PostgresError,
        CalendarFileError,
    ) as error:
        return report.could_not_run(str(error))
    except Exception as error:  # noqa: BLE001 - an exit code of 1 would say that faults were found
        return report.could_not_run(f"the inspection ended by {type(error).__name__}")
    finally:
        report.close()
    return report.said(inspection)


def _calendar(environ: Mapping[str, str]) -> Path | None:
    named = environ.get("QUPIA_CLAIMS_CALENDAR")
    return Path(named) if named else None


class Report:
    """Says what is being asked, and what was found."""

    def __init__(self, out: Console, err: Console, *, quiet: bool) -> None:
        self._out = out
        self._err = err
        self._quiet = quiet
        self._rows = 0
        self._status: Status | None = None
        self._asked = ""

    def counted(self, rows: int) -> None:
        """More rows were read."""
        self._rows += rows
        if self._status is not None:
            self._status.update(f"{self._asked}: {self._rows:,} rows read")

    def begun(self, check: Check) -> None:
        """A check begins; its progress is shown on a terminal only."""
        self._asked = check.name
        if self._err.is_terminal and not self._quiet:
            self._status = self._err.status(f"{check.name} …")
            self._status.start()

    def ended(self, outcome: Outcome) -> None:
        """A check has ended."""
        self.close()
        if self._quiet:
            return
        good = not outcome.faults
        self._print(
            Text.assemble(
                ("  ✓ ", "green") if good else ("  ✗ ", "red"),
                (f"{outcome.check.name:<{_NAME_WIDTH}}", "bold"),
                f"{outcome.check.holds:<{_HOLDS_WIDTH}}",
                (f"{outcome.seconds:6.2f} s", "dim"),
            )
        )
        for fault in outcome.faults:
            self._print(Text(f"      {fault}", "red"))
        for warning in outcome.warnings:
            self._print(Text(f"      warning: {warning}", "yellow"))

    def close(self) -> None:
        """No progress is shown any more."""
        if self._status is not None:
            self._status.stop()
            self._status = None

    def said(self, inspection: Inspection) -> int:
        """The end; the exit code."""
        first = inspection.first
        if self._quiet:
            self._out.print_json(json.dumps(self._document(inspection)))
        elif first is None:
            self._print(Text(f"All holds: {self._rows:,} rows read.", "bold green"))
        else:
            check, fault = first
            self._print(Text(f"First fault, of {check.name}: {fault}", "bold red"))
        return CLEAN if first is None else FAULTY

    def could_not_run(self, why: str) -> int:
        """It could not be done; the exit code."""
        self.close()
        if self._quiet:
            self._out.print_json(json.dumps({"clean": None, "error": why}))
        self._err.print(Text(f"qupia: {why}"), soft_wrap=True)
        return COULD_NOT_RUN

    def _document(self, inspection: Inspection) -> dict[str, object]:
        return {
            "clean": inspection.first is None,
            "rowsRead": self._rows,
            "first": None if inspection.first is None else _document(*inspection.first),
            "checks": [
                {
                    "check": outcome.check.name,
                    "holds": outcome.check.holds,
                    "seconds": round(outcome.seconds, 3),
                    "faults": [fault.document() for fault in outcome.faults],
                    "warnings": [fault.document() for fault in outcome.warnings],
                    "more": len(outcome.faults) + len(outcome.warnings) >= MOST_FAULTS,
                }
                for outcome in inspection.outcomes
            ],
        }

    def _print(self, line: Text) -> None:
        self._out.print(line, soft_wrap=True)


def _document(check: Check, fault: Fault) -> dict[str, object]:
    return {"check": check.name, **fault.document()}

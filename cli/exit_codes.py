# SPDX-License-Identifier: Apache-2.0
"""What the exit code of a `qupia` command says; `qupia --help` prints the table."""

from services.chassis.start_error import EXIT_CONFIG, EXIT_START

DONE = 0
REFUSED = 1
USAGE = 2
UNREACHABLE = EXIT_START
NOT_YET = 75  # EX_TEMPFAIL of sysexits.h
NOT_ALLOWED = 77  # EX_NOPERM
CONFIGURATION = EXIT_CONFIG

MEANINGS = {
    DONE: "done",
    REFUSED: "refused, or something does not hold",
    USAGE: "wrong usage",
    UNREACHABLE: "a part cannot be reached or started",
    70: "a process ended again and again",
    NOT_YET: "not now: recorded and not yet in force, still running, or too much asked at once",
    NOT_ALLOWED: "the credential is not valid, or may not do this",
    CONFIGURATION: "wrong configuration",
}

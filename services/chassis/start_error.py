# SPDX-License-Identifier: Apache-2.0
"""Why a process or a command cannot start, and the exit codes that say so."""

EXIT_CONFIG, EXIT_START = 78, 69  # EX_CONFIG and EX_UNAVAILABLE of sysexits.h


class StartError(Exception):
    """It cannot start; the text says why and what to do."""

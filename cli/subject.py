# SPDX-License-Identifier: Apache-2.0
"""`qupia subject`: what officers do with one person's data."""

import typer

from cli import subject_ends

app = typer.Typer(help="One person's data: how they end.", no_args_is_help=True)
subject_ends.add_to(app)

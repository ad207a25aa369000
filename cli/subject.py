# SPDX-License-Identifier: Apache-2.0
"""`qupia subject`: what officers do with one person's data."""

import typer

from cli import subject_ends, subject_view

app = typer.Typer(help="One person's data: shown to them, and how they end.", no_args_is_help=True)
subject_ends.add_to(app)
subject_view.add_to(app)

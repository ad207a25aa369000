# SPDX-License-Identifier: Apache-2.0
"""Ids as people type them: they become parts of a URL's path, so nothing else gets there."""

import re

import typer

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_SUBJECT = re.compile(r"[0-9a-f]{32}")
_NUMBER = re.compile(r"[0-9]{4}-[0-9]{6,}")


def is_claim_number(value: str) -> bool:
    """Whether it is a claim's number and no id."""
    return _NUMBER.fullmatch(value) is not None


def uuid_given(value: str) -> str:
    """An id as it was typed. Raises BadParameter for what is none."""
    if not _UUID.fullmatch(value):
        raise typer.BadParameter(f"{value!r} is no id such as 01a21877-c7ee-7039-90c9-f62bf357588f")
    return value


def claim_given(value: str) -> str:
    """A claim's id or number as it was typed. Raises BadParameter for what is neither."""
    if not (is_claim_number(value) or _UUID.fullmatch(value)):
        raise typer.BadParameter(
            f"{value!r} is neither a claim's number such as 2026-000001 nor an id"
        )
    return value


def subject_given(value: str) -> str:
    """A subject's id as it was typed. Raises BadParameter for what is none."""
    if not _SUBJECT.fullmatch(value):
        raise typer.BadParameter(f"{value!r} is no subject's id: 32 hexadecimal digits")
    return value

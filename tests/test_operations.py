# SPDX-License-Identifier: Apache-2.0
"""docs/operations.md names every configuration key, exit code, check, figure and alarm there is."""

import re
import types
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest
from pydantic.fields import FieldInfo

from cli.consistency.checks import all_checks
from cli.databases import BOOKS
from cli.exit_codes import MEANINGS
from cli.fsck import CLEAN, COULD_NOT_RUN, FAULTY
from cli.migrate import MigrateSettings
from cli.run import EXIT_GAVE_UP
from cli.settings import RunSettings
from gateway.figures import Figures
from gateway.settings import GatewaySettings
from services.chassis.calendar import load_calendar
from services.chassis.config import Settings
from services.chassis.metrics import Metrics
from services.chassis.process import ProcessSettings
from services.chassis.start_error import EXIT_CONFIG, EXIT_START
from services.claims.__main__ import ClaimsSettings
from services.consent.__main__ import ConsentSettings
from services.disclosure.__main__ import DisclosureSettings
from services.vault.__main__ import VaultSettings

DOC = Path(__file__).parents[1] / "docs" / "operations.md"
BEGIN = "<!-- keys: begin (tests/test_operations.py compares this with the code) -->\n"
END = "<!-- keys: end -->"
SERVICES: Mapping[str, type[Settings]] = {
    "consent": ConsentSettings,
    "vault": VaultSettings,
    "disclosure": DisclosureSettings,
    "claims": ClaimsSettings,
}


def keys() -> str:
    """The section of configuration keys, as the models have them."""
    common = dict(ProcessSettings.model_fields)
    parts = [_table("Every service: `QUPIA_<SERVICE>_…`", "QUPIA_<SERVICE>_", common)]
    for name, model in SERVICES.items():
        own = {k: f for k, f in model.model_fields.items() if k not in common}
        parts.append(_table(f"The {name} service besides", f"QUPIA_{name.upper()}_", own))
    parts += [
        _table("The gateway", "QUPIA_GATEWAY_", GatewaySettings.model_fields),
        _table("`qupia run`", "QUPIA_", RunSettings.model_fields),
        _table("`qupia migrate`", "QUPIA_", MigrateSettings.model_fields),
    ]
    return "\n" + "\n".join(parts) + "\n"


def _table(title: str, prefix: str, fields: Mapping[str, FieldInfo]) -> str:
    rows = [
        f"| `{prefix}{name.upper()}` | {_form(field.annotation)} | {_default(field)} |"
        for name, field in fields.items()
    ]
    return "\n".join(
        [f"**{title}**", "", "| key | form | where absent |", "|---|---|---|", *rows, ""]
    )


def _form(annotation: Any) -> str:
    if get_origin(annotation) is Literal:
        return " or ".join(f"`{value}`" for value in get_args(annotation))
    if isinstance(annotation, types.UnionType) or get_origin(annotation) is not None:
        return " or ".join(_form(a) for a in get_args(annotation) if a is not type(None))
    names = {str: "text", int: "whole number", float: "number", bool: "true or false"}
    return names.get(annotation, "path" if annotation is Path else str(annotation))


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "**has to be set**"
    if field.default is None or field.default == "":
        return "none"
    return f"`{str(field.default).lower() if isinstance(field.default, bool) else field.default}`"


@pytest.fixture(scope="module")
def text() -> str:
    return DOC.read_text("utf-8")


def test_the_configuration_keys_are_those_of_the_models(text: str) -> None:
    written = text.split(BEGIN, 1)[1].split(END, 1)[0]
    assert written == keys(), f"put this between the two marks:\n{keys()}"


def test_every_check_is_described(text: str) -> None:
    table = text.split("| check |")[1].split("\n\n", maxsplit=1)[0]
    described = re.findall(r"^\| `([a-z_]+)` \|", table, re.MULTILINE)
    assert described == [check.name for check in all_checks(load_calendar(None))]


def test_every_database_that_fsck_asks_for_is_named(text: str) -> None:
    assert [book.variable for book in BOOKS if f"`{book.variable}`" not in text] == []


def test_every_exit_code_is_described(text: str) -> None:
    table = text.split("## Exit codes")[1].split("##", maxsplit=1)[0]
    described = {int(code) for code in re.findall(r"^\| (\d+) \|", table, re.MULTILINE)}
    assert described == set(MEANINGS)
    assert {CLEAN, FAULTY, COULD_NOT_RUN, EXIT_START, EXIT_GAVE_UP, EXIT_CONFIG} <= described


def _figures() -> Iterator[str]:
    metrics = Metrics()
    Figures(metrics, None)
    for family in metrics.registry.collect():
        if family.name.startswith("qupia_"):
            yield f"{family.name}_total" if family.type == "counter" else family.name


def test_every_figure_is_described(text: str) -> None:
    assert [name for name in _figures() if f"| `{name}` |" not in text] == []


def test_every_command_is_described(text: str) -> None:
    commands = {"run", "migrate", "fsck", "credentials", "token"}
    assert {name for name in commands if f"qupia {name}" not in text} == set()


if __name__ == "__main__":  # python -m tests.test_operations: writes the section anew
    before, rest = DOC.read_text("utf-8").split(BEGIN, 1)
    DOC.write_text(before + BEGIN + keys() + END + rest.split(END, 1)[1], "utf-8")

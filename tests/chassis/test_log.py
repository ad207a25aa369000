# SPDX-License-Identifier: Apache-2.0
"""A log line carries names of ours and numbers, and nothing of a person."""

import io
import json
import logging
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.chassis import log

KEYS = sorted(log._KEYS - {"time", "level", "event"})
PERSONAL = [
    "87011234567",
    "+77011234567",
    "8-701-123-45-67",
    "8 701 123 45 67",
    "8(701)123-45-67",
    "8.701.123.45.67",
    "7011234",
    "nursultan@example.kz",
    "n@e",
    "Нұрсұлтан",
    "Әбілқайырұлы Нұрсұлтан",
    "given name",
    "a" * 121,
    "line\nbreak",
    '{"phone": "x"}',
]


@pytest.fixture
def output(quiet: None) -> io.StringIO:  # noqa: ARG001 - only to be put back
    """Where the lines go."""
    output = io.StringIO()
    log.configure("vault", output)
    return output


def _line(output: io.StringIO) -> dict[str, Any]:
    line: dict[str, Any] = json.loads(output.getvalue().splitlines()[-1])
    return line


@pytest.mark.parametrize("value", PERSONAL)
def test_what_may_be_a_persons_is_withheld_under_every_key(output: io.StringIO, value: str) -> None:
    for key in KEYS:
        log.get_logger("vault").error("defect", **{key: value})
        assert _line(output)[key] == "[withheld]"
    assert value not in output.getvalue().replace("\\n", "\n")


@pytest.mark.parametrize(
    "value", [*(v for v in PERSONAL if v != "given name"), "call 87011234567", "for n@example.kz"]
)
def test_it_is_withheld_from_the_event_too(output: io.StringIO, value: str) -> None:
    log.get_logger("vault").warning(value)
    assert _line(output)["event"] == "[withheld]"


def test_only_known_keys_pass(output: io.StringIO) -> None:
    log.get_logger("vault").error("defect", phone="x", given_name="y", exc_info=True, method="Z")
    assert set(_line(output)) == {"event", "level", "time", "process", "method"}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("method", "ReadData"),
        ("reason", "SUBJECT_BLOCKED"),
        ("clause", "6.2.3"),
        ("reference", "0192f0c0-0000-7000-8000-000000000002"),
        ("where", "_outcome:148"),
        ("route", "/v1/subjects/{subject_id}/data:read"),
        ("sqlstate", "08006"),
        ("milliseconds", 12.5),
        ("count", 87011234567),
        ("sqlstate", None),
    ],
)
def test_names_and_numbers_of_ours_pass(output: io.StringIO, key: str, value: object) -> None:
    log.get_logger("vault").error("defect", **{key: value})
    assert _line(output)[key] == value


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(min_size=1, max_size=200))
def test_no_text_outside_plain_ascii_passes(output: io.StringIO, text: str) -> None:
    log.get_logger("vault").error(text, where=text, error=text)
    line = _line(output)
    for key in ("event", "where", "error"):
        assert line[key] == "[withheld]" or line[key].isascii()
        assert "@" not in line[key]


def test_an_object_is_not_printed_by_its_own_words(output: io.StringIO) -> None:
    class Person:
        def __str__(self) -> str:
            return "Нұрсұлтан 87011234567"

    log.get_logger("vault").error("defect", error=Person(), where=[Person()], state={"a": Person()})
    line = _line(output)
    assert (line["error"], line["where"], line["state"]) == ("[withheld]",) * 3


def test_a_librarys_text_is_withheld_and_its_origin_kept(output: io.StringIO) -> None:
    try:
        int("87011234567 nursultan@example.kz")
    except ValueError:
        logging.getLogger("some.library").exception("failed for %s", "nursultan@example.kz")
    line = _line(output)
    assert line["event"] == "library message"
    assert line["where"].startswith("some.library:")
    assert line["error"] == "ValueError"
    assert "87011234567" not in output.getvalue()
    assert "nursultan" not in output.getvalue()

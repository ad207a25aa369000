# SPDX-License-Identifier: Apache-2.0
"""Identifiers: nobody ever gets another's, in threads and in forked processes."""

import os
import subprocess
import sys
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from services.chassis.ids import new_uuid

_FORKED = """
import os
from services.chassis.ids import new_uuid
new_uuid()
child = os.fork()
print(new_uuid()[15:], flush=True)
if child:
    os.wait()
"""


def test_ids_are_uuids_of_version_7_and_none_comes_twice() -> None:
    def some(_: int) -> list[str]:
        return [new_uuid() for _ in range(2000)]

    with ThreadPoolExecutor(8) as pool:
        made = [each for part in pool.map(some, range(8)) for each in part]
    assert len({each[15:] for each in made}) == len(made)
    kinds = {(parsed.version, parsed.variant) for parsed in map(uuid.UUID, made)}
    assert kinds == {(7, uuid.RFC_4122)}


def test_all_random_bits_are_random() -> None:
    """74 of them: over many ids each is there and is not."""
    ones, zeros = 0, 0
    for _ in range(200):
        value = uuid.UUID(new_uuid()).int
        ones, zeros = ones | value, zeros | ~value
    random = ((1 << 12) - 1) << 64 | (1 << 62) - 1
    assert ones & random == zeros & random == random


def test_random_bits_are_drawn_for_many_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    draws = []
    draw = os.urandom

    def drawn(count: int) -> bytes:
        draws.append(count)
        return draw(count)

    monkeypatch.setattr(os, "urandom", drawn)
    made = {new_uuid()[15:] for _ in range(500)}
    assert len(made) == 500
    assert 1 <= len(draws) <= 5


def test_a_forked_process_draws_its_own() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _FORKED], capture_output=True, text=True, check=True, timeout=60
    )
    first, second = done.stdout.split()
    assert first != second

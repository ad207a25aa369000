# SPDX-License-Identifier: Apache-2.0
"""Nonsense that is nearly right, on every route: never a 5xx, and every process lives (I14, R8)."""

import json
from collections.abc import Iterator
from urllib.parse import quote

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.harness.suite import Suite
from tests.matrix.nonsense import Nonsense, nonsense
from tests.matrix.things import World
from tests.matrix.watching import unmoved

pytestmark = pytest.mark.long

# Nobody is told in 5xx that a request was wrong; under load a moment's refusal may come, once.
_LATER = (503, 504)
_SECRETS = ("Traceback", "psycopg", "sqlalchemy", 'File "')


@pytest.fixture(scope="module")
def fuzzed() -> Iterator[World]:
    """A world of its own: nonsense may publish policies and suspend recipients."""
    with Suite() as own:
        world = World(own)
        yield world
        world.close()


def _send(world: World, request: Nonsense) -> httpx.Response:
    assert request.method.http is not None
    content = None
    if request.body is not None:
        content = json.dumps(request.body).encode()
    url = request.url + (f"?{quote(request.query, safe='=&%:')}" if request.query else "")
    headers = {**request.headers, **world.callers[request.caller].headers}
    headers["Content-Type"] = "application/json"
    return world.client.request(request.method.http.verb, url, content=content, headers=headers)


def _check(world: World, data: st.DataObject, known: list[str]) -> None:
    request = data.draw(nonsense(sorted(world.callers), known))
    answer = _send(world, request)
    if answer.status_code in _LATER:
        answer = _send(world, request)
    assert answer.status_code < 500, answer.text
    if answer.status_code >= 400:
        assert answer.json()["code"] != "INTERNAL"
        assert not any(each in answer.text for each in _SECRETS)


def _fuzz(world: World, examples: int) -> None:
    known = [each for name in ("own", "blocked") for each in world.fresh_things()[name].ids]

    @settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.data())
    def every_example(data: st.DataObject) -> None:
        _check(world, data, known)

    with unmoved(world.suite):
        every_example()


def test_nonsense_is_refused_and_the_processes_serve_on(fuzzed: World) -> None:
    _fuzz(fuzzed, examples=100)


@pytest.mark.deep
def test_much_nonsense_is_refused_and_the_processes_serve_on() -> None:
    with Suite() as own:
        world = World(own)
        _fuzz(world, examples=20_000)
        world.close()

# SPDX-License-Identifier: Apache-2.0
"""The two sites of the running suite."""

from collections.abc import Iterator

import pytest

from tests.harness.suite import Suite
from tests.matrix.things import World


@pytest.fixture(scope="session")
def world(suite: Suite) -> Iterator[World]:
    """All callers, and things of both sites."""
    made = World(suite)
    yield made
    made.close()

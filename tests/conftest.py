# SPDX-License-Identifier: Apache-2.0
"""What all tests share: one running suite per test process, started when the first test asks."""

from collections.abc import Iterator

import pytest

from tests.harness.suite import Suite


@pytest.fixture(scope="session")
def suite() -> Iterator[Suite]:
    """A suite for tests that disturb no other: each makes subjects and orders of its own.

    Whoever kills processes, tampers with databases or needs a site without a policy starts a suite
    of its own: `with Suite() as own:`.
    """
    with Suite() as running:
        yield running


@pytest.fixture(scope="module")
def own_suite() -> Iterator[Suite]:
    """A suite of the module's own, to kill processes of and to set databases back."""
    with Suite() as own:
        yield own

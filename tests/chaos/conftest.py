# SPDX-License-Identifier: Apache-2.0
"""A suite for tests that kill its processes."""

from collections.abc import Iterator

import pytest

from tests.chaos.books import check_with_fsck
from tests.harness.suite import Suite


@pytest.fixture(scope="module")
def mortal() -> Iterator[Suite]:
    """A suite of the module's own, whose books have to agree in the end.

    Its supervisor bears four deaths of a process within a minute, and gives up at the fifth.
    """
    with Suite() as own:
        yield own
        check_with_fsck(own)

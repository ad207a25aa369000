# SPDX-License-Identifier: Apache-2.0
"""What all tests share: one running suite per test process, started when the first test asks."""

import os
import shutil
from collections.abc import Iterator

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

from tests.harness.cluster import FOLDER_VARIABLE, open_folder
from tests.harness.suite import Suite
from tests.harness.waiting import PATIENT

_ONE_LIFE = "tests/fsck/"


def pytest_configure(config: pytest.Config) -> None:
    """A folder for the cluster of the whole run; the workers inherit it."""
    if not hasattr(config, "workerinput"):
        os.environ[FOLDER_VARIABLE] = str(open_folder("qupia-cluster-"))


def pytest_unconfigure(config: pytest.Config) -> None:
    """The folder goes when the run ends."""
    if not hasattr(config, "workerinput"):
        shutil.rmtree(os.environ.pop(FOLDER_VARIABLE), ignore_errors=True)


class _Shares(LoadFileScheduling):  # type: ignore[misc]
    """Each file is one worker's, and the folder whose tests look at one suite's long life."""

    def _split_scope(self, nodeid: str) -> str:
        file = str(super()._split_scope(nodeid))
        return _ONE_LIFE if file.startswith(_ONE_LIFE) else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> _Shares | None:
    """What of the tests goes to which worker; `make test` says --dist loadfile."""
    return _Shares(config, log) if config.option.dist == "loadfile" else None


@pytest.fixture(scope="session")
def suite() -> Iterator[Suite]:
    """A suite for tests that disturb no other: each makes subjects and orders of its own.

    Whoever kills processes, tampers with databases or needs a site without a policy starts a suite
    of its own: `with Suite() as own:`.
    """
    with Suite(PATIENT) as running:
        yield running


@pytest.fixture(scope="module")
def own_suite() -> Iterator[Suite]:
    """A suite of the module's own, to kill processes of and to set databases back."""
    with Suite() as own:
        yield own

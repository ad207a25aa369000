# SPDX-License-Identifier: Apache-2.0
"""A site for all tests of the policy, sites of their own for some, and a look into the records."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.harness.suite import Suite
from tests.policy.person import DATA, Person
from tests.policy.records import Records
from tests.policy.site import Site, new_site


@pytest.fixture(scope="session")
def site(suite: Suite) -> Iterator[Site]:
    """One site with a policy in force; who publishes another version takes `own_site`."""
    with new_site(suite) as made:
        yield made


@pytest.fixture
def own_site(suite: Suite) -> Iterator[Site]:
    """A site for one test, with a policy in force."""
    with new_site(suite) as made:
        yield made


@pytest.fixture
def bare_site(suite: Suite) -> Iterator[Site]:
    """A site for one test, without any policy."""
    with new_site(suite, policy=False) as made:
        yield made


@pytest.fixture
def person(site: Site) -> Person:
    """Somebody who has used the site, and whose data were placed."""
    return site.person(DATA)


@pytest.fixture(scope="session")
def records(suite: Suite) -> Iterator[Records]:
    """The suite's databases."""
    with closing(Records(suite)) as found:
        yield found

# SPDX-License-Identifier: Apache-2.0
"""Cases of which `make test` asks some and `make test-deep` all."""

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import pytest

T = TypeVar("T")


def cases(
    values: Iterable[T], name_of: Callable[[T], str], is_deep: Callable[[T], bool]
) -> list[Any]:
    """What `parametrize` takes: each value under its name, marked where it is deep."""
    return [
        pytest.param(value, id=name_of(value), marks=(pytest.mark.deep,) if is_deep(value) else ())
        for value in values
    ]

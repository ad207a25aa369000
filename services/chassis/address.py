# SPDX-License-Identifier: Apache-2.0
"""Where a process listens: ``host:port`` or ``unix:/path``."""

from __future__ import annotations

import socket

_UNIX = "unix:"


class AddressInUse(Exception):
    """Another process listens there already; `setting` is the one that names the address."""

    def __init__(self, address: str, setting: str = "listen") -> None:
        super().__init__(
            f"cannot listen at {address}: in use or not permitted; "
            f"stop the other process or set another address as `{setting}`"
        )


def unix_path(address: str) -> str | None:
    """The path of a Unix socket; None for a port."""
    return address.removeprefix(_UNIX) if address.startswith(_UNIX) else None


def refuse_served(address: str, setting: str = "listen") -> None:
    """Raises AddressInUse where somebody answers on a Unix socket.

    Binding would not fail there: the socket's file is simply taken over, left
    by the dead and held by the living alike.
    """
    path = unix_path(address)
    if path is None:
        return
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(path)
        except OSError:
            return
    raise AddressInUse(address, setting)

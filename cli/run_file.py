# SPDX-License-Identifier: Apache-2.0
"""var/run.json: what runs at this moment. It is there exactly while the suite serves."""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from cli.child import Child
from cli.databases import Databases
from cli.layout import Layout
from cli.private_file import read_json, write_private_json
from cli.process_environment import Addresses

SOCKETS_PREFIX = "qupia-grpc-"


def write(
    layout: Layout, addresses: Addresses, databases: Databases, children: Sequence[Child]
) -> None:
    """Says where everything is. The URLs hold passwords: the file is for its owner only."""
    cluster = databases.cluster
    document: dict[str, object] = {
        "gateway": addresses.gateway,
        "pid": os.getpid(),
        "certificates": str(layout.certificates),
        "sockets": str(addresses.sockets),
        "processes": {
            child.name: {
                "pid": child.pid,
                "log": str(child.log),
                "socket": addresses.grpc(child.name) if child.name != "gateway" else None,
                "metrics": addresses.metrics(child.name),
            }
            for child in children
        },
        "databases": dict(databases.urls),
        "owners": {name: access.owner_url for name, access in databases.own.items()},
        "postgres": {
            "pid": cluster.pid,
            "data": str(cluster.data_dir),
            "superuser": cluster.superuser_url(),
        }
        if cluster
        else None,
    }
    write_private_json(layout.run, document)


def remove(layout: Layout) -> None:
    """Takes the file away, and the sockets of a suite that was killed before it could."""
    try:
        left = Path(str(read_json(layout.run).get("sockets", "")))
    except ValueError:
        left = Path()
    if left.name.startswith(SOCKETS_PREFIX):
        shutil.rmtree(left, ignore_errors=True)
    layout.run.unlink(missing_ok=True)

# SPDX-License-Identifier: Apache-2.0
"""Files for their owner only, never half written and never readable by others in between."""

import json
import os
from pathlib import Path
from typing import Any


def write_private(path: Path, content: bytes) -> None:
    """Writes beside and renames; the file has mode 0600."""
    new = path.with_name(f"{path.name}.new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)


def write_private_json(path: Path, document: object) -> None:
    """Writes a document as indented JSON."""
    write_private(path, json.dumps(document, indent=1, ensure_ascii=False).encode() + b"\n")


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in a file; an empty one where there is no file.

    Raises ValueError for a file that holds anything else.
    """
    try:
        document = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    if not isinstance(document, dict):
        raise ValueError(f"{path} holds no JSON object")  # noqa: TRY004 - a fault of the file
    return document

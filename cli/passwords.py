# SPDX-License-Identifier: Apache-2.0
"""The database roles' passwords of one installation: random, in one file for its owner only."""

import json
import os
import secrets
from pathlib import Path


class Passwords:
    """Passwords by role name, kept in a JSON file of mode 0600; never shown by repr."""

    def __init__(self, path: Path) -> None:
        """Reads `path`; a missing file is an empty one. Raises ValueError if it is not JSON."""
        self.path = path
        self._by_role: dict[str, str] = {}
        if path.exists():
            self._by_role = json.loads(path.read_text() or "{}")

    def __getitem__(self, role: str) -> str:
        """The password of a role. Raises KeyError if it has none."""
        return self._by_role[role]

    def __contains__(self, role: str) -> bool:
        return role in self._by_role

    def ensure(self, role: str) -> str:
        """The password of a role, made and written down when it has none."""
        if role not in self._by_role:
            self._by_role[role] = secrets.token_urlsafe(32)
            self._write()
        return self._by_role[role]

    def _write(self) -> None:
        new = self.path.with_name(self.path.name + ".new")
        new.unlink(missing_ok=True)
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump(self._by_role, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        new.replace(self.path)

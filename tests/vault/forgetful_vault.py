# SPDX-License-Identifier: Apache-2.0
"""A vault that keeps no unwrapped key in memory, so that a test need not wait a minute."""

from services.vault import __main__ as vault_process
from services.vault.keyring import Keyring


def main() -> int:
    """Run it."""
    assert Keyring.__init__.__kwdefaults__ is not None
    Keyring.__init__.__kwdefaults__["keep_seconds"] = 0.0
    return vault_process.main()

# SPDX-License-Identifier: Apache-2.0
"""A vault beside whose PIN file lies the configuration of SoftHSM2."""

import os
from pathlib import Path

from services.vault import __main__ as vault_process


def main() -> int:
    """Run it."""
    pin_file = Path(os.environ["QUPIA_VAULT_PKCS11_PIN_FILE"])
    os.environ["SOFTHSM2_CONF"] = str(pin_file.with_name("softhsm2.conf"))
    return vault_process.main()

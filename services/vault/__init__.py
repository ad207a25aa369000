# SPDX-License-Identifier: Apache-2.0
"""The vault: encrypted personal data behind one gate.

Enforces clauses 1.1.2, 3.2, 3.3 (closed list, encryption), 4.1 and 6.2.1
(purposes), 5.1 (no silent expiry), 6.2.3 (blocking). It calls nobody: what
consent, claims and disclosure decided is pushed to it and stands in its own
rows, and a read is decided on those, in one transaction with its evidence.
"""

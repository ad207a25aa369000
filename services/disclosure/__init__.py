# SPDX-License-Identifier: Apache-2.0
"""The broker, the only way out of the house: clauses 3.1, 3.4, 5.2, 6.2.2.

Keeps the recipients, the orders and who delivers them, and the ledger of what
left. Holds no personal data: they pass through on their way from the vault to
the recipient, after the ledger has them on record (guarantee I3).
"""

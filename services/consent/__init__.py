# SPDX-License-Identifier: Apache-2.0
"""The consent service: the book of record of policy versions, agreement and consents.

Enforces clauses 1.1.5 (a user is born by use), 2.1 (use is agreement, per
version and with evidence), 2.2 (disagreement ends agreement until an express
acceptance), 4.1.6, 4.1.8, 4.1.10 to 4.1.12 (express consents), 9.1 and 9.2
(policy versions). What it records is pushed to the vault, which alone decides
what is in force.
"""

# SPDX-License-Identifier: Apache-2.0
"""`qupia fsck`: do the books of record, the standing and the evidence agree? (clauses 1.1.3, 6.2.3)

Reads, never writes. Each check is a pure comparison over rows that a `store` module streams in the
order of their keys; `checks` puts them together and `inspection` runs them. A fault names its
table and the columns of its key: ids and no personal data, whatever it found.
"""

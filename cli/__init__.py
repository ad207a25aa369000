# SPDX-License-Identifier: Apache-2.0
"""The `qupia` command: runs the whole suite on one machine and tells its story."""

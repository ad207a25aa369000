# SPDX-License-Identifier: Apache-2.0
"""Measurements: `make bench`. Figures are ratios within one run; nothing here is a test."""

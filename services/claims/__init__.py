# SPDX-License-Identifier: Apache-2.0
"""The claims service: the book of record of pre-trial claims, verifications and answers.

Enforces clauses 6.2.3 (a claim of inaccurate data or unlawful acts blocks from the moment of the
appeal until its verification ends), 8.1 (a written claim with number and time of receipt), 8.2
(the written answer within 30 calendar days) and 8.4 (the shorter statutory term).
"""

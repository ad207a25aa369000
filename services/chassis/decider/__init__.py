# SPDX-License-Identifier: Apache-2.0
"""The decider's half of the push protocol (`docs/protocol.md`), shared by all three deciders.

An act is recorded with the subject's whole slice in one transaction, pushed to
the vault, and acknowledged with what the vault said; what could not be pushed
is pushed by the dispatcher, for ever.
"""

# SPDX-License-Identifier: Apache-2.0
"""The HTTP gateway: translates and authenticates, decides nothing (architecture, sections 2 and 4).

Every route, name, limit and text comes from the contract's descriptors; there is no code for any
single RPC. Personal data never leave in a URL, a header, an error or a log line (6.2.1).
"""

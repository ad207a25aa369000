# SPDX-License-Identifier: Apache-2.0
"""Personal data on their way to the vault, sealed to its key, shared by all that take any.

What a caller brings is sealed in the transaction of the act that it belongs to, and delivered when
the vault can be reached; no other database ever holds it in the clear.
"""

# SPDX-License-Identifier: Apache-2.0
"""What every service stands on. Imports nothing of ours but the contract stubs."""

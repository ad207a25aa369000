# SPDX-License-Identifier: Apache-2.0
"""Browser families, as coarse as diagnosing technical problems needs (clause 3.3.2)."""

from typing import Final

# The first mark found decides: most families carry the marks of those they descend from.
_MARKS: Final = (
    ("bot", "Bot"),
    ("spider", "Bot"),
    ("crawler", "Bot"),
    ("edg", "Edge"),
    ("opr/", "Opera"),
    ("opera", "Opera"),
    ("yabrowser", "Yandex"),
    ("samsungbrowser", "Samsung Internet"),
    ("firefox", "Firefox"),
    ("fxios", "Firefox"),
    ("crios", "Chrome"),
    ("chrome", "Chrome"),
    ("chromium", "Chrome"),
    ("safari", "Safari"),
)


def browser_family(user_agent: str) -> str:
    """One of a dozen names; never a part of the text itself."""
    if not user_agent:
        return "unknown"
    lowered = user_agent.lower()
    return next((family for mark, family in _MARKS if mark in lowered), "other")

"""What a browser calls itself, in words that are ours: `Firefox on Linux`. Pure.

Whoever asks writes the User-Agent header, so nothing of it is ever shown: it only chooses among names known here.
"""

from __future__ import annotations

_BROWSERS = {
    "Edg": "Edge",
    "OPR/": "Opera",
    "Firefox/": "Firefox",
    "FxiOS/": "Firefox",
    "CriOS/": "Chrome",
    "Chrome/": "Chrome",
    "Safari/": "Safari",
    "curl/": "curl",
}
_SYSTEMS = {
    "iPhone": "an iPhone",
    "iPad": "an iPad",
    "Android": "Android",
    "Windows": "Windows",
    "CrOS": "ChromeOS",
    "Mac OS X": "a Mac",
    "Linux": "Linux",
}
"""What stands in the header -> our name for it; the first that fits counts, as browsers name each other too."""


def browser(user_agent: str) -> str:
    """`Firefox on Linux`, `Safari`, or `a program` for what names no browser that is known."""
    name = next((name for mark, name in _BROWSERS.items() if mark in user_agent), None)
    system = next((system for mark, system in _SYSTEMS.items() if mark in user_agent), None)
    if name is None:
        return "a program"
    return f"{name} on {system}" if system is not None else name

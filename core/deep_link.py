"""Deep links: the address under which a person finds one approval, the same in every channel. Pure."""

from __future__ import annotations


def deep_link(public_url: str, approval: str) -> str:
    """Where the hub's page shows that approval (`A142`). A browser keeps the part after `#` to itself."""
    return f"{public_url.rstrip('/')}/#/approvals/{approval}"

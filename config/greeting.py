"""What a newcomer reads when the hub is ready."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from core.people import links
from core.people.assurance import Assurance
from core.people.directory import OPERATOR
from hub.hub import Hub

SAMPLE = {"ana": "ana@example.com", "bo": "bo@example.com"}
"""The people of the first hub.yaml. Their addresses lead nowhere, which is how a sample is told from the real thing."""

COMMAND = "deploy web v1.2.0 prod because the new checkout is ready"
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


async def sample_links(hub: Hub, url: str) -> dict[str, str]:
    """Sign-in links of the two sample people; {} unless the configuration is the sample's and only this machine asks."""
    people = {each.id: each.email for each in hub.world.people if each.id in SAMPLE}
    if people != SAMPLE or urlsplit(url).hostname not in _LOOPBACK:
        return {}
    made: dict[str, str] = {}
    for name in SAMPLE:
        principal = hub.world.people.find(name)
        assert principal is not None
        token = await hub.db.write(
            lambda tx, principal=principal: links.create(
                tx, by=OPERATOR.id, principal=principal, assurance=Assurance.SIGNED_IN, began="cli", channel="cli"
            )
        )
        made[name] = f"{url}/login/{token}"
    return made


def greeting(hub: Hub, facts: Mapping[str, Any], signin: Mapping[str, str]) -> str:
    """The lines to print."""
    url = facts["url"]
    lines = ["", f"Interlock is ready at {url} ({facts['start_seconds']:.1f} s)", ""]
    if not signin:
        return "\n".join([*lines[:-1], f"  data in {facts['data']}; sign in with: interlock login-link PERSON", ""])
    lines += [
        "Two people, two windows (each link signs in once, within 15 minutes):",
        "",
        f"  1. As Ana, open   {signin['ana']}",
        f"     under Remote   {COMMAND}",
        "",
        "  2. As Bo, in a private window or another browser,",
        f"     open           {signin['bo']}",
        "     and press      Approve",
        "",
        "Then look at what happened:",
        "",
        "     cat ops/state/prod.txt",
        "     .venv/bin/interlock audit verify",
        "",
        "Ctrl-C stops the hub. More links: .venv/bin/interlock login-link ana",
        "",
    ]
    return "\n".join(lines)

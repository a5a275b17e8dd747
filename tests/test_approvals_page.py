"""docs/approvals.md teaches nothing that is not so: its configurations load, and what it says to a hub is answered so."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from commands.grammar import parse
from config.hub import build
from config.loader import load
from config.settings import read
from core.approvals.view import view
from core.people.assurance import Assurance
from hub.contracts import Command, Inbound, Sender
from hub.hub import Hub

pytestmark = pytest.mark.anyio

PAGE = Path(__file__).parents[1] / "docs" / "approvals.md"
HEAD = "version: 1\npublic_url: http://127.0.0.1:8000\n"
DECIDING = ("approve", "reject", "request-changes", "grant")


def examples() -> list[Any]:
    """Each configuration of the page with what is said under it, named for its heading."""
    found: list[Any] = []
    heading, config = "", ""
    for title, kind, block in re.findall(r"^#+ ([^\n]+)$|^```(\w+)\n(.*?)^```$", PAGE.read_text(), re.M | re.S):
        if title:
            heading = title
        elif kind == "yaml":
            config = block
            found.append(pytest.param(config, "", id=f"{heading}, loads"))
        elif kind == "say":
            found.append(pytest.param(config, block, id=heading))
    return found


def test_the_page_has_examples() -> None:
    assert len(examples()) >= 10


@pytest.mark.parametrize(("config", "said"), examples())
async def test_the_example_is_so(config: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "hub.yaml").write_text(HEAD + config)
    load(tmp_path / "hub.yaml", {})
    (tmp_path / "data").mkdir(mode=0o700)
    async with build(read({}, config=tmp_path / "hub.yaml", data=tmp_path / "data")) as hub:
        answer = ""
        for line in said.splitlines():
            if line.startswith("→"):
                assert line[1:].strip() in answer
            else:
                answer = await _say(hub, line)


async def _say(hub: Hub, line: str) -> str:
    """The answer to one line of the page, which is refused exactly where it says so."""
    found = re.fullmatch(r"(\w+)([:!]) (.+)", line)
    assert found is not None, line
    who, mark, text = found.groups()
    given: dict[str, Any] = {"text": text}
    if text.split()[0] in DECIDING:  # people decide on what they were shown; the page's readers press a button
        verb, args = parse(text, hub.registry, hub.world.actions)
        name = args["id"] if "id" in args else args["ids"][0]
        seen = await hub.db.read(view, hub.world, int(name[1:]))
        given = {"command": Command(verb=verb.name, args={**args, "digest": seen["digest"]})}
    reply = await hub.handle(Inbound(channel="page", sender=Sender(principal=who), assurance=Assurance.CHAT, **given))
    assert reply.ok == (mark == ":"), f"{line}: {reply.text}"
    if reply.approval is not None:
        name = reply.approval["id"]
        await _checked(hub, name)
        return f"{name} {reply.text}"
    return reply.text


async def _checked(hub: Hub, approval: str) -> None:
    """The approval is no longer being checked."""
    with hub.feed.watch(approval) as news:
        while True:
            news.clear()
            if (await hub.db.read(view, hub.world, int(approval[1:])))["state"] != "SUBMITTED":
                return
            await news.wait()

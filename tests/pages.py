"""Pages of docs/ whose examples are so: each configuration loads, and what is said under it is answered so."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from commands.grammar import parse
from config.hub import build
from config.loader import load
from config.settings import read
from core.approvals.paging import each_in
from core.approvals.shown import READING_US, note_shown
from core.approvals.states import State
from core.approvals.view import view
from core.people.assurance import Assurance
from core.store.tx import Tx
from hub.contracts import Command, Inbound, Sender
from hub.hub import Hub

HEAD = "version: 1\npublic_url: http://127.0.0.1:8000\n"
DECIDING = ("approve", "reject", "request-changes", "grant")


def examples(page: str) -> list[Any]:
    """Each configuration of docs/`page` with what is said under it, named for its heading."""
    text = (Path(__file__).parents[1] / "docs" / page).read_text()
    found: list[Any] = []
    heading, config = "", ""
    for title, kind, block in re.findall(r"^#+ ([^\n]+)$|^```(\w+)\n(.*?)^```$", text, re.M | re.S):
        if title:
            heading = title
        elif kind == "yaml":
            config = block
            found.append(pytest.param(config, "", id=f"{heading}, loads"))
        elif kind == "say":
            found.append(pytest.param(config, block, id=heading))
    return found


async def hold(config: str, said: str, folder: Path) -> None:
    """The example is so: `who: line` is done, `who! line` is refused, and `→ words` stand in the answer before."""
    (folder / "hub.yaml").write_text(HEAD + config)
    load(folder / "hub.yaml", {})
    (folder / "data").mkdir(mode=0o700)
    async with build(read({}, config=folder / "hub.yaml", data=folder / "data")) as hub:
        answer = ""
        for line in said.splitlines():
            if line.startswith("→"):
                assert line[1:].strip() in answer, answer
            else:
                answer = await _say(hub, line)


async def _say(hub: Hub, line: str) -> str:
    found = re.fullmatch(r"([\w-]+)([:!]) (.+)", line)
    assert found is not None, line
    who, mark, text = found.groups()
    given: dict[str, Any] = {"text": text}
    if text.split()[:2] in (["approve", "all"], ["reject", "all"]):  # the page's readers have seen the cards
        await hub.db.write(_shown, who)
    elif text.split()[0] in DECIDING:  # people decide on what they were shown; the page's readers press a button
        verb, args = parse(text, hub.registry, hub.world.actions)
        name = args["id"] if "id" in args else args["ids"][0]
        seen = await hub.db.read(view, hub.world, int(name[1:]))
        typed = {"confirm": name} if verb.name in ("approve", "grant") else {}
        given = {"command": Command(verb=verb.name, args={**args, **typed, "digest": seen["digest"]})}
    reply = await hub.handle(Inbound(channel="page", sender=Sender(principal=who), assurance=Assurance.CHAT, **given))
    assert reply.ok == (mark == ":"), f"{line}: {reply.text}"
    if reply.approval is not None:
        name = reply.approval["id"]
        await _checked(hub, name)
        return f"{name} {reply.text}"
    return reply.text


def _shown(tx: Tx, person: str) -> None:
    """The cards of everything under review were shown to that person long enough ago."""
    for each in each_in(tx, State.REVIEWING):
        at = tx.now_us - READING_US - 1
        note_shown(tx, approval=each.id, revision=each.revision, person=person, at_us=at)


async def _checked(hub: Hub, approval: str) -> None:
    """The approval is no longer being checked."""
    with hub.feed.watch(approval) as news:
        while True:
            news.clear()
            if (await hub.db.read(view, hub.world, int(approval[1:])))["state"] != "SUBMITTED":
                return
            await news.wait()

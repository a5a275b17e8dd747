"""The adapter in docs/adapters.md is a whole one: it is put into a hub as it stands there."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import re
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from hubs import PEOPLE, make_hub, running, until
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from core.people.assurance import Assurance
from hub.contracts import Inbound, Powers, Sender

PAGE = Path(__file__).parents[2] / "docs" / "adapters.md"


def documented() -> Any:
    source = re.search(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert source is not None
    names: dict[str, Any] = {
        "Assurance": Assurance,
        "Inbound": Inbound,
        "PlainTextResponse": PlainTextResponse,
        "Powers": Powers,
        "Route": Route,
        "Sender": Sender,
        "contextlib": contextlib,
        "hashlib": hashlib,
        "hmac": hmac,
        "orjson": orjson,
    }
    exec(compile(source[1], str(PAGE), "exec"), names)
    return names["Room"]


@pytest.mark.anyio
async def test_the_documented_adapter_asks_shows_and_refuses(tmp_path: Path) -> None:
    cards = tmp_path / "cards"
    people = PEOPLE.replace("email: ana@example.com,", "email: ana@example.com, identities: {room: u1},")
    channels = f'channels:\n  room: {{adapter: room, secret: "${{env:ROOM_SECRET}}", file: {cards}}}\n'
    hub = make_hub(
        tmp_path, people=people, channels=channels, adapters={"room": documented()}, environ={"ROOM_SECRET": "hush"}
    )
    async with running(hub) as bench:
        transport = httpx.ASGITransport(Starlette(routes=bench.channels["room"].routes()))
        async with httpx.AsyncClient(transport=transport, base_url="http://hub") as http:
            message = {"secret": "hush", "user": "u1", "id": "m1", "text": "note hello because it works"}
            first = await http.post("/room", json=message)
            assert first.text.startswith("A1: Note hello")
            again = await http.post("/room", json=message)
            assert again.text == first.text
            assert (await http.post("/room", json=message | {"secret": "guess"})).status_code == 401
            stranger = await http.post("/room", json=message | {"user": "u2", "id": "m2"})
            assert "nobody in hub.yaml has this identity" in stranger.text
        await bench.until_state("A1", "REVIEWING")
        await until(lambda: cards.exists() and "A1 Ana Ruiz asks; it needs 1 of sre." in cards.read_text())
        digest = (await bench.state("A1"))["digest"]
        assert (await bench.ask("bo", "reject", ids=["A1"], digest=digest, comment="no")).ok
        await until(lambda: "Rejected by Bo Lind" in cards.read_text())
        assert await bench.channels["room"].check() == []

"""Somebody at the page of a real hub: commands and presses over a WebSocket."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from processes import HubProcess
from websockets.sync.client import ClientConnection, connect


class Page:
    """Somebody at the page: commands over a WebSocket."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._count = 0

    def send(self, frame: dict[str, Any]) -> Any:
        self._count += 1
        self._socket.send(json.dumps({**frame, "id": f"m{self._count}"}))
        while True:
            answer = json.loads(self._socket.recv(timeout=20))
            if answer.get("id") == f"m{self._count}":
                return answer

    def say(self, text: str) -> Any:
        return self.send({"type": "command", "text": text})

    def press(self, name: str, choice: str) -> Any:
        card = self.say(f"show {name}")["card"]
        token = next(each["token"] for each in card["buttons"] if each["choice"] == choice)
        return self.send({"type": "press", "token": token})


@contextmanager
def page(hub: HubProcess, who: str) -> Iterator[Page]:
    url = hub.url.replace("http:", "ws:") + "/v1/ws"
    with connect(url, additional_headers={"Authorization": f"Bearer {hub.key(who)}"}, max_size=None) as socket:
        yield Page(socket)

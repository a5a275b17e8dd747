"""A whole hub behind its HTTP application, with people of every sort."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from starlette.types import ASGIApp

from config.hub import build
from config.settings import read
from core.people import keys, sessions
from core.people.assurance import Assurance
from core.store.tx import Tx
from hub.http.app import build_app
from hub.hub import Hub

BASE = "http://127.0.0.1:8000"
CONFIG = """\
version: 1
public_url: http://127.0.0.1:8000
people:
  ana: {name: Ana Ruiz, groups: [sre, admins]}
  bo: {name: Bo Lind, groups: [sre, security]}
  cai: {name: Cai Wu, groups: [sre]}
  dee: {name: Dee Okoye, groups: [security]}
agents: {bot: {owner: ana}}
services: {ci: {owners: [ana]}}
limits: {commands: 500/s, burst: 500, agents: {open: 500, per_hour: 5000}}
actions:
  greet:
    title: "Greet {name}"
    params:
      name: {type: string, pattern: "^[a-z]+$"}
    apply: {command: ["/bin/echo", "hello", "{name}"]}
  quiet:
    title: "Do a quiet thing"
    visible_to: [security]
    apply: {command: ["/bin/echo", "sh"]}
policies:
  - name: quiet
    when: 'action == "quiet"'
    require: [{group: security, count: 1}]
  - name: default
    require: [{group: sre, count: 2}]
"""


@dataclass
class House:
    """A running hub and how to talk to it."""

    hub: Hub
    app: ASGIApp
    http: httpx.AsyncClient
    keys: dict[str, str] = field(default_factory=dict)

    async def key(self, who: str, *, decide: bool = True) -> str:
        """A key of that principal; the same one again unless it may not decide."""
        if decide and who in self.keys:
            return self.keys[who]
        principal = self.hub.world.people.find(who)
        assert principal is not None
        text: str = await self.hub.db.write(
            lambda tx: keys.create(tx, by="operator", principal=principal, decide=decide)
        )
        if decide:
            self.keys[who] = text
        return text

    async def ask(self, who: str | None, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        """The answer to `who`, by their key; None is nobody."""
        if who is not None:
            headers["authorization"] = f"Bearer {await self.key(who)}"
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.http.request(method, path, json=body, headers=sent)

    async def cookie(self, who: str, assurance: Assurance = Assurance.SIGNED_IN) -> dict[str, str]:
        """The Cookie header of a browser session."""
        begun = await self.hub.db.write(
            lambda tx: sessions.begin_browser(tx, principal=who, assurance=assurance, began="test")
        )
        return {"cookie": f"interlock_session={begun.secret}"}

    async def review(self, who: str = "cai", action: str = "greet", **params: str) -> dict[str, Any]:
        """A request of `who` that waits for decisions."""
        params = params or ({"name": "bob"} if action == "greet" else {})
        made = await self.ask(who, "POST", "/v1/approvals", {"action": action, "params": params, "reason": "a reason"})
        assert made.status_code == 201, made.text
        approval: dict[str, Any] = made.json()
        while approval["state"] == "SUBMITTED":
            tag = f"{approval['id'][1:]}-{approval['version']}"
            path = f"/v1/approvals/{approval['id']}/wait?after={tag}&timeout=5"
            approval = (await self.ask(who, "GET", path)).json()
        assert approval["state"] == "REVIEWING", approval
        return approval

    async def write(self, fn: Callable[[Tx], Any]) -> Any:
        return await self.hub.db.write(fn)

    async def events(self) -> list[dict[str, Any]]:
        """Everything in the log, as its administrator sees it."""
        found: list[dict[str, Any]] = []
        cursor: str | None = "0"
        while cursor is not None:
            page = (await self.ask("ana", "GET", f"/v1/events?limit=1000&cursor={cursor}")).json()
            found += page["items"]
            cursor = page["next"]
        return found


@asynccontextmanager
async def housed(folder: Path, config_text: str = CONFIG) -> AsyncIterator[House]:
    """A hub over an empty log below `folder`, called as http://127.0.0.1:8000."""
    config, data = folder / "hub.yaml", folder / "data"
    config.write_text(config_text)
    data.mkdir(mode=0o700, exist_ok=True)
    hub = build(read({}, config=config, data=data))
    async with hub:
        app = build_app(hub)
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url=BASE) as http:
            yield House(hub=hub, app=app, http=http)

"""kill -9 at random under concurrent load: nothing acknowledged is lost, nothing runs twice, the log verifies, tokens grow.

`INTERLOCK_CRASH_ROUNDS` says how often (30 unless set; `make crash ROUNDS=1000` for more).
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

ROUNDS = int(os.environ.get("INTERLOCK_CRASH_ROUNDS", "30"))
INTERLOCK = [sys.executable, "-m", "config.cli.main"]
CONFIG = """
version: 1
public_url: http://127.0.0.1:{port}
people:
  ana: {{name: Ana Ruiz, groups: [team, admins]}}
  bo: {{name: Bo Lind, groups: [team]}}
limits: {{commands: 10000/s, burst: 10000}}
actions:
  effect:
    title: "Effect on {{place}}"
    params: {{place: {{type: string, enum: [one, two, three]}}}}
    resources: ["env:{{place}}"]
    apply: {{command: ["./effect", "{{place}}"], timeout: 30s}}
policies:
  - name: default
    require: [{{group: team, count: 1}}]
"""
EFFECT = """#!/bin/sh
echo "$1 $INTERLOCK_APPROVAL $INTERLOCK_RUN $INTERLOCK_FENCE" >> effects.log
sleep 0.05
"""
LOST = (httpx.TransportError,)


@dataclass
class Witness:
    """What the clients were told, and so what must be true for ever."""

    approvals: dict[str, str] = field(default_factory=dict)
    """Idempotency key -> the approval that it made."""
    doubtful: set[str] = field(default_factory=set)
    """Keys whose answer was lost; asked again later, they must make one approval."""
    decided: set[str] = field(default_factory=set)
    tokens: list[int] = field(default_factory=list)


class Process:
    """A real hub on one data directory, started again after each kill."""

    def __init__(self, root: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = int(free.getsockname()[1])
        self.url = f"http://127.0.0.1:{port}"
        (root / "hub.yaml").write_text(CONFIG.format(port=port))
        (root / "effect").write_text(EFFECT)
        (root / "effect").chmod(0o755)
        self.env = {
            **os.environ,
            "INTERLOCK_CONFIG": str(root / "hub.yaml"),
            "INTERLOCK_DATA": str(root / "data"),
            "INTERLOCK_PORT": str(port),
            "XDG_STATE_HOME": str(root / "state"),
            "PYTHONPATH": str(Path(__file__).parents[2]),
        }
        self.env.pop("INTERLOCK_URL", None)
        self.env.pop("INTERLOCK_KEY", None)
        self.errors = root / "stderr.log"
        self.hub: subprocess.Popen[bytes] | None = None

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*INTERLOCK, *words], env=self.env, capture_output=True, text=True, timeout=120)

    async def start(self) -> None:
        with self.errors.open("ab") as errors:
            self.hub = subprocess.Popen([*INTERLOCK, "up"], env=self.env, stdout=subprocess.DEVNULL, stderr=errors)
        async with httpx.AsyncClient(base_url=self.url, trust_env=False) as client:
            until = time.monotonic() + 60
            while time.monotonic() < until:
                assert self.hub.poll() is None, f"the hub ended with {self.hub.returncode}"
                with suppress(httpx.TransportError):
                    if (await client.get("/readyz")).status_code == 200:
                        return
                await asyncio.sleep(0.02)
        raise TimeoutError("the hub did not become ready")

    def kill(self) -> None:
        assert self.hub is not None
        self.hub.send_signal(signal.SIGKILL)
        self.hub.wait()

    def stop(self) -> int:
        assert self.hub is not None
        self.hub.terminate()
        return self.hub.wait(timeout=30)


async def ask_and_approve(ana: httpx.AsyncClient, bo: httpx.AsyncClient, witness: Witness, rng: random.Random) -> None:
    key = witness.doubtful.pop() if witness.doubtful else f"k{rng.getrandbits(60):x}"
    witness.doubtful.add(key)
    place = ("one", "two", "three")[int(key[1:], 16) % 3]
    made = await ana.post(
        "/v1/approvals",
        json={"action": "effect", "params": {"place": place}, "reason": "crash"},
        headers={"Idempotency-Key": key},
    )
    assert made.status_code == 201, made.text
    approval = made.json()["id"]
    assert witness.approvals.setdefault(key, approval) == approval
    witness.doubtful.discard(key)
    answer: dict[str, Any] = made.json()
    while answer["state"] == "SUBMITTED":
        await asyncio.sleep(0.01)
        answer = (await bo.get(f"/v1/approvals/{approval}")).json()
    if answer["state"] != "REVIEWING":
        return
    decided = await bo.post(f"/v1/approvals/{approval}/approve", json={"digest": answer["digest"]})
    assert decided.status_code in (200, 409), decided.text
    if decided.status_code == 200:
        witness.decided.add(approval)


async def lease_and_release(ana: httpx.AsyncClient, witness: Witness, rng: random.Random) -> None:
    wanted = {"resources": [f"bench:{rng.randrange(10_000)}"], "ttl_seconds": 5}
    got = await ana.post("/v1/leases/acquire", json=wanted)
    if got.status_code == 429 or got.json().get("code") == "too_many_leases":
        await asyncio.sleep(0.2)  # those of the killed rounds have not lapsed yet
        return
    assert got.status_code == 200, got.text
    lease = got.json()
    witness.tokens.append(lease["token"])
    await ana.post(f"/v1/leases/{lease['lock_id']}/release", json={"token": lease["token"]})


async def load(url: str, keys: dict[str, str], witness: Witness, rng: random.Random) -> None:
    def client(person: str) -> httpx.AsyncClient:
        headers = {"Authorization": f"Bearer {keys[person]}"}
        return httpx.AsyncClient(base_url=url, headers=headers, timeout=10, trust_env=False)

    async with client("ana") as ana, client("bo") as bo:

        async def asking() -> None:
            while True:
                await ask_and_approve(ana, bo, witness, rng)

        async def leasing() -> None:
            while True:
                await lease_and_release(ana, witness, rng)

        results = await asyncio.gather(asking(), asking(), asking(), leasing(), return_exceptions=True)
        wrong = [each for each in results if not isinstance(each, LOST)]
        assert not wrong, wrong


@pytest.mark.crash
@pytest.mark.anyio
async def test_nothing_acknowledged_is_lost_and_nothing_runs_twice_when_the_hub_is_killed(tmp_path: Path) -> None:
    seed = int(os.environ.get("INTERLOCK_CRASH_SEED", random.randrange(2**32)))
    print(f"INTERLOCK_CRASH_SEED={seed}")
    rng = random.Random(seed)
    process, witness = Process(tmp_path), Witness()
    keys = {person: process.command("key", "create", person).stdout.split()[-1] for person in ("ana", "bo")}
    for _ in range(ROUNDS):
        await process.start()
        under_load = asyncio.create_task(load(process.url, keys, witness, rng))
        await asyncio.sleep(rng.uniform(0.05, 1.0))
        process.kill()
        await under_load
    await process.start()
    try:
        final = await settled(process.url, keys["bo"], set(witness.approvals.values()))
    finally:
        assert process.stop() == 0
    effects = [line.split() for line in (tmp_path / "effects.log").read_text().splitlines()]
    assert effects, "nothing ever ran: the rounds were too short to prove anything"
    assert max(Counter(approval for _, approval, _, _ in effects).values()) == 1
    for approval in witness.decided:
        assert final[approval]["decisions"], f"the decision on {approval} was acknowledged and is gone"
    for _, approval, run, _ in effects:
        if approval in final:
            assert final[approval]["state"] in ("COMPLETED", "UNKNOWN"), final[approval]
            assert final[approval]["run"]["id"] == run
    for place in ("one", "two", "three"):
        fences = [int(fence) for where, _, _, fence in effects if where == place]
        assert fences == sorted(set(fences))
    assert witness.tokens == sorted(set(witness.tokens))
    verdict = process.command("audit", "verify")
    assert verdict.returncode == 0, verdict.stdout + verdict.stderr
    print(
        json.dumps({"rounds": ROUNDS, "approvals": len(final), "effects": len(effects), "leases": len(witness.tokens)})
    )


async def settled(url: str, key: str, approvals: set[str]) -> dict[str, dict[str, Any]]:
    """Every approval that was acknowledged, once nothing moves any more. Fails on one that is gone."""
    found: dict[str, dict[str, Any]] = {}
    headers = {"Authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=10, trust_env=False) as client:
        until = time.monotonic() + 120
        while True:
            for approval in approvals:
                answer = await client.get(f"/v1/approvals/{approval}")
                assert answer.status_code == 200, f"{approval} was acknowledged and is gone: {answer.text}"
                found[approval] = answer.json()
            # An UNKNOWN run keeps its place closed, so what waits behind it is APPROVED until somebody resolves it.
            unknown = {each["params"]["place"] for each in found.values() if each["state"] == "UNKNOWN"}
            moving = [
                each
                for each in found.values()
                if each["state"] in ("SUBMITTED", "APPLYING")
                or (each["state"] == "APPROVED" and each["params"]["place"] not in unknown)
            ]
            if not moving:
                return found
            assert time.monotonic() < until, f"still moving: {[(each['id'], each['state']) for each in moving]}"
            await asyncio.sleep(0.2)

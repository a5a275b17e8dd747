"""Clients that follow a hub as its page does, in a thread of their own: more of them than a machine carries browsers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Event, Thread

import orjson
from websockets.asyncio.client import connect

Seen = dict[str, float]
"""Approval -> when it was first seen out of review, in milliseconds since the epoch."""


@contextmanager
def followers(url: str, cookies: Sequence[str]) -> Iterator[list[Seen]]:
    """A client for each session; what each of them saw, from when all follow the hub."""
    seen: list[Seen] = [{} for _ in cookies]
    ready, done = Event(), Event()
    thread = Thread(target=lambda: asyncio.run(_follow_all(url, cookies, seen, ready, done)))
    thread.start()
    try:
        assert ready.wait(60), "the hub lets nobody follow it"
        yield seen
    finally:
        done.set()
        thread.join()


async def _follow_all(url: str, cookies: Sequence[str], seen: list[Seen], ready: Event, done: Event) -> None:
    connected = asyncio.Semaphore(0)
    tasks = [asyncio.create_task(_follow(url, *each, connected)) for each in zip(cookies, seen, strict=True)]
    for _ in tasks:
        await connected.acquire()
    ready.set()
    await asyncio.to_thread(done.wait)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _follow(url: str, cookie: str, seen: Seen, connected: asyncio.Semaphore) -> None:
    headers = {"Cookie": f"interlock_session={cookie}", "Origin": url}
    address = url.replace("http", "ws", 1) + "/v1/ws"
    async with connect(address, additional_headers=headers, compression=None, proxy=None) as ws:
        await ws.send(orjson.dumps({"type": "subscribe", "cards": "open"}).decode())
        connected.release()
        async for text in ws:
            frame = orjson.loads(text)
            if frame["type"] == "card" and frame["approval"]["state"] not in ("SUBMITTED", "REVIEWING"):
                seen.setdefault(frame["approval"]["id"], time.time() * 1000)

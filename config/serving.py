"""A process that serves: lock, build, listen, say that it is ready, and end well.

SIGTERM and SIGINT end it gracefully, a second one at once; SIGHUP reads the configuration again.
"""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable

from config.datadir import hold
from config.greeting import greeting, sample_links
from config.hub import build
from config.loader import Loaded
from config.settings import Settings
from core.errors import StoreLost
from hub.http.app import build_app
from hub.http.serve import Settings as Listen
from hub.http.serve import serve as serve_http
from hub.hub import Hub
from hub.logs import Redactor, configure

logger = logging.getLogger("interlock")

_LAST_WORDS_SECONDS = 3.0
_SAME_SIGNAL_SECONDS = 0.5


def serve(settings: Settings, *, began: float, greet_sample: bool = False) -> bool:
    """Serve until told to stop; whether the end was a clean one. `began` is when the process started, monotonic.

    Raises Refusal and StoreError for what keeps the hub from starting.
    """
    redactor = Redactor()
    configure(redactor, level=logging.INFO if not sys.stderr.isatty() else logging.WARNING)
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    with hold(settings.data):
        process = _Process(settings, redactor, began=began, greet_sample=greet_sample)
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(process.run())
        return process.lost is None


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


class _Process:
    """One life of the hub as a process."""

    def __init__(self, settings: Settings, redactor: Redactor, *, began: float, greet_sample: bool) -> None:
        self._settings = settings
        self._redactor = redactor
        self._began = began
        self._greet_sample = greet_sample
        self._stop = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._told_at = 0.0
        self.lost: BaseException | None = None

    async def run(self) -> None:
        self._loop = asyncio.get_running_loop()
        hub = build(self._settings, loaded=self._loaded, on_lost=self._on_lost)
        app = build_app(hub)
        gc.freeze()
        gc.enable()
        async with hub:
            self._listen_to_signals(hub)
            listen = Listen(host=self._settings.host, port=self._settings.port)
            ready = lambda host, port: self._spawn(self._say_ready(hub, host, port))  # noqa: E731
            await serve_http(app, hub, listen, stop=self._stop, started=ready)

    def _loaded(self, loaded: Loaded) -> None:
        self._redactor.register(loaded.secrets.known())
        for problem in loaded.warnings:
            logger.warning("%s", problem)

    def _on_lost(self, error: BaseException) -> None:
        """Called on the writer's thread: the database is gone, so the process ends, whatever it is doing."""
        self.lost = error
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._stop.set)
        hurry = threading.Timer(0.0 if isinstance(error, StoreLost) else _LAST_WORDS_SECONDS, os._exit, (70,))
        hurry.daemon = True
        hurry.start()

    def _listen_to_signals(self, hub: Hub) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._end)
        loop.add_signal_handler(signal.SIGHUP, lambda: self._spawn(self._reload(hub)))

    def _end(self) -> None:
        now = time.monotonic()
        if self._stop.is_set() and now - self._told_at < _SAME_SIGNAL_SECONDS:
            return  # a terminal and a wrapper such as make both pass one Ctrl-C on
        if self._stop.is_set():
            logger.warning("told to stop twice: ending at once; what runs is recovered at the next start")
            logging.shutdown()
            os._exit(130)
        self._told_at = now
        self._stop.set()

    async def _reload(self, hub: Hub) -> None:
        problems = await hub.reload()
        logger.info("reloaded" if not problems else "not reloaded: %s", *(["; ".join(problems)] if problems else []))

    def _spawn(self, work: object) -> None:
        task: asyncio.Task[None] = asyncio.ensure_future(work)  # type: ignore[call-overload]
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _say_ready(self, hub: Hub, host: str, port: int) -> None:
        """The ready line: one JSON object on stdout for programs, a few friendly lines for people."""
        seconds = round(time.monotonic() - self._began, 3)
        url = f"http://{f'[{host}]' if ':' in host else host}:{port}"
        hub.served_at = url
        facts = {
            "ready": True,
            "url": url,
            "pid": os.getpid(),
            "data": str(self._settings.data),
            "socket": str(self._settings.socket),
            "version": hub.world.version,
            "start_seconds": seconds,
        }
        logger.info("ready", extra={name: value for name, value in facts.items() if name != "ready"})
        links = await sample_links(hub, url) if self._greet_sample else {}
        friendly = sys.stdout.isatty() or links
        print(greeting(hub, facts, links) if friendly else json.dumps(facts), flush=True)

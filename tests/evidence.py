"""What a failed test leaves of a browser: a picture of its end, a trace of its steps, and a film of them.

The film is drawn afterwards, out of the trace, by Playwright's own viewer: to record the screen while the tests run
would cost nearly as much again as the browser itself, and most tests pass.
"""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zipfile import ZipFile

import playwright
from PIL import Image, ImageOps
from playwright.sync_api import Page

_VIEWER = Path(playwright.__file__).parent / "driver" / "package" / "lib" / "vite" / "traceViewer"
_SHORTEST, _LONGEST = 100, 2_000
"""Milliseconds that a step of the film is shown, however long it took."""


def keep(page: Page, where: Path) -> None:
    """`where`.png, `where`.zip for `playwright show-trace`, and `where`.webp, which any browser plays."""
    where.parent.mkdir(parents=True, exist_ok=True)
    trace = Path(f"{where}.zip")
    page.screenshot(path=f"{where}.png")
    page.context.tracing.stop(path=trace)
    assert page.context.browser is not None
    with page.context.browser.new_page() as viewer:
        _film(viewer, trace, Path(f"{where}.webp"))


def _film(viewer: Page, trace: Path, to: Path) -> None:
    steps = _steps(trace)
    with _served(trace) as url:
        viewer.goto(f"{url}/index.html?trace=/trace.zip")
        viewer.get_by_role("treeitem").first.wait_for()
        frames = [_drawn(viewer, url, each) for each in steps]
    size = (max(each.width for each in frames), max(each.height for each in frames))
    first, *rest = [ImageOps.pad(each, size) for each in frames]
    took = [after["timestamp"] - before["timestamp"] for before, after in pairwise(steps)]
    lasts = [min(max(round(each), _SHORTEST), _LONGEST) for each in [*took, _LONGEST]]
    first.save(to, save_all=True, append_images=rest, duration=lasts, loop=0)


def _steps(trace: Path) -> list[dict[str, Any]]:
    """What the page was like before, during and after each step, in order."""
    with ZipFile(trace) as archive:
        events = [json.loads(line) for line in archive.read("trace.trace").splitlines()]
    shown = [each["snapshot"] for each in events if each["type"] == "frame-snapshot"]
    return sorted((each for each in shown if each["isMainFrame"]), key=lambda each: float(each["timestamp"]))


def _drawn(viewer: Page, url: str, step: dict[str, Any]) -> Image.Image:
    viewer.set_viewport_size(step["viewport"])
    viewer.goto(f"{url}/snapshot/{step['callId']}?trace=/trace.zip&phase={step['phase']}")
    return Image.open(io.BytesIO(viewer.screenshot(type="jpeg"))).convert("RGB")


@contextmanager
def _served(trace: Path) -> Iterator[str]:
    """Where Playwright's viewer of traces is, with that trace beside it."""

    class Handler(SimpleHTTPRequestHandler):
        def translate_path(self, path: str) -> str:
            name = urlsplit(path).path.lstrip("/")
            return str(trace if name == "trace.zip" else _VIEWER / name)

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing is printed."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()

"""How often one address may try a route that proves who somebody is."""

from __future__ import annotations

from starlette.requests import Request

from core.errors import TooFast
from hub.http.auth import HTTP
from hub.http.guard import HUB
from hub.http.hub import Hub


def demand_pace(request: Request, tries: int, channel: str = HTTP) -> Hub:
    """The hub, for an address that tried this route at most so often in a minute. Raises TooFast, counted."""
    hub: Hub = request.scope[HUB]
    address = request.client.host if request.client is not None else "local"
    key = f"address:{address}:{request.scope['route'].path}"
    wait = hub.limiter.take(key, tries / 60, tries, hub.clock.monotonic())
    if wait:
        hub.unproven(channel, "too_fast")
        raise TooFast("too_fast", "too many tries; wait a little", retry_after_seconds=wait)
    return hub

"""`interlock mcp`: the hub's tools for a Model Context Protocol client that starts programs."""

from __future__ import annotations

import asyncio
from importlib.util import find_spec

from config.cli.exits import Exit, Failure
from config.cli.options import settings


def mcp() -> None:
    """Serve the hub's tools on standard input and output, as INTERLOCK_KEY at INTERLOCK_URL. No tool decides anything.

    A client's configuration names this command, with those two in its environment.
    """
    given = settings()
    key = (given.environ.get("INTERLOCK_KEY") or "").strip()
    url = (given.environ.get("INTERLOCK_URL") or f"http://{given.host}:{given.port}").rstrip("/")
    if not key:
        raise Failure(
            "usage", "set INTERLOCK_KEY to the agent's key; `interlock key create <agent>` makes one", Exit.USAGE
        )
    if find_spec("mcp") is None:
        raise Failure("missing_package", "this needs the extra mcp: pip install 'interlock-hub[mcp]'", Exit.USAGE)
    from adapters.mcp.relay import Relay

    asyncio.run(Relay(url, key).run())

"""What axe-core finds at a visitor's page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from browsers import Visitor
from servers import missing

AXE = Path(__file__).parents[1] / "adapters" / "websocket" / "web" / "node_modules" / "axe-core" / "axe.min.js"


def faults(visitor: Visitor) -> list[str]:
    """What axe-core calls serious or critical, each with where."""
    if not AXE.is_file():
        missing("axe-core", "install the page's packages: make install")
    visitor.page.evaluate(AXE.read_text())  # evaluated by the debugger: the page's policy lets no other script in
    found: dict[str, Any] = visitor.page.evaluate("() => axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{each['id']}: {node['html'][:160]}"
        for each in found["violations"]
        if each["impact"] in ("serious", "critical")
        for node in each["nodes"][:3]
    ]

"""Building a hub: what an adapter lacks is said in words."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from config.hub import _adapters
from core.errors import Invalid
from core.world import Channel
from hub.testing import RecordingHub


def test_an_adapter_without_its_package_names_it_and_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "needy.py").write_text("import a_package_of_nobody\n")
    monkeypatch.syspath_prepend(tmp_path)
    points = {name: f"adapters.{name}.adapter:adapter" for name in ("websocket", "webhook", "mcp")}
    found = {
        name: EntryPoint(name, value, "interlock.adapters")
        for name, value in {**points, "slack": "needy:adapter"}.items()
    }
    world: Any = SimpleNamespace(channels={"chat": Channel(name="chat", adapter="slack")})
    hub: Any = RecordingHub()
    with pytest.raises(Invalid) as refused:
        _adapters(world, hub, found)
    assert refused.value.code == "missing_package"
    assert "channels.chat needs the package a_package_of_nobody" in refused.value.message
    assert "interlock-hub[slack]" in refused.value.message

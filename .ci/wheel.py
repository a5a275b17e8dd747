"""The build hook of the wheel: it carries the page, built, so that whoever installs it needs no Node."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


def _page() -> ModuleType:
    spec = importlib.util.spec_from_file_location("page", Path(__file__).with_name("page.py"))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Page(BuildHookInterface[Any]):
    """Builds the page before a wheel is packed; `make install` builds it for an editable one."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        page = _page()
        return [] if self.target_name != "wheel" or page.node_on_path() else [page.WHEEL]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if self.target_name == "wheel" and version != "editable":
            _page().build()

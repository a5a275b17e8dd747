import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from config.loader import load
from config.reference import reference
from config.schema import json_schema

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "configuration.md").read_text()
ENVIRON = {
    "PAGER_SECRET": "a",
    "CI_HOOK_SECRET": "b",
    "CI_HOOK_SECRET_OLD": "c",
    "HOME": "/home/hub",
    "KUBECONFIG": "d",
}


def sections() -> Iterator[tuple[str, dict[str, Any]]]:
    schema = json_schema()
    yield "Hub", schema
    yield from schema["$defs"].items()


def test_the_example_of_the_page_loads_without_a_warning(tmp_path: Path) -> None:
    (tmp_path / "ops").mkdir()
    for name in ("check", "plan", "deploy", "rollback"):
        (tmp_path / "ops" / name).write_text("#!/bin/sh\n")
        (tmp_path / "ops" / name).chmod(0o755)
    (tmp_path / "balancer.token").write_text("e\n")
    (example,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "hub.yaml").write_text(example)

    loaded = load(tmp_path / "hub.yaml", ENVIRON)

    assert loaded.warnings == ()
    assert {"deploy", "page-out"} == set(loaded.world.actions)


@pytest.mark.parametrize("name", [name for name, _ in sections()])
def test_every_key_is_described_in_the_schema(name: str) -> None:
    for key, each in dict(sections())[name]["properties"].items():
        assert each.get("description"), key


def test_the_reference_is_what_the_models_say() -> None:
    written = (DOCS / "hub-yaml.md").read_text()
    assert written == reference(), "write it anew: interlock schema --markdown > docs/hub-yaml.md"


def test_the_schema_gives_durations_in_words_and_no_defaults_of_whole_sections() -> None:
    keys = dict(sections())["Policy"]["properties"]
    assert keys["review_expires"]["default"] == "4h"
    assert "default" not in dict(sections())["Hub"]["properties"]["limits"]


def test_the_schema_refuses_unknown_keys_as_the_loader_does() -> None:
    for name, each in sections():
        assert each["additionalProperties"] is (name == "Channel"), name

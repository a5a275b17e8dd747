"""The dialogue of docs/leases.md goes as it is written."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hubs import make_hub, running

pytestmark = pytest.mark.anyio

PAGE = (Path(__file__).parents[2] / "docs" / "leases.md").read_text()
PEOPLE = """
people:
  ana: {name: Ana Ruiz, groups: [sre]}
  bo:  {name: Bo Lind, groups: [sre]}
  cai: {name: Cai Wu, groups: [sre]}
"""


async def test_the_dialogue_goes_as_it_is_written(tmp_path: Path) -> None:
    (dialogue,) = re.findall(r"```dialogue\n(.*?)```", PAGE, re.DOTALL)
    turns = re.findall(r"^(\w+)> (.*)\n((?:(?!\w+> ).*\n)*)", dialogue, re.MULTILINE)
    assert len(turns) == 7
    async with running(make_hub(tmp_path, people=PEOPLE)) as bench:
        for who, command, expected in turns:
            said = (await bench.say(who, command)).text
            pattern = ".*".join(re.escape(part) for part in expected.strip().split("…"))
            assert re.match(pattern, said, re.DOTALL), (command, said)

"""Policies tried before they are in force: cases, and the requests of the past."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest
from house import CONFIG, housed

from config.backtest import Backtest, backtest
from config.cli.main import run
from config.loader import load
from config.policy_cases import load_cases
from config.problem import ConfigInvalid
from core.store.rows import Reader

pytestmark = pytest.mark.anyio

HUB = """
version: 1
people:
  ana: {name: Ana, groups: [sre, admins]}
  bo: {name: Bo, groups: [sre, security]}
  cai: {name: Cai, groups: [sre]}
agents: {bot: {owner: ana}}
actions:
  deploy: {title: "Deploy {env}", params: {env: {enum: [staging, prod]}}, apply: {command: ["true"]}}
policies:
  - {name: prod, when: 'params.env == "prod"', require: [{group: sre, count: 1}, {group: security, count: 1}]}
  - {name: staging, when: 'requester.kind == "person"', allow: true}
  - {name: default, require: [{group: sre, count: 1}]}
"""
GOOD = """
cases:
  - name: prod needs both
    by: cai
    action: deploy
    params: {env: prod}
    expect: {policy: prod, allow: false, seats: [1 of sre, 1 of security], satisfied_by: [[ana, bo]], not_by: [[bo], [cai, bo]]}
  - {name: people may, by: ana, action: deploy, params: {env: staging}, expect: {policy: staging, allow: true}}
  - name: agents may not
    by: bot
    action: deploy
    params: {env: staging}
    expect: {policy: default, not_by: [[ana]], satisfied_by: [[bo]]}
  - {name: nothing else, by: ana, action: deploy, params: {env: moon}, expect: {refused: not_a_choice}}
"""


@pytest.fixture
def cli(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[int, str]]:
    (tmp_path / "hub.yaml").write_text(HUB)
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str) -> tuple[int, str]:
        code = run(["policy", *arguments, "--config", str(tmp_path / "hub.yaml")])
        return code, capsys.readouterr().out

    return call


def test_cases_that_hold_pass_and_others_say_where_and_why(cli: Callable[..., tuple[int, str]], tmp_path: Path) -> None:
    (tmp_path / "cases.yaml").write_text(GOOD)
    code, said = cli("test", "cases.yaml")
    assert (code, said.splitlines()[-1]) == (0, "4 cases, all as expected"), said
    (tmp_path / "cases.yaml").write_text(
        GOOD.replace("policy: staging", "policy: prod").replace("[cai, bo]", "[ana, bo]")
    )
    code, said = cli("test", "cases.yaml")
    assert code == 1
    assert "cases.yaml:3: ana, bo would be enough" in said
    assert "policy staging is in force, not prod" in said
    code, said = cli("test", "cases.yaml", "--json")
    assert [case["ok"] for case in json.loads(said)["cases"]] == [False, False, True, True]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("cases: []", "too few"),
        ("cases: [{name: x}]", "is missing"),
        ("cases: [{name: x, by: ana, action: deploy, expect: {polcy: x}}]", "is no key here"),
        ("cases: [", "YAML"),
    ],
)
def test_a_file_of_cases_that_is_none_is_refused_in_words(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "cases.yaml").write_text(text)
    with pytest.raises(ConfigInvalid) as refused:
        load_cases(tmp_path / "cases.yaml")
    assert words in "\n".join(str(each) for each in refused.value.problems)


async def test_the_past_is_replayed_under_another_configuration(tmp_path: Path) -> None:
    (tmp_path / "hub").mkdir()
    async with housed(tmp_path / "hub") as house:
        for name in ("bob", "eve"):
            await house.review("cai", name=name)
        await house.review("bo", "quiet")
        before = house.hub.world
        (tmp_path / "new.yaml").write_text(
            CONFIG.replace("require: [{group: sre, count: 2}]", "require: [{group: security, count: 1}]")
        )
        after = load(tmp_path / "new.yaml", {}).world
        found = await house.hub.db.read(backtest, before, after)
        same = await house.hub.db.read(backtest, before, before)
    assert (same.replayed, same.changed, same.people, same.groups) == (3, 0, [], [])
    assert (found.replayed, found.changed) == (3, 2)
    assert [(each.approval, each.before, each.after) for each in found.listed] == [
        ("A1", "default: 2 of sre", "default: 1 of security"),
        ("A2", "default: 2 of sre", "default: 1 of security"),
    ]
    assert found.people == [("ana", 2, 0), ("dee", 1, 3)]
    assert found.groups == [("security", 1, 3), ("sre", 2, 0)]


async def test_what_was_erased_or_has_gone_is_counted_and_not_guessed(tmp_path: Path) -> None:
    (tmp_path / "hub").mkdir()
    async with housed(tmp_path / "hub") as house:
        await house.review("cai", name="bob")
        world = house.hub.world
        (tmp_path / "new.yaml").write_text(CONFIG.replace("  greet:", "  hello:"))
        found = await house.hub.db.read(backtest, world, load(tmp_path / "new.yaml", {}).world)
    assert (found.replayed, found.listed[0].after) == (1, "refused: unknown_action")


async def test_what_was_refused_when_it_was_asked_for_is_counted_with_the_reason(tmp_path: Path) -> None:
    async with housed(tmp_path) as house:
        await house.review("cai", name="bob")
        for params in ({"name": "B"}, {"name": "B"}, {}):
            refused = await house.ask("cai", "POST", "/v1/approvals", {"action": "greet", "params": params})
            assert refused.status_code == 400, refused.text
        found = await house.hub.db.read(backtest, house.hub.world, house.hub.world)
    assert found.replayed == 1
    said = "it was refused when it was asked for: "
    assert sorted(found.skipped.items()) == [(f"{said}missing_parameter", 1), (f"{said}pattern_mismatch", 2)]


async def test_only_what_is_young_enough_is_gone_through(tmp_path: Path) -> None:
    async with housed(tmp_path) as house:
        for name in ("bob", "eve", "kim"):
            await house.review("cai", name=name)
        asked = [each for each in await house.events() if each["event"] == "approval:requested"]
        starts = [round(datetime.fromisoformat(each["ts"]).timestamp() * 1_000_000) for each in asked]
        world, told = house.hub.world, []

        def replay(reader: Reader, since_us: int) -> Backtest:
            return backtest(
                reader, world, world, since_us=since_us, progress=lambda done, size: told.append((done, size))
            )

        counts = [(await house.hub.db.read(replay, at)).replayed for at in (0, *starts, starts[-1] + 1)]
    assert counts == [3, 3, 2, 1, 0]
    sizes = [size for _, size in told]
    assert sizes == sorted(sizes, reverse=True) and all(done == size for done, size in told)


def test_the_example_of_the_page_holds(cli: Callable[..., tuple[int, str]], tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "approvals.md").read_text()
    section = page[page.index("## Trying a policy") :]
    (hub, cases) = re.findall(r"```ya?ml\n(.*?)```", section, re.DOTALL)[:2]
    (tmp_path / "hub.yaml").write_text(f"version: 1\n{hub}")
    (tmp_path / "cases.yml").write_text(cases)
    code, said = cli("test", "cases.yml")
    assert (code, "3 cases, all as expected" in said) == (0, True), said

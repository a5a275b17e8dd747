"""Many requests decided in the shell and over HTTP, proved to somebody without a hub, told, and tried under other rules."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
from processes import HubProcess

OTHER = """\
  - {name: touching, when: 'action == "touch"', require: [{person: cai}, {group: team, count: 1}]}
"""


def ask(client: httpx.Client, name: str) -> Any:
    made = client.post("/v1/approvals", json={"action": "touch", "params": {"name": name}, "reason": "due"}).json()
    return until(client, made["id"], "REVIEWING")


def until(client: httpx.Client, name: str, state: str) -> Any:
    ends = time.monotonic() + 30
    while time.monotonic() < ends:
        seen = client.get(f"/v1/approvals/{name}").json()
        if seen["state"] == state:
            return seen
        client.get(f"/v1/approvals/{name}/wait", params={"after": f"{name[1:]}-{seen['version']}", "timeout": 2})
    raise AssertionError(seen)


def test_what_the_shell_decides_by_a_filter_and_http_by_a_batch_is_one_truth(hub: HubProcess) -> None:
    with hub.client("deploy-bot") as bot, hub.client("bo") as bo, hub.client("cai") as cai:
        one, two, three = (ask(bot, name) for name in ("web", "api", "db"))
        other = ask(cai, "web")
        looked = hub.json("approve", "--from", "@deploy-bot", "--dry-run", as_="bo")
        assert [each["id"] for each in looked["items"]] == [three["id"], two["id"], one["id"]]
        assert until(bo, one["id"], "REVIEWING")["decisions"] == []

        unsure = hub.run("approve", "--from", "deploy-bot", as_="bo")
        assert (unsure.returncode, "--yes" in unsure.stderr) == (2, True)
        both = hub.run("approve", one["id"], two["id"], "--yes", "--because", "fine", as_="bo")
        assert both.returncode == 0, both.stderr
        assert "would touch web" in both.stderr, "the cards are shown before the decision"
        items = [{"id": each["id"], "digest": each["digest"]} for each in (two, three, other)]
        body = {"verdict": "approve", "items": items, "comment": "me too"}
        key = {"idempotency-key": "batch-1"}
        first = cai.post("/v1/approvals/batch", json=body, headers=key).json()
        assert [(each["ok"], each.get("code")) for each in first["items"]] == [
            (False, "wrong_state"),
            (True, None),
            (False, "own_request"),
        ]
        for each in (one, two, three):
            assert until(bot, each["id"], "COMPLETED")["run"]["exit"] == 0
        assert cai.post("/v1/approvals/batch", json=body, headers=key).json() == first
        rest = hub.run("reject", "--from", "cai", "--action", "touch", "--yes", "--because", "later", as_="bo")
        assert (rest.returncode, rest.stdout.strip()) == (0, f"{other['id']} is REJECTED"), rest
        none = hub.run("approve", "--action", "touch", "--yes", as_="bo")
        assert (none.returncode, none.stdout.strip()) == (0, "Nothing like that waits for you.")
        assert hub.run("approve", "--yes", as_="bo").returncode == 2
        assert hub.run("approve", one["id"], "--from", "cai", as_="bo").returncode == 2


def test_a_receipt_made_in_the_shell_is_checked_where_nothing_else_is(hub: HubProcess, tmp_path: Path) -> None:
    with hub.client("deploy-bot") as bot:
        seen = ask(bot, "web")
        assert hub.run("approve", seen["id"], "--yes", as_="bo").returncode == 0
        until(bot, seen["id"], "COMPLETED")
    file, key = tmp_path / "receipt.json", tmp_path / "hub.key"
    assert hub.run("receipt", seen["id"], "-o", str(file), as_="bo").returncode == 0
    key.write_text(hub.run("audit", "key").stdout)
    assert hub.stop() == 0

    def check(path: Path) -> subprocess.CompletedProcess[str]:
        code = f"import sys; sys.path.insert(0, {str(Path(__file__).parents[2])!r}); from config.cli.main import main; main()"
        words = [sys.executable, "-I", "-c", code, "verify-receipt", str(path), "--key", str(key)]
        return subprocess.run(words, capture_output=True, text=True, cwd=tmp_path, env={}, timeout=60)

    good = check(file)
    assert (good.returncode, good.stderr) == (0, "")
    assert "by       bo in http (chat; key " in good.stdout and "apply    R1, token " in good.stdout
    whole = json.loads(file.read_text())
    cut = tmp_path / "cut.json"
    cut.write_text(json.dumps({**whole, "entries": [e for e in whole["entries"] if ":decided" not in e["entry"]]}))
    assert check(cut).returncode == 1
    cut.write_text(file.read_text()[:-10])
    assert check(cut).returncode == 2


def test_what_happened_is_told_alike_in_the_shell_and_over_http(hub: HubProcess) -> None:
    with hub.client("deploy-bot") as bot, hub.client("ana") as ana:
        seen = ask(bot, "web")
        hub.run("approve", seen["id"], "--yes", "--because", "it is time", as_="bo")
        until(bot, seen["id"], "COMPLETED")
        told = ana.post("/v1/commands", json={"text": f"history {seen['id']}"}).json()
        shell = hub.run("say", f"history {seen['id']}", as_="ana")
        for text in (told["text"], shell.stdout):
            assert "Times in UTC" in text
            assert "deploy-bot asked for it, in http" in text
            assert "Bo Lind approved it, revision 1, in http (chat): “it is time”" in text
            assert "made it approved, by Bo Lind" in text
            assert "Interlock started run R1" in text and "end well" in text
        assert all(each["text"] and each["event"] for each in told["data"]["items"])


def test_rules_are_tried_on_cases_and_on_the_past(hub: HubProcess) -> None:
    with hub.client("deploy-bot") as bot:
        for name in ("web", "api"):
            ask(bot, name)
    cases = hub.root / "cases.yaml"
    case = (
        "- {name: one is enough, by: deploy-bot, action: touch, params: {name: web}, expect: {policy: default, %s}}\n"
    )
    cases.write_text("cases:\n  " + case % "satisfied_by: [[bo]], not_by: [[ana]]")
    assert hub.run("policy", "test", str(cases), "--config", str(hub.config)).returncode == 0
    cases.write_text("cases:\n  " + case % "not_by: [[bo]]")
    wrong = hub.run("policy", "test", str(cases), "--config", str(hub.config))
    assert (wrong.returncode, "cases.yaml:2" in wrong.stdout) == (1, True), wrong.stdout
    new = hub.root / "new.yaml"
    new.write_text(hub.config.read_text().replace("policies:\n", "policies:\n" + OTHER))
    past = hub.json("policy", "backtest", str(new), "--config", str(hub.config), "--data", str(hub.data))
    assert (past["replayed"], past["changed_count"]) == (2, 2)
    assert {each["before"] for each in past["changed"]} == {"default: 1 of team"}
    assert past["skipped"] == {} and past["groups"] == []

"""`interlock slack manifest`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from config.cli import main

HUB = 'version: 1\npublic_url: {url}\nchannels:\n  chat: {{adapter: slack, bot_token: "${{env:T}}", command: /ops}}\n'


def written(folder: Path, text: str) -> list[str]:
    (folder / "hub.yaml").write_text(text)
    return ["--config", str(folder / "hub.yaml")]


def test_the_manifest_is_that_of_this_hub(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = written(tmp_path, HUB.format(url="https://hub.example.com"))
    assert main.run(["slack", "manifest", *given]) == 0
    made = json.loads(capsys.readouterr().out)
    assert made["settings"]["event_subscriptions"]["request_url"] == "https://hub.example.com/slack/events"
    assert made["features"]["slash_commands"][0]["command"] == "/ops"


def test_without_an_address_that_slack_can_reach_it_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = written(tmp_path, HUB.format(url="http://127.0.0.1:8000"))
    assert main.run(["slack", "manifest", *given]) == 2
    assert "set public_url, or use --socket" in capsys.readouterr().err
    assert main.run(["slack", "manifest", "--socket", *given]) == 0
    assert "127.0.0.1" not in capsys.readouterr().out


def test_an_unknown_channel_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = written(tmp_path, HUB.format(url="https://hub.example.com"))
    assert main.run(["slack", "manifest", "other", *given]) == 2
    assert "no Slack channel other" in capsys.readouterr().err

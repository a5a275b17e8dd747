"""docs/client.md does what it says: its examples run in order, against a hub where somebody approves everything."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from processes import PEOPLE, HubProcess

import hub.client as client_package
from hub.client import Client

PAGE = (Path(__file__).parents[3] / "docs" / "client.md").read_text()
DEPLOY = """\
actions:
  deploy:
    title: "Deploy {service} to {env}"
    params: {service: {type: string, pattern: "[a-z]+"}, env: {type: string, enum: [staging, prod]}}
    apply: {command: ["/bin/echo", "{service}", "is deployed"]}
policies:
  - name: default
    require: [{group: team, count: 1}]
"""


@pytest.fixture
def agreeable(tmp_path: Path) -> Iterator[HubProcess]:
    """A hub where bo approves whatever there is to decide."""
    started = HubProcess(tmp_path, PEOPLE + DEPLOY)
    started.start()
    over = threading.Event()

    def approve_all() -> None:
        with Client(started.url, started.key("bo")) as bo:
            while not over.wait(0.1):
                for each in bo._http.get("/v1/approvals", params={"state": "REVIEWING"}).json()["items"]:
                    bo.approve(bo.show(each["id"]))

    thread = threading.Thread(target=approve_all)
    thread.start()
    yield started
    over.set()
    thread.join()
    started.close()


def test_the_examples_run(
    agreeable: HubProcess, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("INTERLOCK_URL", agreeable.url)
    monkeypatch.setenv("INTERLOCK_KEY", agreeable.key("ana"))
    for example in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL):
        exec(compile(example, "client.md", "exec"), {"__name__": "example"})
    said = capsys.readouterr().out
    assert "A1 waits for people\nweb is deployed\n" in said
    assert "web is on prod" in said
    assert "env:staging" in said
    assert "busy" not in said


def test_every_error_of_the_package_is_in_the_table() -> None:
    errors = {name for name in client_package.__all__ if isinstance(getattr(client_package, name), type)} - {
        *("Client", "AsyncClient", "Approval", "Reply", "Lease", "AsyncLease", "InterlockError", "NotCompleted")
    }
    table = PAGE.partition("## Errors")[2]
    assert errors == set(re.findall(r"`([A-Z]\w+)`", table)) - {"InterlockError"}

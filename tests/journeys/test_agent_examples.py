"""The examples in docs/examples, each run as it stands: people decide in the shell, the agent learns how it ended.

They run in an environment of their own, from tests/examples/requirements.lock: other people's frameworks have other
people's dependencies.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from processes import REPOSITORY, HubProcess
from servers import missing

EXAMPLES = REPOSITORY / "docs" / "examples"
LOCK = REPOSITORY / "tests" / "examples" / "requirements.lock"


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Python that has the frameworks and nothing of ours."""
    uv = Path(sys.prefix) / "bin" / "uv"
    folder = tmp_path_factory.mktemp("frameworks")
    made = subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, folder / "venv"], capture_output=True)
    python = folder / "venv" / "bin" / "python"
    if made.returncode == 0:
        command = [uv, "pip", "install", "--quiet", "--python", python, "--require-hashes", "-r", LOCK]
        made = subprocess.run(command, capture_output=True)
    if made.returncode != 0:
        missing("langgraph or openai-agents", made.stderr.decode(errors="replace")[-400:])
    yield str(python)
    shutil.rmtree(folder, ignore_errors=True)


def begin(hub: HubProcess, python: str, program: Path, *words: str) -> subprocess.Popen[str]:
    environ = hub.environ | {"INTERLOCK_URL": hub.url, "INTERLOCK_KEY": hub.key("deploy-bot")}
    return subprocess.Popen(
        [python, str(program), *words],
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=hub.root,
    )


def next_request(hub: HubProcess, name: str) -> str:
    """The id of the request to touch that name, once it waits for people."""
    until = time.monotonic() + 60
    with hub.client("bo") as bo:
        while time.monotonic() < until:
            for each in bo.get("/v1/approvals", params={"state": "reviewing"}).json()["items"]:
                if each["params"].get("name") == name:
                    found: str = each["id"]
                    return found
            time.sleep(0.2)
    raise AssertionError(f"nobody asked to touch {name}")


def ended(process: subprocess.Popen[str]) -> str:
    out, err = process.communicate(timeout=90)
    assert process.returncode == 0, err
    return out


def test_a_plain_loop_goes_on_after_a_denial(standing_hub: HubProcess, python: str) -> None:
    process = begin(standing_hub, sys.executable, EXAMPLES / "plain_loop.py", "plaina", "plainb")
    first = next_request(standing_hub, "plaina")
    assert standing_hub.run("reject", first, "--yes", "--because", "not that one", as_="bo").returncode == 0
    second = next_request(standing_hub, "plainb")
    assert standing_hub.run("approve", second, "--yes", as_="bo").returncode == 0
    said = ended(process)
    assert f"plaina: not done: {first} was rejected" in said
    assert "plainb: done: touched plainb" in said


def test_a_graph_of_langgraph_takes_the_edge_that_people_chose(standing_hub: HubProcess, python: str) -> None:
    process = begin(standing_hub, python, EXAMPLES / "langgraph_agent.py", "grapha", "graphb")
    first = next_request(standing_hub, "grapha")
    assert standing_hub.run("approve", first, "--yes", as_="bo").returncode == 0
    second = next_request(standing_hub, "graphb")
    assert standing_hub.run("reject", second, "--yes", "--because", "no", as_="bo").returncode == 0
    said = ended(process)
    assert f"{first} done: touched grapha" in said
    assert f"{second} not done (REJECTED)" in said


def test_an_agent_of_the_openai_sdk_uses_the_tools_of_the_hub(standing_hub: HubProcess, python: str) -> None:
    process = begin(standing_hub, python, REPOSITORY / "tests" / "examples" / "scripted.py", "sdk")
    number = next_request(standing_hub, "sdk")
    assert standing_hub.run("approve", number, "--yes", as_="bo").returncode == 0
    assert ended(process).strip() == f"{number} is COMPLETED"

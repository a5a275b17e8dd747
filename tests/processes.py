"""A real `interlock up` in a directory of its own, for tests that need the whole process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from config.cli.client import Client
from config.settings import Settings

REPOSITORY = Path(__file__).parents[1]
INTERLOCK = [sys.executable, "-m", "config.cli.main"]
START_SECONDS = 180
"""Far beyond what any start takes, however busy the machine: it only ends a hub that will never be ready."""

PEOPLE = """\
version: 1
public_url: http://127.0.0.1:8000
people:
  ana: {name: Ana Ruiz, email: ana@example.com, groups: [team, admins]}
  bo: {name: Bo Lind, email: bo@example.com, groups: [team]}
  cai: {name: Cai Wu, email: cai@example.com, groups: [team]}
agents: {deploy-bot: {owner: ana}}
services: {ci: {owners: [ana]}}
limits: {commands: 500/s, burst: 500}
"""
ACTIONS = """\
actions:
  touch:
    title: "Touch {name}"
    params: {name: {type: string, pattern: "[a-z]+"}}
    resources: ["file:{name}"]
    preview: {command: ["/bin/echo", "would touch", "{name}"]}
    apply: {command: ["/bin/sh", "-c", "echo \\"$INTERLOCK_FENCE\\" >> \\"touched-$1\\"; echo touched \\"$1\\"", "sh", "{name}"]}
  fail:
    title: "Fail"
    apply: {command: ["/bin/sh", "-c", "echo it broke; exit 3"]}
  sleep:
    title: "Sleep {seconds}"
    params: {seconds: {type: integer, minimum: 0, maximum: 60}}
    resources: ["bed:only"]
    apply: {command: ["/bin/sleep", "{seconds}"], timeout: 90s}
policies:
  - name: default
    require: [{group: team, count: 1}]
"""


class HubProcess:
    """A real `interlock up` on a directory of its own: started, killed, started again, asked by its CLI or by HTTP."""

    def __init__(self, root: Path, config: str) -> None:
        self.root = root
        self.data = root / "data"
        self.config = root / "hub.yaml"
        self.config.write_text(config)
        self.errors = root / "stderr.log"
        self.facts: dict[str, Any] = {}
        self._process: subprocess.Popen[bytes] | None = None
        self._keys: dict[str, str] = {}
        self._port = 0

    @property
    def environ(self) -> dict[str, str]:
        """The environment of everything that belongs to this hub; nothing of the developer's own hub leaks in."""
        mine = {name: value for name, value in os.environ.items() if not name.startswith("INTERLOCK_")}
        return mine | {
            "INTERLOCK_CONFIG": str(self.config),
            "INTERLOCK_DATA": str(self.data),
            "INTERLOCK_PORT": str(self._port),
            "XDG_STATE_HOME": str(self.root / "state"),
            "PYTHONPATH": str(REPOSITORY),
        }

    @property
    def url(self) -> str:
        """Where it listens."""
        return str(self.facts["url"])

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Ready once this returns: the hub has said so itself."""
        with self.errors.open("ab") as errors:
            self._process = subprocess.Popen(
                [*INTERLOCK, "up"], cwd=self.root, env=self.environ, stdout=subprocess.PIPE, stderr=errors
            )
        hurry = threading.Timer(START_SECONDS, self._process.kill)
        hurry.start()
        try:
            assert self._process.stdout is not None
            line = self._process.stdout.readline()
        finally:
            hurry.cancel()
        if not line:
            self.close()  # else its pipe is found open in the middle of another test
        assert line, f"the hub ended before it was ready:\n{self.errors.read_text()[-4000:]}"
        self.facts = json.loads(line)
        self._port = int(self.url.rpartition(":")[2])

    def kill(self) -> None:
        """Gone, without any chance to tidy up."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """The exit code of a graceful end."""
        return self._end(signal.SIGTERM)

    def restart(self) -> None:
        """Killed, and up again on the same port."""
        self.kill()
        self.start()

    def signal(self, number: int) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def close(self) -> None:
        """Nothing of it is left."""
        if self._process is not None:
            self.kill()

    def _end(self, number: int) -> int:
        assert self._process is not None
        self._process.send_signal(number)
        code = self._process.wait(timeout=40)
        if self._process.stdout is not None:
            self._process.stdout.close()
        return code

    def run(self, *words: str, as_: str | None = None, **more: Any) -> subprocess.CompletedProcess[str]:
        """One `interlock` command: as a person by their key, or as the operator through the control socket."""
        return subprocess.run(
            [*INTERLOCK, *words], **self._how(as_), capture_output=True, text=True, timeout=120, **more
        )

    def begin(self, *words: str, as_: str | None = None) -> subprocess.Popen[str]:
        """A command that goes on by itself; whoever began it waits for it."""
        return subprocess.Popen(
            [*INTERLOCK, *words], **self._how(as_), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def _how(self, as_: str | None) -> dict[str, Any]:
        environ = self.environ
        if as_ is not None:
            environ |= {"INTERLOCK_URL": self.url, "INTERLOCK_KEY": self.key(as_)}
        return {"cwd": self.root, "env": environ}

    def key(self, principal: str) -> str:
        """A key of that principal, made on first use, as `interlock key create` makes it."""
        if principal not in self._keys:
            with Client(Settings(config=self.config, data=self.data, environ={})) as operator:
                self._keys[principal] = operator.post("/v1/keys", {"principal": principal})["key"]
        return self._keys[principal]

    def client(self, principal: str, **how: Any) -> httpx.Client:
        """An HTTP client of that principal; close it, or use it as a context."""
        headers = {"authorization": f"Bearer {self.key(principal)}"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=30, trust_env=False, verify=False, **how)

    def json(self, *words: str, as_: str | None = None) -> Any:
        """What a command answers with --json."""
        done = self.run(*words, "--json", as_=as_)
        assert done.stdout, done.stderr
        return json.loads(done.stdout)


StartHub = Callable[..., HubProcess]

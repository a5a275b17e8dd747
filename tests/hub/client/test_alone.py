"""The client is a package of its own: httpx is all it needs, and what it offers is typed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import hub.client

GUARD = """
import sys
from importlib.abc import MetaPathFinder

ALLOWED = {"hub", "httpx", "httpcore", "h11", "anyio", "sniffio", "certifi", "idna", "typing_extensions"}

class OnlyHttpx(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        ours = top == "hub" and name != "hub" and not name.startswith("hub.client")
        if ours or not (top in ALLOWED or top in sys.stdlib_module_names or top.startswith("__editable__")):
            raise ModuleNotFoundError(name, name=name)
        return None

sys.meta_path.insert(0, OnlyHttpx())
import hub.client
hub.client.Client("http://127.0.0.1:9", "key").close()
print(len(hub.client.__all__))
"""


def test_it_is_imported_where_only_httpx_is_installed() -> None:
    done = subprocess.run([sys.executable, "-c", GUARD], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    assert int(done.stdout) == len(hub.client.__all__)


def test_it_says_that_it_is_typed() -> None:
    assert Path(hub.client.__file__).parents[1].joinpath("py.typed").exists()

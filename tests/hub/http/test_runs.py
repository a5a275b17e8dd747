"""A run is looked at while it goes on."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from house import CONFIG, housed

pytestmark = pytest.mark.anyio

SLOW = """\
  slow:
    title: "Do it slowly"
    apply: {command: ["/bin/sh", "-c", "echo begun; while [ ! -e go ]; do sleep 0.05; done; echo ended"]}
policies:
"""


async def test_what_a_run_says_is_seen_while_it_goes_on_by_those_who_may_see_it(tmp_path: Path) -> None:
    async with housed(tmp_path, CONFIG.replace("policies:\n", SLOW, 1)) as house:
        seen = await house.review("cai", "slow")
        for who in ("ana", "bo"):
            await house.ask(who, "POST", f"/v1/approvals/{seen['id']}/approve", {"digest": seen["digest"]})
        async with asyncio.timeout(30):
            while True:
                found = await house.ask("dee", "GET", "/v1/runs/R1")
                if found.status_code == 200 and found.json()["output_tail"]:
                    break
                await asyncio.sleep(0.05)
        run = found.json()
        assert (run["approval"], run["state"], run["output_tail"]) == (seen["id"], "running", "begun\n")
        whole = await house.ask("dee", "GET", f"/v1/approvals/{seen['id']}")
        again = await house.ask("dee", "GET", f"/v1/approvals/{seen['id']}", if_none_match=whole.headers["etag"])
        for answer in (whole, again):
            assert (answer.status_code, answer.json()["run"]["output_tail"]) == (200, "begun\n")
        (tmp_path / "go").touch()
        async with asyncio.timeout(30):
            while (await house.ask("dee", "GET", "/v1/runs/R1")).json()["state"] == "running":
                await asyncio.sleep(0.05)
        assert (await house.ask("dee", "GET", "/v1/runs/R1")).json()["output_tail"] == "begun\nended\n"
        hidden = await house.review("dee", "quiet")
        await house.ask("bo", "POST", f"/v1/approvals/{hidden['id']}/approve", {"digest": hidden["digest"]})
        async with asyncio.timeout(30):
            while (await house.ask("bo", "GET", "/v1/runs/R2")).status_code != 200:
                await asyncio.sleep(0.05)
        assert (await house.ask("cai", "GET", "/v1/runs/R2")).status_code == 404
        assert (await house.ask("cai", "GET", "/v1/runs/R9")).status_code == 404


async def test_what_a_run_prints_is_read_on_from_any_offset_and_waited_for(tmp_path: Path) -> None:
    async with housed(tmp_path, CONFIG.replace("policies:\n", SLOW, 1)) as house:
        seen = await house.review("cai", "slow")
        for who in ("ana", "bo"):
            await house.ask(who, "POST", f"/v1/approvals/{seen['id']}/approve", {"digest": seen["digest"]})
        async with asyncio.timeout(30):
            while (await house.ask("dee", "GET", "/v1/runs/R1")).status_code != 200:
                await asyncio.sleep(0.05)
        first = (await house.ask("dee", "GET", "/v1/runs/R1/output?timeout=30")).json()
        assert first == {"run": "R1", "offset": 0, "text": "begun\n", "next": 6, "skipped": 0, "ended": False}
        nothing = (await house.ask("dee", "GET", "/v1/runs/R1/output?offset=6")).json()
        assert nothing == {"run": "R1", "offset": 6, "text": "", "next": 6, "skipped": 0, "ended": False}
        more = asyncio.create_task(house.ask("dee", "GET", "/v1/runs/R1/output?offset=6&timeout=30"))
        (tmp_path / "go").touch()
        assert (await more).json()["text"] == "ended\n"
        last = (await house.ask("dee", "GET", "/v1/runs/R1/output?offset=12&timeout=30")).json()
        assert (last["next"], last["text"], last["ended"]) == (12, "", True)
        assert (await house.ask("dee", "GET", "/v1/runs/R1/output")).json()["text"] == "begun\nended\n"
        for wrong, status in (("R9/output", 404), ("A1/output", 400), ("R1/output?offset=-1", 400)):
            assert (await house.ask("dee", "GET", f"/v1/runs/{wrong}")).status_code == status
        hidden = await house.review("dee", "quiet")
        await house.ask("bo", "POST", f"/v1/approvals/{hidden['id']}/approve", {"digest": hidden["digest"]})
        async with asyncio.timeout(30):
            while (await house.ask("bo", "GET", "/v1/runs/R2/output")).status_code != 200:
                await asyncio.sleep(0.05)
        assert (await house.ask("cai", "GET", "/v1/runs/R2/output")).status_code == 404

"""Receipts: made by a hub, checked without one; whatever is changed proves nothing."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from house import House, housed
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from config.cli.main import run
from core.audit.keys import SigningKey, VerifierKey
from core.errors import Invalid
from core.receipt.receipt import verify

pytestmark = pytest.mark.anyio


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with housed(tmp_path) as built:
        yield built


async def approved(house: House, name: str = "bob") -> str:
    """The id of a request that Ana and Bo approved over HTTP and that ran."""
    seen = await house.review("cai", name=name)
    for person in ("ana", "bo"):
        done = await house.ask(
            person, "POST", f"/v1/approvals/{seen['id']}/approve", {"digest": seen["digest"], "comment": "fine"}
        )
        assert done.status_code == 200, done.text
    for _ in range(20):
        ended = await house.ask("ana", "GET", f"/v1/approvals/{seen['id']}/wait?until=final&timeout=2")
        if ended.json()["state"] == "COMPLETED":
            return str(seen["id"])
    raise AssertionError(ended.text)


async def receipt_of(house: House, name: str) -> tuple[dict[str, Any], VerifierKey]:
    answer = await house.ask("ana", "GET", f"/v1/approvals/{name}/receipt")
    assert answer.status_code == 200, answer.text
    key = (await house.ask("ana", "GET", "/v1/audit/key")).text.strip()
    return answer.json(), VerifierKey.parse(key)


async def test_a_receipt_says_who_approved_what_with_which_proof_and_what_ran(house: House) -> None:
    receipt, key = await receipt_of(house, await approved(house))
    found = verify(receipt, [key])
    assert (found.action, found.requester) == ("greet", "cai")
    assert [(each.by, each.channel) for each in found.decisions] == [("ana", "http"), ("bo", "http")]
    assert all(each.evidence.keys() == {"key"} for each in found.decisions)
    (run,) = found.runs
    assert (run.kind, run.ended) == ("apply", "finished")
    assert run.token > 0
    opened = {each["field"]: each["value"] for entry in receipt["entries"] for each in entry["values"]}
    assert opened["comment"] == '"fine"'


async def test_a_receipt_says_how_whoever_decided_in_a_browser_had_signed_in(house: House) -> None:
    seen = await house.review("cai")
    for who in ("ana", "bo"):
        headers = {**await house.cookie(who), "origin": "http://127.0.0.1:8000"}
        path = f"/v1/approvals/{seen['id']}/approve"
        done = await house.http.post(path, json={"digest": seen["digest"]}, headers=headers)
        assert done.status_code == 200, done.text
    receipt, key = await receipt_of(house, seen["id"])
    for each in verify(receipt, [key]).decisions:
        assert each.assurance == "signed_in"
        assert each.evidence.keys() == {"session", "signed_in"} and each.evidence["signed_in"] == "test"


async def test_the_command_checks_a_receipt_with_a_key_alone(house: House, tmp_path: Path) -> None:
    receipt, key = await receipt_of(house, await approved(house))
    file, key_file = tmp_path / "receipt.json", tmp_path / "key"
    file.write_text(json.dumps(receipt))
    key_file.write_text(key.text + "\n")
    command = [sys.executable, "-m", "config.cli.main", "verify-receipt", str(file), "--key"]
    good = subprocess.run([*command, str(key_file)], capture_output=True, text=True, cwd=tmp_path)
    assert (good.returncode, "bo in http" in good.stdout) == (0, True), good
    other = SigningKey.generate("other.example").verifier.text
    bad = subprocess.run([*command, other], capture_output=True, text=True, cwd=tmp_path)
    assert bad.returncode == 1
    file.write_text(json.dumps({**receipt, "approval": "A999"}))
    assert subprocess.run([*command, key.text], capture_output=True, text=True, cwd=tmp_path).returncode == 1
    decided = [each for each in receipt["entries"] if '"approval:decided"' in each["entry"]]
    file.write_text(json.dumps({**receipt, "entries": [each for each in receipt["entries"] if each not in decided]}))
    cut = subprocess.run([*command, key.text, "--json"], capture_output=True, text=True, cwd=tmp_path)
    assert (cut.returncode, json.loads(cut.stdout)["code"]) == (1, "bad_receipt")


async def test_a_receipt_is_checked_where_there_is_no_hub_no_database_and_no_network(
    house: House, tmp_path: Path
) -> None:
    receipt, key = await receipt_of(house, await approved(house))
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (folder / "receipt.json").write_text(json.dumps(receipt))
    program = f"""
import sys
def forbid(event, args):
    if event.startswith(("socket.", "sqlite3.")):
        raise SystemExit(f"it did {{event}}")
sys.addaudithook(forbid)
sys.path.insert(0, {str(Path(__file__).parents[3])!r})
from config.cli.main import run
code = run(["verify-receipt", "receipt.json", "--key", {key.text!r}])
strangers = {{"sqlalchemy", "sqlite3", "psycopg", "fastapi", "httpx", "redis"}} & sys.modules.keys()
sys.exit(f"it needs {{strangers}}" if strangers else code)
"""
    done = subprocess.run(
        [sys.executable, "-I", "-c", program], capture_output=True, text=True, cwd=folder, env={"LANG": "C.UTF-8"}
    )
    assert (done.returncode, done.stderr) == (0, ""), done
    assert "by       ana in http" in done.stdout


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (None, 2),
        (b"", 2),
        (b"{", 2),
        (b"[1, 2]", 2),
        (b'{"items": []}', 2),
        (b'\xff{"interlock_receipt": 2}', 2),
        (b'{"interlock_receipt": 2}', 1),
        (b'{"interlock_receipt": 1}', 1),
    ],
)
def test_a_file_to_check_and_one_that_does_not_verify_end_apart(
    tmp_path: Path, content: bytes | None, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "receipt.json"
    if content is not None:
        file.write_bytes(content)
    key = SigningKey.generate("hub.example").verifier.text
    assert run(["verify-receipt", str(file), "--key", key]) == code
    assert run(["verify-receipt", str(file)]) == 2
    assert run(["verify-receipt", str(file), "--key", "no+key"]) == 2
    assert run(["verify-receipt", str(tmp_path), "--key", key]) == 2
    said = capsys.readouterr()
    assert "Traceback" not in said.out + said.err


async def test_what_was_not_approved_has_no_receipt(house: House) -> None:
    seen = await house.review()
    answer = await house.ask("ana", "GET", f"/v1/approvals/{seen['id']}/receipt")
    assert (answer.status_code, answer.json()["code"]) == (409, "not_approved")


async def test_two_receipts_mixed_prove_nothing(house: House) -> None:
    one, key = await receipt_of(house, await approved(house, "one"))
    two, _ = await receipt_of(house, await approved(house, "two"))
    for change in ("bound", "approval", "checkpoint"):
        with pytest.raises(Invalid):
            verify({**one, change: two[change]}, [key])
    with pytest.raises(Invalid):
        verify({**one, "entries": [*one["entries"], *two["entries"]]}, [key])


@pytest.mark.parametrize("event", ["approval:submitted", "approval:decided", "approval:approved"])
async def test_a_receipt_without_a_needed_entry_proves_nothing(house: House, event: str) -> None:
    receipt, key = await receipt_of(house, await approved(house))
    kept = [each for each in receipt["entries"] if json.loads(each["entry"])["event"] != event]
    with pytest.raises(Invalid, match="proves nothing"):
        verify({**receipt, "entries": kept}, [key])


async def test_any_change_anywhere_proves_nothing(house: House) -> None:
    receipt, key = await receipt_of(house, await approved(house))
    places = list(_leaves(receipt))

    @settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(st.sampled_from(places), st.integers(0, 10_000), st.characters(min_codepoint=33, max_codepoint=126))
    def changed(place: tuple[Any, ...], at: int, char: str) -> None:
        spoilt = copy.deepcopy(receipt)
        *way, last = place
        target: Any = spoilt
        for step in way:
            target = target[step]
        before = target[last]
        if isinstance(before, str):
            index = at % max(1, len(before))
            target[last] = before[:index] + char + before[index + 1 :]
        elif isinstance(before, bool) or before is None:
            target[last] = "x"
        else:
            target[last] = before + 1 + at
        if target[last] == before or str(target[last]).lower() == str(before).lower():
            return  # hex in the other case says the same
        with pytest.raises(Invalid):
            verify(spoilt, [key])

    changed()


def _leaves(value: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(value, dict):
        for name, each in value.items():
            yield from _leaves(each, (*way, name))
    elif isinstance(value, list):
        for at, each in enumerate(value):
            yield from _leaves(each, (*way, at))
    else:
        yield way

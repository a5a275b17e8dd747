"""Exports: written from the tables, verified from a file, by us and by the script in docs/log.md."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest

from core.audit.export import export_lines, verify_export
from core.audit.judge import Held
from core.audit.keys import SigningKey, VerifierKey
from core.audit.proof import Proof, verify_proof
from core.errors import Invalid

PAGE = Path(__file__).parents[3] / "docs" / "log.md"


def write(log: Any, path: Path, size: int | None = None, *, withhold: bool = False) -> Path:
    lines = export_lines(log.rows, None if withhold else log.values, checkpoint=log.note(size))
    path.write_bytes(b"".join(lines))
    return path


def found(log: Any, path: Path) -> set[str]:
    return {finding.kind for finding in verify_export(path, keys=[log.key.verifier]).findings}


def bend(path: Path, line: int, **changes: Any) -> None:
    lines = path.read_bytes().splitlines(keepends=True)
    lines[line] = orjson.dumps({**orjson.loads(lines[line]), **changes}, option=orjson.OPT_APPEND_NEWLINE)
    path.write_bytes(b"".join(lines))


def test_an_export_is_verified_without_the_hub(tmp_path: Path, log: Any) -> None:
    verdict = verify_export(write(log, tmp_path / "log.jsonl"), keys=[log.key.verifier])
    assert (verdict.intact, verdict.size, verdict.checkpoints) == (True, len(log.rows), 1)
    assert verdict.root == log.verify().root
    assert not verdict.anchored


def test_an_export_holds_the_exact_entries_and_the_private_values(tmp_path: Path, log: Any) -> None:
    lines = write(log, tmp_path / "log.jsonl", 5).read_bytes().splitlines()
    first = orjson.loads(lines[0])
    assert first["entry"].encode() == log.rows[0][1]
    assert [value["field"] for value in first["values"]] == ["params", "reason"]
    assert orjson.loads(first["values"][1]["value"]) == "because 0"
    assert len(lines) == 6


def test_private_values_can_be_withheld(tmp_path: Path, log: Any) -> None:
    path = write(log, tmp_path / "log.jsonl", withhold=True)
    assert b"because" not in path.read_bytes()
    verdict = verify_export(path, keys=[log.key.verifier])
    assert verdict.intact
    assert not verdict.values_checked


def test_an_erased_value_is_simply_not_there(tmp_path: Path, log: Any) -> None:
    del log.values[0]
    assert verify_export(write(log, tmp_path / "log.jsonl"), keys=[log.key.verifier]).intact


def test_a_checkpoint_held_elsewhere_anchors_an_export(tmp_path: Path, log: Any) -> None:
    path = write(log, tmp_path / "log.jsonl", 41)
    held = Held(source="my notebook", note=log.note(30))
    assert verify_export(path, keys=[log.key.verifier], outside=[held]).anchored_size == 30


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"entry": "{}"}, "edited"),
        ({"leaf_hash": "00" * 32}, "edited"),
        ({"leaf_hash": "zz"}, "bad_line"),
        ({"values": [{"field": "reason", "salt": "00", "value": "1"}]}, "value_changed"),
        ({"values": [{"field": "stray", "salt": "00", "value": "1"}]}, "value_stray"),
        ({"values": [{}]}, "bad_line"),
        ({"values": [1]}, "bad_line"),
        ({"seq": 2}, "missing"),
        ({"seq": "1"}, "bad_line"),
    ],
)
def test_a_bent_line_is_found(tmp_path: Path, log: Any, change: dict[str, Any], kind: str) -> None:
    path = write(log, tmp_path / "log.jsonl")
    bend(path, 0, **change)
    assert kind in found(log, path)


def test_a_line_removed_or_doubled_is_found(tmp_path: Path, log: Any) -> None:
    path = write(log, tmp_path / "log.jsonl")
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:9] + lines[10:]))
    assert "missing" in found(log, path)
    path.write_bytes(b"".join(lines[:10] + lines[9:]))
    assert "out_of_order" in found(log, path)


def test_entries_past_the_checkpoint_of_an_export_are_found(tmp_path: Path, log: Any) -> None:
    lines = write(log, tmp_path / "long.jsonl").read_bytes().splitlines(keepends=True)
    last = write(log, tmp_path / "short.jsonl", 41).read_bytes().splitlines(keepends=True)[-1]
    (tmp_path / "both.jsonl").write_bytes(b"".join(lines[:-1]) + last)
    assert "bad_line" in found(log, tmp_path / "both.jsonl")


def test_an_export_signed_by_a_stranger_is_found(tmp_path: Path, log: Any, new_log: Any) -> None:
    other = new_log(origin=log.origin)
    other.fill(3)
    assert found(log, write(other, tmp_path / "log.jsonl")) == {"unknown_key"}


def test_a_part_of_an_export_is_refused(tmp_path: Path, log: Any) -> None:
    path = write(log, tmp_path / "log.jsonl")
    path.write_bytes(path.read_bytes()[:-40])
    for broken in (path, tmp_path / "absent", tmp_path):
        with pytest.raises(Invalid) as caught:
            verify_export(broken, keys=[log.key.verifier])
        assert caught.value.code == "bad_export"


def test_a_tampered_log_is_not_exported_as_if_it_were_whole(log: Any) -> None:
    note = log.note()
    short, gap, torn = log.rows[:-1], log.rows[:5] + log.rows[6:], [(1, b"\xff", *log.rows[0][2:]), *log.rows[1:]]
    for rows in (short, gap, torn):
        with pytest.raises(Invalid) as caught:
            list(export_lines(rows, None, checkpoint=note))
        assert caught.value.code == "cannot_export"


def run_published_script(tmp_path: Path, path: Path, key: str) -> subprocess.CompletedProcess[str]:
    script = re.search(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert script is not None
    (tmp_path / "check.py").write_text(script[1])
    return subprocess.run(
        [sys.executable, "-I", tmp_path / "check.py", path, key],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )


def test_the_script_in_the_docs_verifies_an_export_on_its_own(tmp_path: Path, log: Any) -> None:
    path = write(log, tmp_path / "log.jsonl")
    result = run_published_script(tmp_path, path, log.key.verifier.text)
    assert (result.returncode, result.stderr) == (0, "")
    assert f"{len(log.rows)} entries" in result.stdout
    assert log.verify().root.hex() in result.stdout


@pytest.mark.parametrize(
    ("line", "old", "new"),
    [
        (0, b"approval:decided", b"approval:expired"),
        (20, b'\\"size\\":20', b'\\"size\\":21'),
        (0, b'\\"seq\\":1', b'\\"seq\\":2'),
        (-1, b"\\n47\\n", b"\\n48\\n"),
        (-1, b"interlock.log", b"interlock.lug"),
    ],
)
def test_the_script_in_the_docs_finds_what_was_bent(
    tmp_path: Path, log: Any, line: int, old: bytes, new: bytes
) -> None:
    path = write(log, tmp_path / "log.jsonl")
    lines = path.read_bytes().splitlines(keepends=True)
    assert old in lines[line]
    lines[line] = lines[line].replace(old, new, 1)
    path.write_bytes(b"".join(lines))
    result = run_published_script(tmp_path, path, log.key.verifier.text)
    assert result.returncode == 1
    assert "NOT INTACT" in result.stderr


def test_the_script_in_the_docs_takes_either_key_while_the_key_changes(tmp_path: Path, log: Any) -> None:
    new = SigningKey.generate(log.origin)
    note = log.note(None, log.key, new)
    path = tmp_path / "log.jsonl"
    path.write_bytes(b"".join(export_lines(log.rows, log.values, checkpoint=note)))
    for key in (log.key, new):
        assert run_published_script(tmp_path, path, key.verifier.text).returncode == 0


def test_the_script_in_the_docs_finds_a_value_that_was_bent(tmp_path: Path, log: Any) -> None:
    path = write(log, tmp_path / "log.jsonl")
    path.write_bytes(path.read_bytes().replace(b"because 0", b"because 1", 1))
    assert run_published_script(tmp_path, path, log.key.verifier.text).returncode == 1


def worked_example(tmp_path: Path) -> tuple[Path, str, dict[str, Any]]:
    """The export, the key and the proof that docs/log.md shows."""
    page = PAGE.read_text()
    export = re.search(r"```jsonl\n(.*?)```", page, re.DOTALL)
    key = re.search(r"Its key is\n\n {4}(\S+)\n", page)
    proof = re.search(r"```json\n(.*?)```", page, re.DOTALL)
    assert export is not None
    assert key is not None
    assert proof is not None
    path = tmp_path / "example.jsonl"
    path.write_text(export[1])
    return path, key[1], orjson.loads(proof[1])


def test_the_worked_example_in_the_docs_is_intact(tmp_path: Path) -> None:
    path, key, proof = worked_example(tmp_path)
    verdict = verify_export(path, keys=[VerifierKey.parse(key)])
    assert (verdict.intact, verdict.size, verdict.values_checked) == (True, 3, True)
    assert verdict.root is not None
    assert verdict.root.hex() in PAGE.read_text()
    assert verify_proof(Proof.from_json(proof), keys=[VerifierKey.parse(key)]).root == verdict.root
    assert run_published_script(tmp_path, path, key).returncode == 0


def test_every_kind_of_finding_is_explained_in_the_docs() -> None:
    """Those of the first verdict; what the state tables may differ in is not told by kinds there."""
    files = (PAGE.parents[1] / "core" / "audit").glob("*.py")
    source = "".join(file.read_text() for file in files if file.name != "state_match.py")
    kinds = set(re.findall(r"""findings\.add\(\s*"([a-z_]+)\"""", source)) | {"not_canonical", "bad_entry"}
    table = PAGE.read_text().partition("## What verification finds")[2].partition("## A worked example")[0]
    assert len(kinds) > 15
    assert kinds == set(re.findall(r"`([a-z_]+)`", "".join(re.findall(r"^\| (`.+?) \|", table, re.MULTILINE))))

"""What changed between two revisions, said so that somebody can decide on it."""

from __future__ import annotations

from typing import Any

from core.approvals.changes import MOST_CHANGES, MOST_COMPARED, MOST_LINES, changes, preview_diff


def bound(**given: Any) -> dict[str, Any]:
    base: dict[str, Any] = {
        "approval": "A1",
        "revision": 1,
        "requester": "ana",
        "definition": '{"apply":{"command":["./go"],"timeout":5},"title":"Go"}',
        "params": {"version": "1.2.3"},
        "secrets": {"token": "aa"},
        "commands": {"apply": {"command": ["./go", "1.2.3"]}},
        "resources": ["env:prod"],
        "files": {"go": "f1"},
        "preview": {"exit": 0, "output": "+ 1.2.3\n", "sha256": "s1"},
        "policy": {"name": "prod", "definition": '{"require":[{"count":1}]}', "chosen": True},
    }
    return base | given


def fields(before: dict[str, Any], after: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    return {each["field"]: (each["before"], each["after"]) for each in changes(before, after)}


def test_a_parameter_and_the_command_that_it_changes_are_named_with_both_values() -> None:
    after = bound(params={"version": "1.2.4"}, commands={"apply": {"command": ["./go", "1.2.4"]}}, revision=2)
    assert fields(bound(), after) == {
        "params.version": ("1.2.3", "1.2.4"),
        "commands.apply.command": (["./go", "1.2.3"], ["./go", "1.2.4"]),
    }


def test_a_definition_is_compared_key_by_key() -> None:
    after = bound(
        definition='{"apply":{"command":["./go"],"timeout":9},"title":"Go"}',
        policy={"name": "prod", "definition": '{"require":[{"count":2}]}', "chosen": True},
    )
    assert fields(bound(), after) == {
        "definition.apply.timeout": (5, 9),
        "policy.definition.require": ([{"count": 1}], [{"count": 2}]),
    }


def test_a_files_content_a_resource_and_the_previews_exit_are_seen() -> None:
    after = bound(files={"go": "f2"}, resources=["env:dev"], preview={"exit": 1, "output": "+ 1.2.3\n"})
    assert set(fields(bound(), after)) == {"files.go", "resources", "preview.exit"}


def test_a_secret_is_only_said_to_have_been_given_again() -> None:
    assert fields(bound(), bound(secrets={"token": "bb"})) == {
        "params.token": ("a secret", "a secret, given again"),
    }


def test_many_changes_are_cut_with_their_count() -> None:
    before = bound(params={f"p{n}": 0 for n in range(MOST_CHANGES + 7)})
    found = changes(before, bound(params={f"p{n}": 1 for n in range(MOST_CHANGES + 7)}))
    assert len(found) == MOST_CHANGES + 1
    assert found[-1]["after"] == "7 more changes"


def test_the_previews_are_shown_as_a_diff_in_which_nothing_hides() -> None:
    before = {"output": "same\nold\n"}
    assert preview_diff(before, {"output": "same\nold\n"}) is None
    diff = preview_diff(before, {"output": "same\nn\u202eew\x1b[2J\n"})
    assert diff is not None
    assert diff.splitlines()[-3:] == ["-old", "+n⟨U+202E⟩ew⟨U+001B⟩[2J", " "]


def test_a_long_difference_is_cut_and_says_how_much() -> None:
    many = "\n".join(f"line {n}" for n in range(MOST_COMPARED + 50))
    diff = preview_diff({"output": ""}, {"output": many + "x" * 5_000})
    assert diff is not None
    assert len(diff.splitlines()) == MOST_LINES + 2
    assert "more lines of the difference are not shown" in diff
    assert "the last 50 lines were not compared" in diff
    assert preview_diff(None, {"output": "y" * 1_000}) is not None
    assert "600 more characters" in str(preview_diff(None, {"output": "y" * 999}))

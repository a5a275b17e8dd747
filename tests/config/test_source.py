from pathlib import Path

import pytest

from config.source import MAX_BYTES, Source, read


def source(folder: Path, text: str | bytes, **others: str) -> Source:
    hub = folder / "hub.yaml"
    hub.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read(hub)


def problems(folder: Path, text: str | bytes) -> list[str]:
    return [str(each) for each in source(folder, text).problems]


def put(folder: Path, name: str, text: str) -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text)


def test_plain_words_stay_words_and_only_true_and_false_are_booleans(tmp_path: Path) -> None:
    data = source(
        tmp_path,
        "a: [yes, no, on, off, y, N]\nb: [true, False]\nc: [012, 1:30, 2026-01-01, 1e3, 0x1F, 1_000]\nd: [1, -2, 1.5, ~]\n",
    ).data

    assert data["a"] == ["yes", "no", "on", "off", "y", "N"]
    assert data["b"] == [True, False]
    assert data["c"] == ["012", "1:30", "2026-01-01", "1e3", "0x1F", "1_000"]
    assert data["d"] == [1, -2, 1.5, None]


def test_everything_has_its_file_and_line(tmp_path: Path) -> None:
    put(tmp_path, "people/ana.yaml", "\npeople:\n  ana: {name: Ana}\n")

    found = source(tmp_path, "version: 1\ninclude: [people/*.yaml]\npolicies:\n  - name: a\n    when: x\n  - name: b\n")

    assert found.place(("policies", 0, "when")) == ("hub.yaml", 5)
    assert found.place(("policies", 1)) == ("hub.yaml", 6)
    assert found.place(("people", "ana", "name")) == ("people/ana.yaml", 3)
    assert found.place(("policies", 1, "nothing", "there")) == ("hub.yaml", 6)


def test_a_key_given_twice_is_a_problem_with_both_lines(tmp_path: Path) -> None:
    assert problems(tmp_path, "a: 1\nb:\n  c: 1\n  c: 2\na: 2\n") == [
        "hub.yaml:4: b.c: is given twice, first in line 3 → keep one of them",
        "hub.yaml:5: a: is given twice, first in line 1 → keep one of them",
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "hub.yaml: is empty"),
        ("- a\n", "does not hold settings"),
        ("a: [1\nb: 2\n", "is not YAML"),
        ("a: 1\n---\nb: 2\n", "is not YAML"),
        ("a: !!python/object/apply:os.system [ls]\n", "has the tag"),
        ("a: !secret x\n", "has the tag"),
        ("a: !!int x\n", "has the tag"),
        ("a: &x {b: 1}\nc: {<<: *x}\n", "no plain word"),
        ("? [1, 2]\n: 3\n", "no plain word"),
        ("a: &x [*x]\n", "holds itself"),
        ("a: pro\u200bd\n", "U+200B"),
        ("pro\u202ed: 1\n", "U+202E"),
        (b"a: \xff\n", "hub.yaml:1: is not UTF-8"),
        (b"a: 1\nb: \x00\n", "is not YAML"),
        (b"a: 1 # " + b"x" * MAX_BYTES, "larger than 1 MB"),
        ("a: " + "[" * 60 + "]" * 60, "too deep"),
        ("a: " + "[" * 5000, "too deep"),
    ],
)
def test_what_is_no_plain_yaml_is_a_problem_and_never_an_accident(
    tmp_path: Path, text: str | bytes, words: str
) -> None:
    assert any(words in each for each in problems(tmp_path, text))


def test_a_bomb_of_aliases_is_bounded(tmp_path: Path) -> None:
    text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
    text += "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12))

    found = problems(tmp_path, text)

    assert len(found) == 1
    assert "too large" in found[0]


def test_a_file_that_is_not_there_is_a_problem(tmp_path: Path) -> None:
    assert "cannot be read" in str(read(tmp_path / "hub.yaml").problems[0])


class TestInclude:
    def test_entries_of_a_section_may_stand_in_several_files(self, tmp_path: Path) -> None:
        put(tmp_path, "people/b.yaml", "people: {bo: {name: Bo}}\n")
        put(tmp_path, "people/a.yaml", "version: 1\npeople: {ana: {name: Ana}}\n")

        found = source(tmp_path, "version: 1\ninclude: [people/*.yaml, people/a.yaml]\npeople: {cai: {name: Cai}}\n")

        assert found.problems == []
        assert set(found.data["people"]) == {"ana", "bo", "cai"}
        assert len(found.files) == 3

    def test_what_two_files_say_is_a_problem_with_both_places(self, tmp_path: Path) -> None:
        put(tmp_path, "more.yaml", "people:\n  ana: {name: Other}\npolicies: []\nversion: 2\ninclude: []\n")

        found = source(tmp_path, "version: 1\ninclude: [more.yaml]\npeople:\n  ana: {name: Ana}\npolicies: []\n")

        assert sorted(str(each) for each in found.problems) == [
            "more.yaml:2: people.ana: is already given at hub.yaml:4 → keep one of them",
            "more.yaml:3: policies: is already given at hub.yaml:5 → keep it in one file",
            "more.yaml:4: version: stands in hub.yaml only → move it there",
            "more.yaml:5: include: stands in hub.yaml only → move it there",
        ]
        assert found.data["people"]["ana"] == {"name": "Ana"}

    @pytest.mark.parametrize("pattern", ["../other.yaml", "/etc/passwd", "a/../../b.yaml"])
    def test_nothing_outside_the_folder_is_read(self, tmp_path: Path, pattern: str) -> None:
        assert "leaves hub.yaml's folder" in problems(tmp_path, f"include: [{pattern}]\n")[0]

    def test_a_link_that_leaves_the_folder_is_not_followed(self, tmp_path: Path) -> None:
        put(tmp_path, "secret.yaml", "people: {eve: {name: Eve}}\n")
        (tmp_path / "conf").mkdir()
        (tmp_path / "conf" / "link.yaml").symlink_to(tmp_path / "secret.yaml")

        found = source(tmp_path / "conf", "include: [link.yaml]\n")

        assert "leaves hub.yaml's folder" in str(found.problems[0])
        assert "people" not in found.data

    def test_a_pattern_that_matches_nothing_is_a_problem(self, tmp_path: Path) -> None:
        assert "matches no file" in problems(tmp_path, "include: [people/*.yaml]\n")[0]

    def test_all_files_together_are_bounded(self, tmp_path: Path) -> None:
        for name in ("a.yaml", "b.yaml"):
            put(tmp_path, name, f"# {'x' * (MAX_BYTES * 2 // 3)}\nversion: 1\n")

        assert any(
            "larger than 1 MB in all" in each for each in problems(tmp_path, "version: 1\ninclude: ['*.yaml']\n")
        )

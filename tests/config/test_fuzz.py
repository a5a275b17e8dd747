from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from config.init import write_sample
from config.loader import load
from config.problem import ConfigInvalid

KEYS = st.sampled_from(
    ["name", "groups", "when", "require", "command", "http", "params", "enum", "url", "secret", "as", "{a}", "ñ"]
)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | KEYS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=6,
)


def paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(each for key, below in inner for each in paths(below, (*path, key)))]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hub")
    write_sample(folder, user=None)
    (folder / "sample.yaml").write_text((folder / "hub.yaml").read_text())
    return folder


@given(data=st.data(), value=VALUES)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_stands_anywhere_loads_or_is_a_problem_with_a_place(
    folder: Path, data: st.DataObject, value: Any
) -> None:
    document: Any = yaml.safe_load((folder / "sample.yaml").read_text())
    *steps, last = data.draw(st.sampled_from(paths(document)[1:]))
    target = document
    for step in steps:
        target = target[step]
    target[last] = value
    (folder / "hub.yaml").write_text(yaml.safe_dump(document, allow_unicode=True, sort_keys=False))

    try:
        load(folder / "hub.yaml", {})
    except ConfigInvalid as invalid:
        assert invalid.problems
        assert all(each.message and each.file == "hub.yaml" for each in invalid.problems)


@given(st.binary(max_size=200) | st.text(alphabet="{}[]:,&*!|>-? \n\"'ab#%@", max_size=60).map(str.encode))
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_bytes_the_file_holds_there_is_a_problem_and_no_accident(folder: Path, text: bytes) -> None:
    (folder / "hub.yaml").write_bytes(text)

    with pytest.raises(ConfigInvalid):
        load(folder / "hub.yaml", {})

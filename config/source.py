"""hub.yaml and the files it includes, as plain data that knows the line of everything in it.

YAML 1.2's core rules for plain scalars: only `true` and `false` are booleans (`yes`, `no`, `on`, `off` are text),
`012`, `1:30` and dates are text. Duplicate keys, tags, merge keys and multiple documents are refused; aliases are bounded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path as File
from typing import Any

import yaml

from config.problem import Path, Problem, dotted
from core.errors import Invalid
from core.text import refuse_invisible

MAX_BYTES = 1_048_576
"""hub.yaml and everything that it includes, together."""

MAX_NODES = 50_000
"""Values in one file, each use of an alias counted."""

MAX_FILES = 200
MAX_DEPTH = 50

_MERGED = frozenset({"people", "agents", "services", "rights", "actions", "channels", "hooks"})
"""Sections whose entries may be spread over several files. Others stand in one, because their order or whole counts."""


_INT = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,14})")
_FLOAT = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,14})\.[0-9]{1,18}")


class _Loader(yaml.SafeLoader):
    """PyYAML's loader with the plain scalars of YAML 1.2's core schema."""


_Loader.yaml_implicit_resolvers = {}


def _plain(tag: str, pattern: str, first: str) -> None:
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(pattern), ["", *first])


_plain("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", "tTfF")
_plain("null", r"^(?:~|null|Null|NULL|)$", "~nN")
_plain("int", f"^{_INT.pattern}$", "-+0123456789")
_plain("float", f"^{_FLOAT.pattern}$", "-+0123456789")
_plain("merge", r"^<<$", "<")


@dataclass(slots=True, kw_only=True)
class Source:
    """The configuration as written: its data, and where each part of it stands."""

    root: File
    """hub.yaml's folder."""
    data: dict[str, Any] = field(default_factory=dict)
    files: list[File] = field(default_factory=list)
    """Every file that was read."""
    places: dict[Path, tuple[str, int]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def place(self, path: Path) -> tuple[str, int]:
        """File and line of what stands at `path`, or of the nearest thing around it."""
        while path and path not in self.places:
            path = path[:-1]
        return self.places.get(path, ("hub.yaml", 0))

    def named(self, path: Path) -> str:
        """What stands at `path`, as a person finds it: `hub.yaml:31, freezes[0]`."""
        file, line = self.place(path)
        return f"{file}:{line}, {dotted(path)}" if line else f"{file}, {dotted(path)}"

    def problem(self, path: Path, message: str, remedy: str = "") -> Problem:
        """A problem at `path`."""
        file, line = self.place(path)
        return Problem(file=file, line=line, setting=dotted(path), message=message, remedy=remedy)

    def strings(self, path: Path = (), value: Any = None) -> Iterator[tuple[Path, str]]:
        """Every text in the data below `value`, with its path."""
        value = self.data if value is None and not path else value
        if isinstance(value, str):
            yield path, value
        elif isinstance(value, Mapping):
            for key, each in value.items():
                yield from self.strings((*path, key), each)
        elif isinstance(value, list):
            for index, each in enumerate(value):
                yield from self.strings((*path, index), each)


def read(hub: File) -> Source:
    """The data of `hub` and its includes. What cannot be read stands in `problems`; the rest is still there."""
    source = Source(root=hub.resolve().parent)
    reader = _Reader(source, hub.name)
    source.data = reader.read(hub)
    source.places = reader.places
    left = MAX_BYTES - _size(hub)
    for file in _included(source):
        left -= _size(file)
        name = str(file.relative_to(source.root))
        if left < 0:
            source.problems.append(Problem(file=name, line=0, message="the configuration is larger than 1 MB in all"))
            break
        _merge(source, name, file)
    return source


def _size(file: File) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0


def _included(source: Source) -> list[File]:
    """The files that `include:` names, each once, in order. Patterns stay inside hub.yaml's folder."""
    patterns = source.data.get("include", [])
    if not isinstance(patterns, list):
        return []
    found: dict[File, None] = {}
    for index, pattern in enumerate(patterns):
        if not isinstance(pattern, str):
            continue
        path: Path = ("include", index)
        if File(pattern).is_absolute() or ".." in File(pattern).parts or not pattern:
            source.problems.append(
                source.problem(path, "leaves hub.yaml's folder", "name files below it, like people/*.yaml")
            )
            continue
        files = sorted(file for file in source.root.glob(pattern) if file.is_file())
        if not files:
            source.problems.append(
                source.problem(path, f"{pattern} matches no file", "add the file, or take the line out")
            )
        for file in files:
            if not file.resolve().is_relative_to(source.root):
                source.problems.append(source.problem(path, f"{file.name} is a link that leaves hub.yaml's folder"))
            elif file.resolve() not in {each.resolve() for each in source.files}:
                found[file] = None
    if len(found) > MAX_FILES:
        source.problems.append(source.problem(("include",), f"{len(found)} files are too many; at most {MAX_FILES}"))
    return list(found)[:MAX_FILES]


def _merge(source: Source, name: str, file: File) -> None:
    """What `file` says has joined the data; what is said twice is a problem."""
    reader = _Reader(source, name)
    part = reader.read(file)
    for section, value in part.items():
        mine = source.data.get(section)
        if section == "include" or (section == "version" and value != mine):
            reader.problem((section,), "stands in hub.yaml only", "move it there")
        elif section not in source.data:
            source.data[section] = value
        elif section in _MERGED and isinstance(mine, dict) and isinstance(value, dict):
            for key in value.keys() & mine.keys():
                reader.problem(
                    (section, key), f"is already given at {_shown(source, (section, key))}", "keep one of them"
                )
            source.data[section] = {**value, **mine}
        elif section != "version":
            reader.problem((section,), f"is already given at {_shown(source, (section,))}", "keep it in one file")
    for path, place in reader.places.items():
        source.places.setdefault(path, place)


def _shown(source: Source, path: Path) -> str:
    file, line = source.place(path)
    return f"{file}:{line}"


class _Reader:
    """One file's nodes turned into data; their lines go into the source's places."""

    def __init__(self, source: Source, name: str) -> None:
        self._source = source
        self._name = name
        self._left = MAX_NODES
        self.places: dict[Path, tuple[str, int]] = {}

    def read(self, file: File) -> dict[str, Any]:
        """The mapping that `file` holds; an empty one after a problem."""
        text = self._text(file)
        if text is None:
            return {}
        try:
            node = yaml.compose(text, Loader=_Loader)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            words = ", ".join(part for part in (error.context, error.problem) if part)
            self._problem(
                mark.line + 1 if mark else 0, (), f"is not YAML: {words}", "check indentation and quotes there"
            )
            return {}
        except (yaml.YAMLError, RecursionError) as error:
            reason = (
                "is nested too deep" if isinstance(error, RecursionError) else f"is not YAML: {error}".splitlines()[0]
            )
            self._problem(0, (), reason)
            return {}
        if node is None:
            self._problem(0, (), "is empty", "begin with version: 1")
            return {}
        value = self._value(node, (), [])
        if not isinstance(value, dict):
            self._problem(1, (), "does not hold settings", "begin with version: 1")
            return {}
        return value

    def _text(self, file: File) -> str | None:
        try:
            with file.open("rb") as stream:
                data = stream.read(MAX_BYTES + 1)
        except OSError as error:
            self._problem(0, (), f"cannot be read: {error.strerror}", "run `interlock init` to write a first one")
            return None
        self._source.files.append(file)
        if len(data) > MAX_BYTES:
            self._problem(0, (), "is larger than 1 MB", "split it with include:, or take out what is generated")
            return None
        try:
            return data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            self._problem(line, (), "is not UTF-8", "save the file as UTF-8")
            return None

    def _value(self, node: yaml.Node, path: Path, above: list[yaml.Node]) -> Any:
        self._left -= 1
        if self._left < 0 or len(above) > MAX_DEPTH or any(node is each for each in above):
            if self._left > -MAX_NODES:
                self._left = -MAX_NODES
                self._problem(
                    node.start_mark.line + 1, path, "is too large, too deep, or holds itself", "use fewer aliases"
                )
            return None
        self.places.setdefault(path, (self._name, node.start_mark.line + 1))
        if isinstance(node, yaml.MappingNode) and node.tag == "tag:yaml.org,2002:map":
            return self._mapping(node, path, [*above, node])
        if isinstance(node, yaml.SequenceNode) and node.tag == "tag:yaml.org,2002:seq":
            return [self._value(each, (*path, at), [*above, node]) for at, each in enumerate(node.value)]
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, path)
        self._problem(node.start_mark.line + 1, path, f"has the tag {node.tag}", "take the tag out")
        return None

    def _mapping(self, node: yaml.MappingNode, path: Path, above: list[yaml.Node]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode) or key_node.tag == "tag:yaml.org,2002:merge":
                self._problem(line, path, "has a key that is no plain word", "write the entries out")
                continue
            key = str(key_node.value)
            if key in found:
                first = self.places[(*path, key)][1]
                self._problem(line, (*path, key), f"is given twice, first in line {first}", "keep one of them")
                continue
            self._visible(key, line, path)
            if (*path, key) not in self.places:
                self.places[(*path, key)] = (self._name, line)
            found[key] = self._value(value_node, (*path, key), above)
        return found

    def _scalar(self, node: yaml.ScalarNode, path: Path) -> Any:
        text = str(node.value)
        match node.tag.removeprefix("tag:yaml.org,2002:"):
            case "null":
                return None
            case "bool":
                return text.lower() == "true"
            case "int" if _INT.fullmatch(text):
                return int(text)
            case "float" if _FLOAT.fullmatch(text):
                return float(text)
            case "str" | "merge":
                self._visible(text, node.start_mark.line + 1, path)
                return text
        self._problem(
            node.start_mark.line + 1, path, f"has the tag {node.tag}", "take the tag out, or put it in quotes"
        )
        return None

    def _visible(self, text: str, line: int, path: Path) -> None:
        try:
            refuse_invisible(text, multiline=True)
        except Invalid as refusal:
            self._problem(line, path, refusal.message)

    def problem(self, path: Path, message: str, remedy: str = "") -> None:
        """Note a problem with what stands at `path` in this file."""
        self._problem(self.places.get(path, (self._name, 0))[1], path, message, remedy)

    def _problem(self, line: int, path: Path, message: str, remedy: str = "") -> None:
        self._source.problems.append(
            Problem(file=self._name, line=line, setting=dotted(path), message=message, remedy=remedy)
        )

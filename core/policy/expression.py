"""CEL expressions with bounds: what configuration may compute over a request (https://cel.dev, specification 0.24).

The evaluator has no cost limit, so cost is bounded by form: short source, little nesting, comprehensions only over
plain paths and never one inside or after another, and bounded input. Any error on the way is an error, never `false`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from core import evaluator
from core.errors import Invalid, Refusal
from core.people.assurance import Assurance

MAX_SOURCE = 2048
MAX_DEPTH = 20
MACROS = frozenset({"all", "exists", "exists_one", "map", "filter"})
FUNCTIONS = frozenset(
    {"size", "contains", "startsWith", "endsWith", "matches", "has", "at_least", "int", "uint", "double", "string"}
    | {"bytes", "timestamp", "duration", "type", "min", "max", "getFullYear", "getMonth", "getDate", "getDayOfMonth"}
    | {"getDayOfWeek", "getDayOfYear", "getHours", "getMinutes", "getSeconds", "getMilliseconds"}
)
"""What may be called: the functions of the evaluator that cost no more than their input, and `assurance.at_least`."""

_TOKEN = re.compile(
    r"(?P<space>\s+|//[^\n]*)"
    r"|(?P<text>[rRbB]{0,2}(?:\"\"\"(?:\\.|[^\\])*?\"\"\"|'''(?:\\.|[^\\])*?'''"
    r"|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'))"
    r"|(?P<number>\d[\w.]*)|(?P<name>[A-Za-z_]\w*)|(?P<mark><=|>=|==|!=|&&|\|\||.)",
    re.DOTALL,
)
_ORDER = frozenset({"<", "<=", ">", ">="})


class ExpressionFailed(Refusal):
    """An expression could not be evaluated, so nothing that depends on it is allowed (code `policy_error`)."""

    def __init__(self, message: str, **data: Any) -> None:
        super().__init__("policy_error", message, **data)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How large the values may be that an expression sees."""

    items: int = 100
    """Members of one list or object."""
    depth: int = 8
    size: int = 65_536
    """Characters of all texts together, and one for each other value."""


HOOK = Bounds(items=1000, depth=32, size=1_114_112)
"""Bounds for the body (to 1 MB) and headers of an inbound webhook."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expression:
    """A compiled expression; the same source always gives the same one."""

    source: str
    program: evaluator.Program

    @classmethod
    def compile(cls, source: str, names: Collection[str] | None = None) -> Expression:
        """The expression of `source`, which may refer to `names` (None: to anything).

        Raises Invalid (`bad_expression`) for a syntax error, an unknown name or function, or a form that is not bounded.
        """
        expression = _compile(source)
        unknown = expression.names - set(names) if names is not None else set()
        if unknown:
            raise Invalid("bad_expression", f"unknown name {min(unknown)}; there are {', '.join(sorted(names or ()))}")
        return expression

    @property
    def names(self) -> frozenset[str]:
        """The variables it reads, without those that its comprehensions bind."""
        return frozenset(self.program.variables()) - _bound(_tokens(self.source))

    def evaluate(self, variables: Mapping[str, Any], bounds: Bounds = Bounds()) -> Any:
        """Its value. Raises ExpressionFailed for any error, and for variables past `bounds`."""
        _refuse_unbounded(variables, bounds)
        try:
            return self.program.execute({**variables, "at_least": _at_least})
        except KeyError as error:
            raise ExpressionFailed(f"{self.source!r} looks for {error.args[0]!r}, which is not there") from error
        except (RuntimeError, ValueError, TypeError, ArithmeticError, LookupError) as error:
            raise ExpressionFailed(f"{self.source!r} cannot be evaluated: {_first(error)}") from error

    def holds(self, variables: Mapping[str, Any], bounds: Bounds = Bounds()) -> bool:
        """Whether it is true. Raises ExpressionFailed also for a value that is neither true nor false."""
        value = self.evaluate(variables, bounds)
        if not isinstance(value, bool):
            raise ExpressionFailed(f"{self.source!r} gives {type(value).__name__}, not true or false")
        return value


@lru_cache(maxsize=1024)
def _compile(source: str) -> Expression:
    if len(source) > MAX_SOURCE:
        raise Invalid("bad_expression", f"an expression has at most {MAX_SOURCE} characters; this one {len(source)}")
    tokens = _tokens(source)
    _refuse_deep(tokens)
    _refuse_costly(tokens)
    _refuse_weak(tokens)
    try:
        program = evaluator.compile(source)
    except ValueError as error:
        raise Invalid("bad_expression", f"cannot be read as CEL: {_syntax(error)}") from None
    return Expression(source=source, program=program)


def _tokens(source: str) -> list[str]:
    return [token[0] for token in _TOKEN.finditer(source) if not token["space"]]


def _refuse_deep(tokens: Sequence[str]) -> None:
    depth = 0
    for token in tokens:
        depth += (token in ("(", "[", "{")) - (token in (")", "]", "}"))
        if depth > MAX_DEPTH:
            raise Invalid("bad_expression", f"brackets may be nested {MAX_DEPTH} deep")


def _refuse_costly(tokens: Sequence[str]) -> None:
    """Comprehensions stand on plain paths, none inside another; only known functions are called."""
    open_until = -1
    for at, name in _calls(tokens):
        if name not in MACROS:
            if name not in FUNCTIONS:
                raise Invalid("bad_expression", f"there is no function {name}")
            continue
        if at < open_until:
            raise Invalid(
                "bad_expression", f"{name} stands inside another comprehension; use one after the other with &&"
            )
        if not _plain_path(tokens, at - 2):
            raise Invalid("bad_expression", f"{name} must stand on a plain path, like resources.{name}(r, …)")
        open_until = _closing(tokens, at + 1)


def _refuse_weak(tokens: Sequence[str]) -> None:
    """Assurances are compared by strength, never as words (`chat` stands before `email` in the alphabet)."""
    for at, token in enumerate(tokens):
        if token != "assurance" or (at and tokens[at - 1] == "."):  # noqa: S105 a word of an expression
            continue
        if (at and tokens[at - 1] in _ORDER) or (tokens[at + 1 : at + 2] and tokens[at + 1] in _ORDER):
            raise Invalid("bad_expression", 'compare strength with assurance.at_least("chat"), not with < or >')
    for at, name in _calls(tokens):
        if name == "at_least":
            level = tokens[at + 2].strip("\"'") if at + 2 < len(tokens) else ""
            if list(tokens[at - 2 : at]) != ["assurance", "."] or level not in {each.word for each in Assurance}:
                levels = ", ".join(each.word for each in Assurance)
                raise Invalid("bad_expression", f'write assurance.at_least("chat"); the levels are {levels}')


def _calls(tokens: Sequence[str]) -> Iterator[tuple[int, str]]:
    """Where each function is called, and its name."""
    for at in range(len(tokens) - 1):
        if tokens[at + 1] == "(" and (tokens[at][0].isalpha() or tokens[at][0] == "_") and tokens[at] != "in":
            yield at, tokens[at]


def _bound(tokens: Sequence[str]) -> frozenset[str]:
    """The variables that comprehensions introduce."""
    return frozenset(tokens[at + 2] for at, name in _calls(tokens) if name in MACROS and at + 2 < len(tokens))


def _plain_path(tokens: Sequence[str], at: int) -> bool:
    """Whether the receiver that ends at `at` is a name with fields and constant indexes, as in `a.b[0]["c"]`."""
    while at >= 0 and tokens[at] == "]":
        if at < 2 or tokens[at - 2] != "[" or not (tokens[at - 1][0] in "\"'" or tokens[at - 1].isdigit()):
            return False
        at -= 3
    if at < 0 or not (tokens[at][0].isalpha() or tokens[at][0] == "_"):
        return False
    return tokens[at - 1] != "." or _plain_path(tokens, at - 2) if at else True


def _closing(tokens: Sequence[str], at: int) -> int:
    """Where the bracket that opens at `at` closes; the end when it does not."""
    depth = 0
    for place in range(at, len(tokens)):
        depth += (tokens[place] in ("(", "[", "{")) - (tokens[place] in (")", "]", "}"))
        if depth == 0:
            return place
    return len(tokens)


def _refuse_unbounded(value: Any, bounds: Bounds) -> None:
    """Everything in `value` is within `bounds`; walked without recursion, because it may come from outside."""
    left = bounds.size
    todo: list[tuple[Any, int]] = [(value, 0)]
    while todo:
        each, depth = todo.pop()
        left -= len(each) if isinstance(each, str | bytes) else 1
        if isinstance(each, Mapping):
            left -= sum(len(key) for key in each if isinstance(key, str))
            members: Collection[Any] = each.values()
        elif isinstance(each, list | tuple):
            members = each
        else:
            members = ()
        if left < 0 or depth > bounds.depth or len(members) > bounds.items:
            raise ExpressionFailed("the values are too many, too long or too deep for an expression")
        todo.extend((member, depth + 1) for member in members)


def _at_least(word: str, level: str) -> bool:
    return Assurance.parse(word) >= Assurance.parse(level)


def _syntax(error: ValueError) -> str:
    lines = str(error).splitlines()
    return next((line.split("ERROR: ", 1)[1] for line in lines if "ERROR: " in line), lines[-1] if lines else "")[:300]


def _first(error: Exception) -> str:
    lines = str(error).splitlines()
    return lines[0][:200] if lines else type(error).__name__

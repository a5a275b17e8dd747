"""`actions:` of hub.yaml."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from config.policy_schema import Requirement
from config.scalars import Duration, Header, Name, ParamName, Pattern, Section, Template, Text, Variable, wrong
from core.apply.action import Param as Declared
from core.apply.params import check_value
from core.apply.template import authority, placeholders
from core.errors import Invalid

Scalar = str | int | float | bool


class Param(Section):
    """One parameter of an action."""

    type: Literal["string", "integer", "number", "boolean"] = Field(
        default="string", description="What its values are."
    )
    description: str = Field(default="", max_length=1024, description="Shown to who fills it in.")
    pattern: Pattern | None = Field(
        default=None, description="A regular expression that the whole value matches (Rust syntax)."
    )
    enum: list[Scalar] | None = Field(
        default=None, min_length=1, max_length=100, description="The only values that are taken."
    )
    default: Scalar | None = Field(default=None, description="Its value when it is not given.")
    required: bool | None = Field(
        default=None, description="Whether it must be given; by default yes, unless it has a default."
    )
    secret: bool = Field(
        default=False, description="Kept out of log, cards and arguments; given to the command by environment or stdin."
    )
    multiline: bool = Field(default=False, description="Whether line breaks and tabs are taken.")
    leading_dash: bool = Field(
        default=False, description="Whether a value may begin with '-', which a command could take for an option."
    )
    minimum: int | float | None = Field(default=None, description="The least number that is taken.")
    maximum: int | float | None = Field(default=None, description="The greatest number that is taken.")
    max_length: int = Field(default=1024, ge=1, le=16_000, description="How many characters a text may have.")

    @property
    def is_required(self) -> bool:
        """Whether it must be given."""
        return self.default is None if self.required is None else self.required

    def declared(self, name: str) -> Declared:
        """The parameter as the engine knows it."""
        return Declared(
            name=name,
            type=self.type,
            description=self.description,
            pattern=self.pattern,
            enum=tuple(self.enum) if self.enum is not None else None,
            default=self.default,
            required=self.is_required,
            secret=self.secret,
            multiline=self.multiline,
            leading_dash=self.leading_dash,
            minimum=self.minimum,
            maximum=self.maximum,
            max_length=self.max_length,
        )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.type != "string" and (self.pattern is not None or self.multiline):
            raise wrong(f"pattern and multiline are for texts, and this is {self.type}", "take them out")
        if self.type not in ("integer", "number") and (self.minimum is not None or self.maximum is not None):
            raise wrong(
                f"minimum and maximum are for numbers, and this is {self.type}", "take them out, or use pattern"
            )
        if self.minimum is not None and self.maximum is not None and self.minimum > self.maximum:
            raise wrong("minimum is above maximum", "exchange them")
        if self.secret and (self.default is not None or self.enum is not None or self.type != "string"):
            raise wrong("a secret is a text without default and enum", "take default, enum and type out")
        if self.default is not None and self.required:
            raise wrong("it has a default and is required", "keep one of the two")
        for value in [*(self.enum or ()), *([] if self.default is None else [self.default])]:
            self._refuse_unfit(value)
        return self

    def _refuse_unfit(self, value: Scalar) -> None:
        try:
            check_value(self.declared("value"), value)
        except Invalid as refusal:
            remedy = f'write "{value}" in quotes' if self.type == "string" and not isinstance(value, str) else ""
            message = refusal.message.removeprefix("value: ")
            raise wrong(f"enum and default must be values that it takes, and {message}", remedy) from None


class Http(Section):
    """One HTTP call. `{param}` may stand in path, query, header values and body; redirects are not followed."""

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] = Field(default="POST", description="The method.")
    url: Template = Field(description="http or https; scheme and host without placeholders.")
    headers: dict[Header, Template] = Field(
        default={}, description="Header -> value; secrets as ${env:NAME} or ${file:PATH}."
    )
    body: Any = Field(default=None, description="Sent as JSON; `{param}` in its texts is filled in.")
    allow_private: bool = Field(default=False, description="Whether the host may have a private address.")

    @model_validator(mode="after")
    def _sound(self) -> Self:
        try:
            host = authority(self.url)
            bodies = _texts(self.body)
            for text in bodies:
                placeholders(text)
        except Invalid as refusal:
            raise wrong(refusal.message, "write {name} for a parameter, {{ for a brace") from None
        if placeholders(host.replace("$", "")) or "{" in host or "@" in host or "#" in self.url:
            raise wrong(
                "scheme and host are fixed, without password and #fragment", "keep placeholders in path and query"
            )
        if not host.lower().startswith(("http://", "https://")) or host.endswith("//"):
            raise wrong(f"{self.url!r} is no http or https URL", "write it like https://example.com/deploy/{service}")
        return self


def _texts(value: Any) -> list[str]:
    """Every text that a body's placeholders may stand in. Raises Invalid for keys that cannot be bound by a digest."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        if any(not isinstance(key, str) or not key.isascii() for key in value):
            raise Invalid("bad_template", "the keys of a body are ASCII text")
        return [text for each in value.values() for text in _texts(each)]
    if isinstance(value, list):
        return [text for each in value for text in _texts(each)]
    return []


class Operation(Section):
    """One step: a `command` or an `http` call."""

    command: list[Template] | None = Field(
        default=None,
        min_length=1,
        max_length=200,
        description="An argument list, never a shell line; `{param}` is filled in.",
    )
    http: Http | None = Field(default=None, description="An HTTP call instead of a command.")
    timeout: Duration | None = Field(default=None, description="When it is stopped; 5m for a command, 1m for a call.")
    env: dict[Variable, str] = Field(
        default={}, description="Environment beside the allowlist; secrets as ${env:NAME} or ${file:PATH}."
    )
    secrets: Literal["env", "stdin"] = Field(
        default="env",
        description="How secret parameters come: as INTERLOCK_SECRET_<NAME>, or as JSON on standard input.",
    )
    run_as: Name | None = Field(default=None, description="The system user that the command runs as.")
    cwd: Text | None = Field(
        default=None, description="The folder that it runs in, from hub.yaml's; by default that folder."
    )

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if sum(way is not None for way in self._ways()) != 1:
            raise wrong("needs either command or http", 'write command: ["./ops/deploy", "{service}"]')
        if self.command is not None and placeholders(self.command[0]):
            raise wrong(
                "the program itself cannot come from a parameter", "name it, and give the parameter as an argument"
            )
        if self.http is not None and (self.env or self.run_as or self.cwd or self.secrets != "env"):
            raise wrong("env, secrets, run_as and cwd are for commands", "take them out")
        return self

    def _ways(self) -> tuple[object, ...]:
        """The ways in which it could be done; exactly one is given."""
        return self.command, self.http


class AgentWork(Section):
    """Which agents may carry it out, and how."""

    labels: list[Name] = Field(default=[], max_length=20, description="Labels that the agent must all have.")
    heartbeat: Duration = Field(default=60_000, description="An agent not heard of for so long is lost; 1m.")
    priority: int = Field(default=0, ge=-100, le=100, description="Higher is given out first.")
    tries: int = Field(default=3, ge=1, le=20, description="How often it is given out where it is retry_safe.")


class ApplyOperation(Operation):
    """How it is carried out: by a command, a call, or an agent."""

    agent: AgentWork | None = Field(
        default=None, description="An agent carries it out instead of a command; `timeout` is 1h for it."
    )

    def _ways(self) -> tuple[object, ...]:
        return *super()._ways(), self.agent

    @model_validator(mode="after")
    def _unhurried(self) -> Self:
        if self.agent is not None and self.agent.heartbeat < 1_000:
            raise wrong("an agent needs some time between heartbeats", "write agent: {heartbeat: 30s}")
        if self.agent is not None and (self.env or self.run_as or self.cwd or self.secrets != "env"):
            raise wrong("env, secrets, run_as and cwd are for commands", "take them out")
        return self


class PreviewOperation(Operation):
    """How the effect is shown before it is approved; free of side effects."""

    compare: Literal["output", "exit", "line"] = Field(
        default="output",
        description="What must stay equal until the run: all output, the exit status, or lines with INTERLOCK-DIGEST:.",
    )


class RollbackOperation(Operation):
    """How it is taken back, and how that is shown together with the request."""

    preview: Operation | None = Field(
        default=None, description="Shows what the rollback would do; runs without side effects, with the request."
    )


class Action(Section):
    """A kind of operation that people and agents may ask for."""

    title: Template = Field(description="One line for cards and lists; `{param}` is filled in.")
    description: str = Field(default="", max_length=4096, description="What it does, for who asks.")
    params: dict[ParamName, Param] = Field(
        default={}, max_length=50, description="Its parameters, in the order of a typed command."
    )
    resources: list[Template] = Field(
        default=[],
        max_length=50,
        description="What is leased before the run, all or nothing: kind:name, like env:{env}.",
    )
    files: list[Text] = Field(default=[], max_length=100, description="Files whose content the digest binds.")
    validation: list[Operation] = Field(
        default=[], alias="validate", max_length=20, description="Steps that must succeed before anybody is asked."
    )
    preview: PreviewOperation | None = Field(default=None, description="Shows the effect; runs without side effects.")
    apply: ApplyOperation = Field(description="Carries it out.")
    rollback: RollbackOperation | None = Field(default=None, description="Takes it back.")
    stash: Operation | None = Field(
        default=None,
        description="Says, right before it runs, what a rollback must know; the rollback gets it as INTERLOCK_STASH.",
    )
    reviewers: list[Requirement] = Field(
        default=[],
        max_length=20,
        description="Who must agree whatever the policy: its seats are added to the policy's.",
    )
    start: Literal["auto", "manual"] = Field(
        default="auto", description="Whether it runs once approved, or waits for `apply`."
    )
    visible_to: list[Name] = Field(
        default=[], description="Groups that may see and ask for it; everybody known when empty."
    )
    retry_safe: bool = Field(default=False, description="Whether a failed run may be tried again by itself.")
    hold: Duration | None = Field(
        default=None, description="How long an approval waits before it runs, for second thoughts."
    )
    on_unknown: Literal["keep", "release"] = Field(
        default="keep", description="What becomes of its leases when its end is unknown."
    )

    @model_validator(mode="after")
    def _required_first(self) -> Self:
        optional = ""
        for name, param in self.params.items():
            if param.is_required and optional and not param.secret:
                raise wrong(
                    f"{name} is required and stands after {optional}, which is not; typed values go by order",
                    "put required parameters first",
                )
            optional = optional if param.is_required else name
        return self

"""hub.yaml as a whole: every key, its type, its default and what it means."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, ConfigDict, Field, model_validator

from config.action_schema import Action
from config.policy_schema import Policy
from config.scalars import (
    ActionName,
    Cel,
    Cron,
    Duration,
    Issuer,
    Moment,
    Name,
    Network,
    Occasion,
    Origin,
    ParamName,
    PrincipalName,
    Rate,
    Right,
    Section,
    Text,
    Zone,
    wrong,
)
from core.clock import show_duration


class Person(Section):
    """Somebody who asks and decides."""

    name: Text = Field(description="How they are shown.")
    email: Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+$", max_length=254)] | None = Field(
        default=None, description="Their address, also their identity by mail."
    )
    slack: Annotated[str, Field(pattern=r"^([TE][A-Z0-9]+/)?[UW][A-Z0-9]+$")] | None = Field(
        default=None, description="Their identity in Slack: team id/user id; the user id alone with one workspace."
    )
    identities: dict[Name, Text] = Field(default={}, description="Their identity on other channels: channel -> id.")
    groups: list[Name] = Field(default=[], description="The groups that they are in.")
    oidc: Annotated[str, Field(pattern=r"^[!-~]+$", max_length=255)] | None = Field(
        default=None, description="Their subject at the provider of sign_in.oidc, as its refusal shows it."
    )
    os_user: Name | None = Field(
        default=None, description="Their login on the hub's machine, for the control socket; never root."
    )
    prefer: list[Name] = Field(default=[], description="Channels that they are asked on, best first.")
    timezone: Zone | None = Field(default=None, description="Their zone, when it is not the hub's.")
    digest: Duration | None = Field(
        default=None, description="Mail comes to them together, at most once in that time; each at once without it."
    )


class OpenId(Section):
    """An OpenID provider: its word signs people in, as strongly as a link that the shell printed."""

    name: Annotated[str, Field(min_length=1, max_length=40)] = Field(
        description="What people call it: the button says Sign in with this."
    )
    issuer: Issuer = Field(description="Its issuer, exactly as it names itself; https, or http on this machine.")
    client_id: Text = Field(description="What it calls this hub.")
    client_secret: Text = Field(description="What this hub proves itself with, ${env:NAME} or ${file:PATH}.")
    match_email: bool = Field(
        default=False,
        description="Whether an address that it says it verified names its person, where nothing else does.",
    )


class SignIn(Section):
    """Ways in for people at a browser; one-time links are always there."""

    oidc: OpenId | None = Field(default=None, description="An OpenID provider, by OpenID Connect.")


class AgentLimits(Section):
    """How much one agent may ask for."""

    open: int = Field(default=20, ge=0, le=100_000, description="Requests that may be open at once.")
    per_hour: int = Field(default=60, ge=0, le=1_000_000, description="Requests in any hour.")


class Agent(Section):
    """A program that asks on its own initiative; it never decides."""

    owner: Name = Field(description="The person who answers for it, and cannot decide on what it asks.")
    name: Text | None = Field(default=None, description="How it is shown.")
    role: Text | None = Field(default=None, description="What it is for, in a few words.")
    skills: list[Name] = Field(default=[], max_length=50, description="What it can do, for who looks for an agent.")
    labels: list[Name] = Field(default=[], max_length=50, description="Which work of `apply: {agent: …}` it may take.")
    limits: AgentLimits | None = Field(default=None, description="Its own budget; that of limits.agents without it.")
    groups: list[Name] = Field(default=[], description="Groups, for visible_to and expressions; they give it no seat.")


class Service(Section):
    """A system that asks, such as CI; it never decides."""

    owners: list[Name] = Field(default=[], description="People who answer for it, and cannot decide on what it asks.")
    name: Text | None = Field(default=None, description="How it is shown.")
    groups: list[Name] = Field(default=[], description="Groups, for visible_to and expressions; they give it no seat.")


class Group(Section):
    """A group whose members a channel tells; the others are made of people's own `groups`."""

    source: Annotated[str, Field(pattern=r"^[^:\s]+:[A-Za-z0-9_/-]{1,100}$")] = Field(
        alias="from", description="The channel and its own group: slack:S0123ABCD."
    )


class Limits(Section):
    """How fast anybody may ask."""

    commands: Rate = Field(default="20/s", description="Commands of one principal.")
    burst: int = Field(default=60, ge=1, le=100_000, description="Commands at once, before the rate counts.")
    agents: AgentLimits = Field(default=AgentLimits(), description="What agents may ask for.")


class Leases(Section):
    """Rules of leases."""

    break_needs: ActionName | None = Field(
        default=None,
        description="An action with a parameter `lease`: breaking a lease needs a completed request of it.",
    )


class Channel(Section):
    """A way in and out. Keys beside these are the adapter's; secrets as ${env:NAME} or ${file:PATH}."""

    model_config = ConfigDict(extra="allow")
    adapter: Name = Field(description="What serves it: webhook, slack, email, or an adapter that a plugin brings.")


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


class Hook(Section):
    """An inbound webhook at /hooks/<name>."""

    verify: Literal["standard-webhooks", "github", "bearer"] = Field(description="How the sender proves itself.")
    secret: Annotated[list[str], BeforeValidator(_listed), Field(max_length=2)] = Field(
        default=[], description="The shared secret, ${env:NAME} or ${file:PATH}; two while one rotates."
    )
    principal: Name = Field(alias="as", description="The agent or service that it acts as.")
    action: Name | None = Field(default=None, description="What it asks for; without it, the body says so.")
    params: dict[ParamName, Cel] = Field(default={}, description="Parameter -> CEL expression over body and headers.")
    reason: Cel | None = Field(default=None, description="A CEL expression over body and headers: why it asks.")

    @model_validator(mode="after")
    def _proved(self) -> Self:
        if self.verify == "bearer" and self.secret:
            raise wrong(
                "a bearer hook proves itself by a key and has no secret",
                "take secret out, and use `interlock key create`",
            )
        if self.verify != "bearer" and not self.secret:
            raise wrong(f"{self.verify} needs a secret", 'write secret: "${env:CI_HOOK_SECRET}"')
        if self.action is None and (self.params or self.reason):
            raise wrong("params and reason belong to an action", "name the action")
        return self


class Trigger(Section):
    """What an event of the log, or a message to a hook, makes an agent or a service ask for."""

    on: Annotated[list[Occasion], BeforeValidator(_listed), Field(min_length=1, max_length=50)] = Field(
        description="The events that it looks at, like apply:failed, or one hook, like hook:alerts."
    )
    when: Cel | None = Field(
        default=None,
        description="A CEL expression over event, actor, subject, channel, details, approval and now; for a hook over body,"
        " headers and now. Each one without it.",
    )
    principal: Name = Field(alias="as", description="The agent or service that asks.")
    action: Name = Field(description="What it asks for.")
    params: dict[ParamName, Cel] = Field(default={}, description="Parameter -> CEL expression over the same names.")
    reason: Cel | None = Field(default=None, description="A CEL expression: why it asks.")
    enabled: bool = Field(default=True, description="Whether it acts at all.")
    limit: Rate = Field(default="60/h", description="How often it may act; what is beyond that is held back.")


class Freeze(Section):
    """A time in which nothing that needs some resources is approved or started."""

    name: Name = Field(description="Its name, on cards and in refusals.")
    resources: list[Text] = Field(
        min_length=1,
        max_length=50,
        description="What is frozen: kind:name, with * for any text of a part, like env:prod or env:*.",
    )
    reason: Text = Field(description="Why, for those whom it stops.")
    cron: Cron | None = Field(default=None, description="When each one begins, with `for`.")
    lasting: Duration | None = Field(default=None, alias="for", description="How long each one lasts.")
    begin: Moment | None = Field(default=None, alias="from", description="When the only one begins, with `until`.")
    until: Moment | None = Field(default=None, description="When the only one ends.")
    timezone: Zone | None = Field(default=None, description="Whose clock; the hub's when it is not given.")

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        repeated = self.cron is not None and self.lasting is not None
        once = self.begin is not None and self.until is not None
        given = [each for each in (self.cron, self.lasting, self.begin, self.until) if each is not None]
        if repeated == once or len(given) != 2:
            raise wrong("needs either cron and for, or from and until", 'write cron: "0 18 * * 5", for: 62h')
        return self


class Audit(Section):
    """Where checkpoints of the log go besides the data directory."""

    anchors: list[Text] | None = Field(
        default=None,
        max_length=10,
        description="Files, best on another disk; by default one in the user's state directory.",
    )


class Keep(Section):
    """How long what may be forgotten is kept. The log is never pruned."""

    output: Duration = Field(default=7_776_000_000, description="Output of commands; 90d.")
    mail: Duration = Field(default=2_592_000_000, description="Mail as received; 30d.")
    sessions: Duration = Field(default=2_592_000_000, description="Ended sessions; 30d.")


class Hub(Section):
    """The configuration of one hub."""

    version: Literal[1] = Field(description="The version of this format.")
    include: list[Text] = Field(
        default=[], max_length=50, description="Further files, below this one's folder: people/*.yaml."
    )
    public_url: Origin | None = Field(
        default=None, description="How people reach the hub; needed once a channel sends links."
    )
    trusted_proxies: list[Network] = Field(default=[], description="Addresses whose X-Forwarded-For is believed.")
    timezone: Zone = Field(default="UTC", description="The zone of weekdays and hours.")
    sign_in: SignIn = Field(default=SignIn(), description="How people sign in on the page besides one-time links.")
    people: dict[PrincipalName, Person] = Field(
        default={}, description="Who asks and decides, by a short name that never changes."
    )
    agents: dict[PrincipalName, Agent] = Field(default={}, description="Programs that ask on their own initiative.")
    services: dict[PrincipalName, Service] = Field(default={}, description="Systems that ask.")
    groups: dict[Name, Group] = Field(
        default={}, description="Groups whose members a channel tells, such as a user group of Slack."
    )
    rights: dict[Right, list[Name]] = Field(
        default={}, description="Right -> groups that have it; admins unless given here."
    )
    limits: Limits = Field(default=Limits(), description="How much anybody may ask.")
    actions: dict[ActionName, Action] = Field(default={}, description="What can be asked for.")
    policies: list[Policy] = Field(
        default=[], max_length=200, description="Who must agree; the first that matches is in force."
    )
    channels: dict[Name, Channel] = Field(
        default={}, description="Ways in and out besides HTTP, the page and the shell."
    )
    hooks: dict[Name, Hook] = Field(default={}, description="Inbound webhooks.")
    triggers: dict[Name, Trigger] = Field(
        default={}, max_length=200, description="What events and hooks make agents and services ask for."
    )
    freezes: list[Freeze] = Field(
        default=[], max_length=100, description="Times in which nothing that needs some resources may start."
    )
    leases: Leases = Field(default=Leases(), description="Rules for what is held by hand and by programs.")
    audit: Audit = Field(default=Audit(), description="The log's checkpoints.")
    keep: Keep = Field(default=Keep(), description="How long things are kept.")


def json_schema() -> dict[str, Any]:
    """The JSON Schema of hub.yaml, for editors."""
    schema = Hub.model_json_schema(by_alias=True)
    for section in (schema, *schema["$defs"].values()):
        for key in section.get("properties", {}).values():
            _write_default(key)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "Interlock hub.yaml"}


def _write_default(key: dict[str, Any]) -> None:
    """The default as one would write it: a duration in words, a section by its own keys' defaults."""
    if key.get("type") == ["string", "number"] and isinstance(key.get("default"), int):
        key["default"] = show_duration(key["default"] / 1000)
    elif "$ref" in key:
        key.pop("default", None)

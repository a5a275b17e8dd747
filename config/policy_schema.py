"""`policies:` of hub.yaml."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from config.scalars import Cel, ClockTime, Duration, Name, Section, Text, Zone, wrong


class Requirement(Section):
    """So many people of a group, or one person."""

    group: Name | None = Field(default=None, description="The group that they are in.")
    person: Name | None = Field(default=None, description="The one who must agree, instead of a group.")
    count: int = Field(default=1, ge=1, le=50, description="How many different people of the group.")

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.group is None) == (self.person is None):
            raise wrong("needs either group or person", "write {group: sre, count: 2} or {person: ana}")
        if self.person is not None and self.count != 1:
            raise wrong("one person counts once", "take count out")
        return self


class Escalation(Section):
    """Who is asked as well when nobody has decided for a while."""

    after: Duration = Field(description="How long after it came under review.")
    to: Name = Field(description="The group or person asked then; it adds no seat.")


class Hours(Section):
    """When people are expected to decide: clocks, reminders and escalations of the policy count these hours only."""

    days: list[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]] = Field(
        default=["mon", "tue", "wed", "thu", "fri"], min_length=1, description="The days that count."
    )
    begin: ClockTime = Field(default="09:00", alias="from", description="When each of them begins.")
    end: ClockTime = Field(default="17:00", alias="to", description="When each of them ends; 24:00 is midnight.")
    timezone: Zone | None = Field(default=None, description="Whose clock; the hub's when it is not given.")

    @model_validator(mode="after")
    def _some(self) -> Self:
        if self.begin >= self.end:
            raise wrong(f"from {self.begin} is not before to {self.end}", 'write from: "09:00", to: "17:00"')
        return self


class BreakGlass(Section):
    """Who may run it at once, with nobody asked and a reason, and owes it a review afterwards."""

    groups: list[Name] = Field(min_length=1, max_length=20, description="The groups whose members may.")
    review_within: Duration = Field(
        default=86_400_000, description="Within what time somebody who could have decided must have reviewed it; 24h."
    )
    through_freeze: bool = Field(default=False, description="Whether it also goes through a freeze.")


class Grants(Section):
    """How far "approve, and allow the same again" may go."""

    longest: Duration = Field(default=28_800_000, description="For how long at most; 8h by default.")
    times: int = Field(default=20, ge=0, le=1000, description="How many times at most; 0 allows none at all.")


class Policy(Section):
    """Who must agree. The first policy whose `when` is true is in force."""

    name: Name = Field(description="Its name, on cards and in the log.")
    when: Cel | None = Field(
        default=None,
        description="A CEL expression over the request; without it the policy covers the rest, and stands last.",
    )
    require: list[Requirement] = Field(
        default=[], max_length=20, description="The seats to be filled, each by a different person."
    )
    allow: bool = Field(default=False, description="Approved at once, with nobody asked.")
    distinct_people: int | None = Field(
        default=None, ge=1, le=100, description="How many different people must have agreed in all."
    )
    min_assurance: Literal["email", "chat", "signed_in", "passkey"] = Field(
        default="chat", description="How strongly an approval must be proved."
    )
    confirm: Literal["press", "typed"] = Field(
        default="press", description="Whether a press approves, or the request's id must be typed with it."
    )
    review_expires: Duration = Field(default=14_400_000, description="How long there is to decide; 4h by default.")
    apply_expires: Duration = Field(default=3_600_000, description="How long an approval is good for; 1h by default.")
    delegation: Literal["any", "members", "none"] = Field(
        default="any", description="Who may decide in somebody's place."
    )
    rollback: Literal["policy", "allow"] = Field(
        default="policy", description="Whether a rollback is decided like the request, or allowed."
    )
    reject: int = Field(
        default=1, ge=1, le=50, description="How many of those who could approve must reject to end it."
    )
    veto: list[Name] = Field(
        default=[], max_length=20, description="Groups whose every member may reject alone, though they fill no seat."
    )
    remind: Duration | None = Field(
        default=None, description="After what time those who have not decided are asked again; then at twice the time."
    )
    short_replies: bool = Field(default=False, description="Whether a mail that says only yes or no decides.")
    hours: Hours | None = Field(default=None, description="The hours that its clocks count; every hour without it.")
    break_glass: BreakGlass | None = Field(default=None, description="Who may run it at once and be reviewed later.")
    grants: Grants = Field(default=Grants(), description="How far an approval may allow the same again.")
    escalate: list[Escalation] = Field(default=[], max_length=10, description="Who is asked as well, later.")
    ask: list[Text] = Field(
        default=[],
        max_length=20,
        description="Channels that carry the request: mail, slack:#prod, slack:@sre for a group's people.",
    )

    @model_validator(mode="after")
    def _decides(self) -> Self:
        if self.allow and (self.require or self.distinct_people is not None):
            raise wrong("it allows and requires at once", "keep allow: true or require")
        if self.allow and self.break_glass is not None:
            raise wrong("it allows, so there is no glass to break", "take break_glass out")
        if not self.allow and not self.require:
            raise wrong("it asks nobody", "write require: [{group: sre, count: 1}], or allow: true")
        return self

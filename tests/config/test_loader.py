import copy
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from config.loader import Loaded, load
from config.problem import ConfigInvalid
from core.apply.action import CommandSpec, HttpSpec
from core.audit.canonical import canonical, parse
from core.people.assurance import Assurance

BASE: dict[str, Any] = {
    "version": 1,
    "public_url": "http://127.0.0.1:8000",
    "people": {
        "ana": {"name": "Ana Ruiz", "email": "ana@example.com", "groups": ["sre", "admins"]},
        "bo": {"name": "Bo Lind", "email": "bo@example.com", "groups": ["sre", "security"]},
        "cai": {"name": "Cai Wu", "groups": ["sre"]},
    },
    "agents": {"bot": {"owner": "ana"}},
    "services": {"ci": {"owners": ["ana"]}},
    "actions": {
        "deploy": {
            "title": "Deploy {service} to {env}",
            "params": {
                "service": {"pattern": "[a-z]+"},
                "env": {"enum": ["staging", "prod"]},
                "tag": {"required": False},
                "token": {"secret": True},
            },
            "resources": ["env:{env}"],
            "apply": {"command": ["./ops/deploy", "{service}", "{env}", "--tag={tag}"], "timeout": "15m"},
        }
    },
    "policies": [
        {"name": "prod", "when": 'action == "deploy" && params.env == "prod"', "require": [{"group": "sre"}]},
        {"name": "default", "require": [{"group": "sre", "count": 1}]},
    ],
}

_ONE = {"adapter": "slack", "bot_token": "${env:BOT}", "signing_secret": "${env:BOT}"}
SLACK: dict[str, Any] = {"channels": {"slack": _ONE}}
TWO_SLACKS = {"slack": _ONE, "other": {**_ONE, "path": "/slack/other"}}
MANY_TEAMS = {
    "slack": {"adapter": "slack", "client_id": "1.2", "client_secret": "${env:BOT}", "signing_secret": "${env:BOT}"}
}

Load = Callable[..., Loaded]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "ops").mkdir()
    program = tmp_path / "ops" / "deploy"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    return tmp_path


@pytest.fixture
def given(folder: Path) -> Load:
    """Loads BASE with changes: dotted path -> new value, None takes it out."""

    def loading(changes: dict[str, Any] | None = None, environ: dict[str, str] | None = None, **other: Any) -> Loaded:
        document: dict[str, Any] = copy.deepcopy(BASE)
        for path, value in (changes or {}).items():
            *steps, last = [int(step) if step.isdigit() else step for step in path.split("/")]
            target: Any = document
            for step in steps:
                target = target[step] if isinstance(target, list) else target.setdefault(step, {})  # type: ignore[index]
            if value is None:
                del target[last]
            else:
                target[last] = value
        (folder / "hub.yaml").write_text(yaml.safe_dump(document, sort_keys=False))
        return load(folder / "hub.yaml", environ or {}, **other)

    return loading


def refused(given: Load, changes: dict[str, Any], environ: dict[str, str] | None = None, **other: Any) -> str:
    with pytest.raises(ConfigInvalid) as caught:
        given(changes, environ, **other)
    assert caught.value.code == "bad_config"
    assert all(problem.line > 0 for problem in caught.value.problems), caught.value.message
    return caught.value.message


def test_a_valid_file_becomes_the_world_it_describes(given: Load, folder: Path) -> None:
    world = given(
        {"policies/0/min_assurance": "passkey", "policies/0/review_expires": "30m", "timezone": "Europe/Madrid"}
    ).world

    assert world.root == folder.resolve()
    assert world.people.members("sre") == {"ana", "bo", "cai"}
    assert world.timezone == "Europe/Madrid"
    deploy = world.actions["deploy"]
    assert [param.name for param in deploy.params] == ["service", "env", "tag", "token"]
    assert isinstance(deploy.apply, CommandSpec)
    assert deploy.apply.timeout_seconds == 900
    assert [policy.name for policy in world.policies] == ["prod", "default"]
    assert world.policies[0].min_assurance is Assurance.PASSKEY
    assert world.policies[0].review_seconds == 1800


def test_every_problem_is_reported_at_once_with_its_line(folder: Path) -> None:
    (folder / "hub.yaml").write_text(
        "version: 1\npubic_url: http://x\npeople:\n  ana: {name: 3, groups: sre}\n"
        "actions:\n  approve: {title: x, apply: {command: [ls]}}\n"
        "policies:\n  - {name: p, when: '1 +', require: [{group: sre}]}\n  - {name: q}\n"
        'channels: {pager: {adapter: webhook, secret: "${env:GONE}"}}\n'
    )

    with pytest.raises(ConfigInvalid) as caught:
        load(folder / "hub.yaml", {})

    lines = caught.value.message.splitlines()
    assert [line.split(": ")[:2] for line in lines] == [
        ["hub.yaml:2", "pubic_url"],
        ["hub.yaml:4", "people.ana.name"],
        ["hub.yaml:4", "people.ana.groups"],
        ["hub.yaml:6", "actions.approve"],
        ["hub.yaml:8", "policies[0].when"],
        ["hub.yaml:9", "policies[1]"],
        ["hub.yaml:10", "channels.pager.secret"],
    ]
    assert "→ did you mean public_url?" in lines[0]
    assert "→ put it in quotes" in lines[1]
    assert "verb" in lines[3]
    assert "GONE is not set" in lines[6]
    assert caught.value.data["problems"] == lines


class TestDigest:
    def test_it_is_the_same_however_it_is_written(self, given: Load) -> None:
        first = given({"actions/deploy/apply/timeout": "15m"}).world
        second = given({"actions/deploy/apply/timeout": 900, "keep": {"output": "90d"}}).world

        assert first.digest == second.digest
        assert first.actions["deploy"].canonical == second.actions["deploy"].canonical
        assert len(bytes.fromhex(first.digest)) == hashlib.sha256().digest_size

    @pytest.mark.parametrize(
        ("path", "value"),
        [
            ("actions/deploy/apply/timeout", "16m"),
            ("actions/deploy/apply/command", ["./ops/deploy", "{env}", "{service}"]),
            ("actions/deploy/params/service/pattern", "[a-z]*"),
            ("actions/deploy/retry_safe", True),
            ("actions/deploy/apply/env", {"A": "1"}),
        ],
    )
    def test_a_changed_action_changes_its_canonical_form_and_the_digest(
        self, given: Load, path: str, value: Any
    ) -> None:
        before, after = given().world, given({path: value}).world

        assert before.digest != after.digest
        assert before.actions["deploy"].canonical != after.actions["deploy"].canonical
        assert before.policies[0].canonical == after.policies[0].canonical

    def test_a_changed_policy_changes_its_own_form_alone(self, given: Load) -> None:
        before, after = given().world, given({"policies/0/distinct_people": 1}).world

        assert before.policies[0].canonical != after.policies[0].canonical
        assert before.policies[1].canonical == after.policies[1].canonical
        assert before.digest != after.digest

    def test_the_order_of_parameters_counts(self, given: Load) -> None:
        params = BASE["actions"]["deploy"]["params"]
        turned = {name: params[name] for name in ("env", "service", "tag", "token")}

        assert given().world.digest != given({"actions/deploy/params": turned}).world.digest

    def test_canonical_forms_are_canonical_and_without_floats(self, given: Load) -> None:
        text = given({"actions/deploy/params/ratio": {"type": "number", "default": 0.5, "maximum": 1.25}}).world

        form = parse(text.actions["deploy"].canonical.encode())
        assert {"name": "ratio", "type": "number", "default": "0.5", "maximum": "1.25"} in form["params"]
        for policy in text.policies:
            assert canonical(parse(policy.canonical.encode())).decode() == policy.canonical

    def test_secrets_are_bound_by_reference(self, given: Load) -> None:
        changes = {"channels": {"pager": {"adapter": "webhook", "secret": "${env:S}"}}}

        first, second = given(changes, {"S": "one"}).world, given(changes, {"S": "two"}).world

        assert first.digest == second.digest
        assert first.channels["pager"].settings == {"secret": "one"}


class TestSecrets:
    def test_channels_and_hooks_get_their_secrets(self, given: Load, folder: Path) -> None:
        (folder / "old").write_text("before\n")
        world = given(
            {
                "channels": {
                    "pager": {"adapter": "webhook", "url": "https://p.example.com", "auth": [{"x": "${env:A}"}]}
                },
                "hooks": {"ci": {"verify": "github", "as": "ci", "secret": ["${env:A}", "${file:old}"]}},
                "audit": {"anchors": ["${env:A}/log"]},
            },
            {"A": "a"},
        ).world

        assert world.channels["pager"].settings["auth"] == [{"x": "a"}]
        assert world.hooks["ci"].secrets == ("a", "before")
        assert world.anchors == ("a/log",)

    def test_what_a_command_needs_stays_a_reference_and_is_only_missed(self, given: Load) -> None:
        loaded = given({"actions/deploy/apply/env": {"KUBECONFIG": "${env:KUBECONFIG}"}})

        operation = loaded.world.actions["deploy"].apply
        assert isinstance(operation, CommandSpec)
        assert operation.env == {"KUBECONFIG": "${env:KUBECONFIG}"}
        assert any("KUBECONFIG is not set" in str(warning) for warning in loaded.warnings)

    @pytest.mark.parametrize(
        ("changes", "words"),
        [
            ({"channels": {"p": {"adapter": "webhook", "bot_token": "xoxb-1"}}}, "is a secret written out"),
            ({"channels": {"p": {"adapter": "email", "imap": {"password": "x"}}}}, "is a secret written out"),
            ({"hooks": {"ci": {"verify": "github", "as": "ci", "secret": "x"}}}, "is a secret written out"),
            ({"channels": {"p": {"adapter": "webhook", "secret": "${vault:x}"}}}, "is no reference"),
            ({"people/ana/name": "${env:HOME}"}, "a secret cannot be used here"),
            ({"actions/deploy/title": "Deploy ${env:HOME}"}, "a secret cannot be used here"),
            ({"actions/deploy/apply/command": ["./ops/deploy", "${env:HOME}"]}, "a secret cannot be used here"),
            ({"hooks": {"ci": {"verify": "github", "as": "ci", "secret": "${env:GONE}"}}}, "GONE is not set"),
        ],
    )
    def test_a_secret_stands_only_where_it_may_and_never_written_out(
        self, given: Load, changes: dict[str, Any], words: str
    ) -> None:
        message = refused(given, {"public_url": "https://hub.example.com", **changes}, {"HOME": "/home/ana"})

        assert words in message
        assert "xoxb-1" not in message


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"version": 2}, "2 is not one of 1"),
        ({"timezone": "Mars/Olympus"}, "there is no time zone"),
        ({"public_url": "http://x/path"}, "more than scheme, host and port"),
        ({"public_url": "hub.example.com"}, "is no URL"),
        ({"trusted_proxies": ["10.0.0.0/33"]}, "network"),
        ({"limits": {"commands": "fast"}}, "is no rate"),
        ({"keep": {"mail": "3 weeks"}}, "is no duration"),
        ({"rights": {"fly": ["sre"]}}, "there is no right 'fly'"),
        ({"rights": {"break": ["nobody"]}}, "group nobody has no members"),
        ({"leases": {"break_needs": "deploy"}}, "no action with a parameter lease"),
        ({"people/bo/email": "ANA@example.com"}, "given twice"),
        ({"people/ana/os_user": "x", "people/bo/os_user": "x"}, "given twice"),
        ({"people/ana/os_user": "root"}, "root cannot be a person"),
        ({"people/ana/slack": "T1/U1", "people/bo/slack": "T1/U1"}, "given twice"),
        ({"people/ana/identities": {"sms": "1"}, "people/bo/identities": {"sms": "1"}}, "given twice"),
        ({"agents/ana": {"owner": "bo"}}, "given twice"),
        ({"people/hub": {"name": "Hub"}}, "a name of the hub's own"),
        ({"people/a b": {"name": "A"}}, "is no name"),
        ({"people/ana/prefer": ["slack"]}, "there is no channel slack"),
        ({"agents/bot/owner": "ci"}, "ci is no person here"),
        ({"services/ci/owners": ["gone"]}, "gone is no person here"),
        ({"actions/Deploy": {"title": "x", "apply": {"command": ["ls"]}}}, "is no name of an action"),
        ({"actions/break-glass": {"title": "x", "apply": {"command": ["ls"]}}}, "is a verb"),
        ({"actions/deploy/title": "Deploy {nothing}"}, "no parameter is named nothing"),
        ({"actions/deploy/title": "Deploy {service"}, "has a brace that is no placeholder"),
        ({"actions/deploy/title": "Deploy {tag}"}, "tag may be missing"),
        ({"actions/deploy/resources": ["env:{tag}"]}, "tag may be missing"),
        ({"actions/deploy/resources": ["{env}"]}, "is no resource"),
        ({"actions/deploy/apply/command": ["./ops/deploy", "{token}"]}, "token is secret and would be seen here"),
        ({"actions/deploy/apply/command": ["./ops/deploy", "{tag}"]}, "tag may be missing"),
        ({"actions/deploy/apply/command": ["{service}"]}, "the program itself cannot come from a parameter"),
        ({"actions/deploy/apply/command": ["./ops/gone"]}, "there is no program './ops/gone'"),
        ({"actions/deploy/apply/command": ["../deploy"]}, "../deploy"),
        ({"actions/deploy/apply/command": ["./ops/link"]}, "./ops/link"),
        ({"actions/deploy/apply/command": ["./ops/plain"]}, "chmod +x"),
        ({"actions/deploy/apply/command": "./ops/deploy x"}, "must be a list"),
        ({"actions/deploy/apply/env": {"INTERLOCK_RUN": "x"}}, "the hub's own"),
        ({"actions/deploy/apply": {}}, "needs either command or http"),
        ({"actions/deploy/apply": {"http": {"url": "https://x/{token}"}}}, "token is secret"),
        ({"actions/deploy/apply": {"http": {"url": "https://{env}.example.com/"}}}, "scheme and host are fixed"),
        ({"actions/deploy/apply": {"http": {"url": "ftp://example.com/"}}}, "no http or https URL"),
        ({"actions/deploy/files": ["ops/gone"]}, "there is no file 'ops/gone'"),
        ({"actions/deploy/preview": {"command": ["./ops/deploy"], "secrets": "stdin"}}, "never gets secrets"),
        ({"actions/deploy/visible_to": ["nobody"]}, "group nobody has no members"),
        ({"policies/1/ask": ["slack:@nobody"]}, "group nobody has no members"),
        ({"groups": {"oncall": {"from": "chat:S1"}}}, "there is no channel chat"),
        ({"groups": {"oncall": {"from": "S1"}}}, "is no group of a channel"),
        ({**SLACK, "groups": {"oncall": {"from": "slack:oncall"}}}, "oncall is no user group of Slack"),
        (
            {**SLACK, "groups": {"sre": {"from": "slack:S1"}}},
            "sre has members in hub.yaml, and slack:S1 shall tell them",
        ),
        ({"channels": TWO_SLACKS, "people/ana/slack": "U1"}, "there are several Slack channels"),
        ({"channels": MANY_TEAMS, "people/ana/slack": "U1"}, "the app can be installed in several workspaces"),
        ({"channels": MANY_TEAMS, "groups": {"oncall": {"from": "slack:S1"}}}, "S1 is no user group of Slack"),
        ({"actions/deploy/params/service/pattern": "(a"}, "the pattern cannot be used"),
        ({"actions/deploy/params/service/pattern": r"(a)\1"}, "backreferences are not supported"),
        ({"actions/deploy/params/env/enum": [1, 2]}, 'write "1" in quotes'),
        ({"actions/deploy/params/env/default": "qa"}, "not one of staging, prod"),
        ({"actions/deploy/params/tag": {"secret": True, "default": "x"}}, "a secret is a text without default"),
        ({"actions/deploy/params/n": {"type": "integer", "minimum": 2, "maximum": 1}}, "minimum is above maximum"),
        ({"actions/deploy/params/last": {}}, "last is required and stands after tag"),
        ({"policies/0/when": "params.env =="}, "cannot be read as CEL"),
        ({"policies/0/when": 'user == "ana"'}, "unknown name user"),
        ({"policies/0/when": 'params.region == "eu"'}, "fails for deploy with"),
        ({"policies/0/when": 'params.tag == "x"'}, "fails for deploy with"),
        ({"policies/0/when": 'params.token == "x"'}, "fails for deploy with"),
        ({"policies/0/when": "params.env"}, "not true or false"),
        ({"policies/0/when": "params.env > 3"}, "fails for deploy with"),
        ({"policies/0/when": "requester.groups.exists(g, resources.exists(r, r == g))"}, "inside another"),
        ({"policies/0/when": 'assurance >= "chat"'}, "compare strength"),
        ({"policies/0/when": None}, "none after it is ever in force"),
        ({"policies/1/name": "prod"}, "two policies named prod"),
        ({"policies/0/require": [{"group": "empty"}]}, "group empty has no members"),
        ({"policies/0/require": [{"group": "sre", "count": 4}]}, "1 of sre would still be missing"),
        ({"policies/0/require": [{"group": "sre", "count": 3}]}, "whoever asks"),
        ({"policies/0/distinct_people": 4}, "different people must agree"),
        ({"policies/0/require": [{"person": "gone"}]}, "gone is no person here"),
        ({"policies/0/require": [{"group": "sre", "person": "ana"}]}, "either group or person"),
        ({"policies/0/require": []}, "it asks nobody"),
        ({"policies/0/allow": True}, "it allows and requires at once"),
        ({"policies/0/min_assurance": "unverified"}, "'unverified' is not one of"),
        ({"policies/0/escalate": [{"after": "5m", "to": "nobody"}]}, "neither group nor person nobody"),
        ({"channels": {"p": {"adapter": "webhook", "url": "ftp://x"}}}, "no http or https URL"),
        ({"public_url": None, "channels": {"p": {"adapter": "webhook"}}}, "public_url is missing"),
        ({"hooks": {"h": {"verify": "bearer", "as": "ana"}}}, "a hook never acts as one"),
        ({"hooks": {"h": {"verify": "bearer", "as": "gone"}}}, "gone is nobody here"),
        ({"hooks": {"h": {"verify": "github", "as": "ci"}}}, "github needs a secret"),
        ({"hooks": {"h": {"verify": "bearer", "as": "ci", "action": "gone"}}}, "there is no action gone"),
        (
            {"hooks": {"h": {"verify": "bearer", "as": "ci", "action": "deploy", "params": {"x": "body.x"}}}},
            "no parameter x",
        ),
        (
            {"hooks": {"h": {"verify": "bearer", "as": "ci", "action": "deploy", "params": {}}}},
            "deploy needs service, env",
        ),
        ({"hooks": {"h": {"verify": "bearer", "as": "ci", "params": {"x": "body.x"}}}}, "name the action"),
    ],
)
def test_what_cannot_work_is_refused_with_its_line(
    given: Load, folder: Path, changes: dict[str, Any], words: str
) -> None:
    (folder / "ops" / "plain").write_text("x")
    (folder / "ops" / "link").symlink_to("/bin/sh")

    assert words in refused(given, changes)


def test_a_hooks_expression_sees_body_and_headers_alone(given: Load) -> None:
    params = {"service": "body.service", "env": "'prod'", "token": "requester.name"}

    message = refused(given, {"hooks": {"h": {"verify": "bearer", "as": "ci", "action": "deploy", "params": params}}})

    assert "hooks.h.params.token: unknown name requester" in message


def test_a_channel_needs_an_adapter_that_exists(given: Load) -> None:
    changes = {"channels": {"p": {"adapter": "pigeon"}}}

    assert given(changes).world.channels["p"].adapter == "pigeon"
    assert "there is no adapter pigeon" in refused(given, changes, adapters=["webhook"])


def test_without_policies_or_a_last_one_its_author_is_warned(given: Load) -> None:
    for changes, words in (
        ({"policies": []}, "every request is refused"),
        ({"policies/1": None}, "a request that no when covers is refused"),
        ({"people/ana/groups": ["sre"]}, "nobody is in admins"),
        ({"policies/0/require": [{"person": "bo"}]}, "too few others"),
        ({"actions/deploy/apply/command": ["no-such-program-anywhere"]}, "no-such-program-anywhere"),
    ):
        assert any(words in str(warning) for warning in given(changes).warnings), words


def test_an_error_that_only_a_sample_makes_is_a_warning(given: Load) -> None:
    loaded = given({"policies/0/when": "int(params.service) > 3"})

    assert any("fails for deploy" in str(warning) for warning in loaded.warnings)


def test_an_http_call_is_built_with_its_references(given: Load) -> None:
    http = {
        "url": "https://ci.example.com/{service}",
        "headers": {"Authorization": "Bearer ${env:T}"},
        "body": {"env": "{env}", "ratio": 0.5},
    }
    world = given({"actions/deploy/apply": {"http": http, "timeout": "10s"}, "actions/deploy/params/token": None}).world

    assert world.actions["deploy"].apply == HttpSpec(
        url="https://ci.example.com/{service}",
        headers={"Authorization": "Bearer ${env:T}"},
        body={"env": "{env}", "ratio": "0.5"},
        timeout_seconds=10,
    )


def test_an_empty_section_is_as_good_as_none(folder: Path) -> None:
    (folder / "hub.yaml").write_text("version: 1\npeople:\nactions:\n")

    world = load(folder / "hub.yaml", {}).world

    assert list(world.people) == []
    assert world.actions == {}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"policies/1/reject": 4}, "4 must reject and only 3 could"),
        ({"policies/1/veto": ["auditors"]}, "group auditors has no members"),
        ({"policies/1/veto": ["robots"], "agents/bot/groups": ["robots"]}, "nobody in robots is a person"),
        (
            {"actions/deploy/reviewers": [{"group": "sre", "count": 4}]},
            "policy the reviewers of deploy cannot be satisfied: 1 of sre would still be missing",
        ),
    ],
)
def test_rejections_vetoes_and_reviewers_that_could_never_be_are_refused(
    given: Load, changes: dict[str, Any], message: str
) -> None:
    assert message in refused(given, changes)


def test_rejections_vetoes_and_reviewers_that_could_be_are_in_the_world(given: Load) -> None:
    world = given(
        {
            "policies/1/reject": 3,
            "policies/1/veto": ["security"],
            "policies/1/delegation": "members",
            "actions/deploy/reviewers": [{"person": "cai"}],
        }
    ).world

    assert (world.policies[1].reject, world.policies[1].veto) == (3, ("security",))
    assert world.policies[1].delegation == "members"
    assert world.actions["deploy"].reviewers[0].person == "cai"


def test_a_group_that_a_channel_tells_may_fill_any_seat(given: Load) -> None:
    more = {**SLACK, "groups": {"oncall": {"from": "slack:S1"}}, "people/ana/slack": "U1"}
    world = given({**more, "policies/1/require": [{"group": "oncall", "count": 2}]}, {"BOT": "xoxb-1"}).world
    assert world.groups_from == {"oncall": "slack:S1"} and world.people.members("oncall") == frozenset()

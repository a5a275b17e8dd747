"""The app manifest of a hub: everything that Slack must know of the app, for `interlock slack manifest`."""

from __future__ import annotations

from typing import Any

SCOPES = {
    "app_mentions:read": "hear a command that begins with a mention of the bot",
    "channels:read": "see whether a public channel exists, is shared or archived, and whether the bot is in it",
    "chat:write": "post cards and answers, and keep them up to date",
    "commands": "have the slash command",
    "groups:read": "the same as channels:read, for private channels that the bot is in",
    "im:history": "hear commands in direct messages to the bot",
    "im:write": "write to people who are asked",
    "users:read": "see whether an account is deactivated, a guest or a bot before it may act",
}
"""Scope of the bot -> what it is for."""
GROUP_SCOPE, EMAIL_SCOPE = "usergroups:read", "users:read.email"
WISHED = {
    GROUP_SCOPE: "read who is in the user groups that hub.yaml takes members from",
    EMAIL_SCOPE: "see the addresses that Slack has verified, for match_email",
}
"""Scopes that only some settings need -> what they are for."""
GROUP_EVENTS = ("subteam_members_changed", "subteam_updated")
EVENTS = (
    "app_home_opened",
    "app_mention",
    "app_uninstalled",
    "channel_shared",
    "channel_unshared",
    "member_joined_channel",
    "message.im",
    "tokens_revoked",
)

_LONG = (
    "Interlock is a hub for risky operations. People and agents ask for one from the channel they already use, other "
    "people decide with a button, and the operation then runs once, under leases that keep everybody else off the same "
    "resources. Every step stands in a log that anybody can verify. This app shows requests as cards, takes decisions "
    "and commands, and tells in the thread of a card how the run went."
)


def scopes_for(*, groups: bool, emails: bool) -> list[str]:
    """The scopes that the bot needs."""
    return [*SCOPES, *([GROUP_SCOPE] if groups else []), *([EMAIL_SCOPE] if emails else [])]


def manifest(
    *,
    public_url: str,
    path: str,
    command: str,
    socket_mode: bool,
    groups: bool = False,
    emails: bool = False,
    redirect: str | None = None,
) -> dict[str, Any]:
    """The manifest, as Slack takes it under "From a manifest". With Socket Mode it names no address for events.

    `redirect` is where Slack comes back to when the app is installed by OAuth; its tokens then rotate.
    """
    url = f"{public_url.rstrip('/')}{path}"
    slash: dict[str, Any] = {
        "command": command,
        "description": "Ask, decide, look: everything the hub does",
        "usage_hint": "help",
        "should_escape": True,
    }
    events: dict[str, Any] = {"bot_events": [*EVENTS, *(GROUP_EVENTS if groups else ())]}
    interactivity: dict[str, Any] = {"is_enabled": True}
    if not socket_mode:
        slash["url"] = events["request_url"] = interactivity["request_url"] = url
    return {
        "_metadata": {"major_version": 2, "minor_version": 1},
        "display_information": {
            "name": "Interlock",
            "description": "Approvals for risky operations, with a log that can be verified",
            "long_description": _LONG,
        },
        "features": {
            "app_home": {
                "home_tab_enabled": True,
                "messages_tab_enabled": True,
                "messages_tab_read_only_enabled": False,
            },
            "bot_user": {"display_name": "Interlock", "always_online": True},
            "slash_commands": [slash],
        },
        "oauth_config": {
            **({"redirect_urls": [redirect]} if redirect is not None else {}),
            "scopes": {"bot": scopes_for(groups=groups, emails=emails)},
        },
        "settings": {
            "event_subscriptions": events,
            "interactivity": interactivity,
            "org_deploy_enabled": False,
            "socket_mode_enabled": socket_mode,
            "token_rotation_enabled": redirect is not None,
        },
    }

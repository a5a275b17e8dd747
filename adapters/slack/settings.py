"""A Slack channel's settings in hub.yaml."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError, model_validator

from core.errors import Invalid
from core.world import Channel

PATH = "/slack/events"


def _listed(value: Any) -> Any:
    return value if isinstance(value, list | tuple) else [value]


class Settings(BaseModel):
    """`channels: {slack: {adapter: slack, …}}`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    bot_token: SecretStr | None = None
    """`xoxb-…`, from the app's page Install App: one workspace."""
    client_id: Annotated[str, Field(pattern=r"^[0-9A-Za-z.]{1,100}$")] | None = None
    """In place of `bot_token`, with `client_secret`: the app can be installed in several workspaces, by OAuth."""
    client_secret: SecretStr | None = None
    """From the app's page Basic Information."""
    install_path: Annotated[str, Field(pattern=r"^/slack/[a-z0-9/_-]{1,60}$")] = "/slack/install"
    """Where somebody with the right `channels` installs the app; Slack comes back to the same with /done."""
    signing_secret: Annotated[tuple[SecretStr, ...], BeforeValidator(_listed), Field(max_length=2)] = ()
    """From the app's page Basic Information; two while one rotates. Without `app_token` it is needed."""
    app_token: SecretStr | None = None
    """`xapp-…` with `connections:write`: events come over Socket Mode, and the hub needs no address for Slack."""
    command: Annotated[str, Field(pattern=r"^/[a-z0-9_-]{1,31}$")] = "/hub"
    """The slash command, as the app's manifest has it."""
    path: Annotated[str, Field(pattern=r"^/slack/[a-z0-9/_-]{1,60}$")] = PATH
    """Where Slack posts to; another one for a second workspace."""
    shared_rooms: tuple[Annotated[str, Field(pattern=r"^[CG][A-Z0-9]+$")], ...] = ()
    """Ids of channels shared with other companies that may show cards all the same."""
    match_email: bool = False
    """Whether somebody whom nothing else names is the person in hub.yaml with the address that Slack has verified."""
    api_url: Annotated[str, Field(pattern=r"^https?://.+/$")] | None = None
    """Another address of the Web API, for tests and gateways; its own by default."""

    @property
    def socket_mode(self) -> bool:
        """Whether events come over a WebSocket that the hub opens."""
        return self.app_token is not None

    @property
    def by_oauth(self) -> bool:
        """Whether workspaces are added by installing the app in them."""
        return self.client_id is not None

    @property
    def secrets(self) -> tuple[str, ...]:
        """The signing secrets in force."""
        return tuple(each.get_secret_value() for each in self.signing_secret)

    @model_validator(mode="after")
    def _provable(self) -> Self:
        if not self.socket_mode and not self.signing_secret:
            raise ValueError("signing_secret is missing: without it, or an app_token, nobody can prove to be Slack")
        if any(not each.strip() for each in self.secrets):
            raise ValueError("signing_secret is empty")
        by_oauth = [self.client_id is not None, self.client_secret is not None]
        if any(by_oauth) and not all(by_oauth):
            raise ValueError("client_id and client_secret belong together")
        if (self.bot_token is None) == (self.client_id is None):
            raise ValueError("write either bot_token, or client_id and client_secret")
        if self.bot_token is not None and not self.bot_token.get_secret_value().startswith("xoxb-"):
            raise ValueError("bot_token must be the bot's own and begin with xoxb-")
        if self.app_token is not None and not self.app_token.get_secret_value().startswith("xapp-"):
            raise ValueError("app_token must begin with xapp-")
        return self


def settings_of(channel: Channel) -> Settings:
    """The channel's settings. Raises Invalid (`bad_channel`) in words that hold no secret."""
    try:
        return Settings.model_validate(dict(channel.settings))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in ("channels", channel.name, *first["loc"]))
        what = "is missing" if first["type"] == "missing" else first["msg"].removeprefix("Value error, ")
        raise Invalid("bad_channel", f"{where}: {what}") from None

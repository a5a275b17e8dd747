"""A mail channel's settings in hub.yaml."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator, model_validator

from adapters.email.address import address
from core.errors import Invalid
from core.world import Channel

_LOCAL = ("127.0.0.1", "::1", "localhost")


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Imap(_Section):
    """The mailbox that is read."""

    host: str
    port: int = 993
    tls: Literal["tls", "none"] = "tls"
    user: str
    password: SecretStr | None = None
    token: SecretStr | None = None
    """An OAuth 2 access token, sent by XOAUTH2 instead of a password; `${file:…}` is read again by a reload."""
    ca: str | None = None
    """A file of certificates to trust instead of the system's."""
    inbox: str = "INBOX"
    processed: str = "Processed"
    quarantine: str = "Quarantine"
    idle_seconds: float = Field(default=270.0, ge=5.0, le=1740.0)
    poll_seconds: float = Field(default=20.0, ge=1.0, le=3600.0)
    """How often a server without IDLE is asked."""


class Smtp(_Section):
    """The server that takes our mail. TLS is always used and verified, unless `tls: none` on this very machine."""

    host: str
    port: int = 587
    tls: Literal["starttls", "tls", "none"] = "starttls"
    user: str | None = None
    password: SecretStr | None = None
    token: SecretStr | None = None
    ca: str | None = None


class Trust(_Section):
    """Whose word counts about who sent a mail. Without it, no mail proves its sender."""

    authserv_id: str | None = None
    """The receiving server, as it names itself in Authentication-Results."""
    hosts: tuple[str, ...] = ()
    """Our own mail hosts, whose Received lines may stand above that header."""
    dkim: bool = False
    """Check DKIM signatures ourselves, by DNS, where the server says nothing."""


class Settings(_Section):
    """`channels: {mail: {adapter: email, …}}`."""

    address: str
    imap: Imap | None = None
    """Without it the channel only sends."""
    smtp: Smtp
    trust: Trust = Trust()
    commands: bool = False
    """Whether a mail without a token of ours may be a command, when its sender is proved."""
    attach_bytes: int = Field(default=262_144, ge=0, le=5_242_880)
    """Output of a run that goes along as a file, at most."""

    @model_validator(mode="after")
    def _not_in_the_clear(self) -> Self:
        for name, server in (("imap", self.imap), ("smtp", self.smtp)):
            if server is not None and server.tls == "none" and server.host not in _LOCAL:
                raise ValueError(f"{name}.tls: none is for this very machine; take it out")
        return self

    @field_validator("address")
    @classmethod
    def _one(cls, value: str) -> str:
        found = address(value)
        if found is None or "+" in found:
            raise ValueError(f"{value!r} is no plain mail address; write it like hub@example.com")
        return found

    @property
    def local(self) -> str:
        return self.address.rpartition("@")[0]

    @property
    def domain(self) -> str:
        return self.address.rpartition("@")[2]


def settings_of(channel: Channel) -> Settings:
    """The channel's settings. Raises Invalid (`bad_channel`) in words."""
    try:
        return Settings.model_validate(dict(channel.settings))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        what = "is missing" if first["type"] == "missing" else first["msg"]
        raise Invalid("bad_channel", f"channels.{channel.name}.{where}: {what}") from None

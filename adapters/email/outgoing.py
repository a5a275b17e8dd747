"""Mail on its way out: one SMTP connection, used in turn, made anew when it ends (RFC 5321)."""

from __future__ import annotations

import asyncio
import ssl
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from typing import Any

from adapters.email.settings import Smtp
from hub.contracts import DeliveryFailed

_SECONDS = 20.0


class Outgoing:
    """Sends mails, one after the other. Raises DeliveryFailed: permanent for 5xx, to be tried again for the rest."""

    def __init__(self, settings: Smtp) -> None:
        self._settings = settings
        self._turn = asyncio.Lock()
        self._client: Any = None
        self._context: ssl.SSLContext | None = None

    async def send(self, message: EmailMessage, *, sender: str, recipient: str) -> None:
        """The server has taken the message for `recipient`; `sender` is the envelope's, `` for none."""
        import aiosmtplib

        content = message.as_bytes(policy=SMTP_POLICY)
        async with self._turn:
            try:
                client = await self._connected()
                refused, _ = await client.sendmail(sender, [recipient], content)
                if refused:  # partial refusals are a value, not an exception
                    code, text = refused[recipient]
                    raise _refused(code, text)
            except aiosmtplib.SMTPRecipientsRefused as error:
                raise _refused(error.recipients[0].code, error.recipients[0].message) from error
            except aiosmtplib.SMTPAuthenticationError as error:
                await self.close()
                raise DeliveryFailed(f"the server refused our sign-in: {error.code} {error.message}") from error
            except aiosmtplib.SMTPResponseException as error:
                await self.close()
                raise DeliveryFailed(f"{error.code} {error.message}", permanent=error.code >= 500) from error
            except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
                await self.close()
                raise DeliveryFailed(f"{type(error).__name__}: {error}") from error

    async def _connected(self) -> Any:
        import aiosmtplib

        if self._client is not None and self._client.is_connected:
            return self._client
        given = self._settings
        if given.tls != "none" and self._context is None:
            self._context = await asyncio.to_thread(ssl.create_default_context, cafile=given.ca)
        client = aiosmtplib.SMTP(
            hostname=given.host,
            port=given.port,
            timeout=_SECONDS,
            use_tls=given.tls == "tls",
            start_tls=given.tls == "starttls",
            tls_context=self._context,
        )
        await client.connect()
        if given.user is not None:
            if given.token is not None:
                await client.auth_xoauth2(given.user, given.token.get_secret_value())
            elif given.password is not None:
                await client.login(given.user, given.password.get_secret_value())
        self._client = client
        return client

    async def check(self) -> None:
        """Nothing, when the server can be reached and takes our sign-in. Raises DeliveryFailed."""
        import aiosmtplib

        async with self._turn:
            try:
                await (await self._connected()).noop()
            except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
                await self.close()
                raise DeliveryFailed(f"{type(error).__name__}: {error}") from error

    async def close(self) -> None:
        """The connection is gone."""
        client, self._client = self._client, None
        if client is None:
            return
        transport = client.transport
        try:
            async with asyncio.timeout(2.0):
                await client.quit()
        except Exception:  # whatever the other side does, the connection ends here
            client.close()
        if transport is not None:
            transport.abort()
            await asyncio.sleep(0)


def _refused(code: int, text: str) -> DeliveryFailed:
    """The server takes no mail for that address: for now, or (5xx) at all."""
    return DeliveryFailed(f"{code} {text}", permanent=code >= 500, address_is_dead=code >= 500)

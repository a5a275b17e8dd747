"""What an adapter and the hub say to each other. Everything here is a frozen value that grows by fields with defaults.

An adapter is three files: `parse.py` (pure: bytes in, Inbound out), `render.py` (pure: Card in, the channel's
own form out) and `adapter.py` (the wire). It proves who sent a message and hands over what it read; the hub
decides who that is, whether they may, and what happens. Ours register through the entry-point group
`interlock.adapters`, exactly as a stranger's would.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

from starlette.routing import BaseRoute

from core.apply.printed import Piece
from core.clock import Clock
from core.people.assurance import Assurance
from core.world import Channel, Hook


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """Who the channel proved. Exactly one of the two is given.

    `identity` is the channel's own name for the account (`T0123/U024BE7LH`), which the hub maps to one
    principal; `principal` stands where the proof itself names one (a key, a session, a hook's `as`).
    """

    identity: str | None = None
    principal: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Inbound:
    """One message that an adapter proved and read. Exactly one of text, press and command is given."""

    channel: str
    sender: Sender
    assurance: Assurance
    message_id: str | None = None
    """The platform's id of this message: the once-key. None where the platform has none."""
    body_hash: bytes = b""
    """SHA-256 of the body as received; another body under the same id is refused (422)."""
    answer_to: str | None = None
    """Opaque to the hub; comes back in `Adapter.post`."""
    said_at_us: int | None = None
    """The platform's own time of the message, where it gives one."""
    text: str | None = None
    press: str | None = None
    """The opaque press token of a button."""
    command: Command | None = None
    comment: str | None = None
    """Text that came with a press."""
    confirm: str | None = None
    """What was typed with a press to confirm it, where its button asks for that."""
    may_decide: bool = True
    """False where the proof is a key that was made with `--no-decide`."""
    evidence: Mapping[str, str] = field(default_factory=dict)
    """What proved the sender, for the log and receipts: `{"signature": "slack v0"}`, `{"key": "ilk_ab12"}`; no secret."""
    private: bool = False
    """Whether the answer reaches the sender and nobody else, so that it may hold a secret of theirs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Somebody who proved who they are on a connection that lasts, or in a browser."""

    principal: str
    name: str
    kind: str
    assurance: Assurance
    may_decide: bool = True
    proof: str = ""
    """Which proof it was, opaque to the channel; `Hub.valid` says whether it still stands."""
    groups: frozenset[str] = frozenset()
    evidence: Mapping[str, str] = field(default_factory=dict)
    """The proof as the log and receipts name it: `{"key": "ab12cd34"}`, `{"session": …}`, `{"uid": "1000"}`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A verb and its arguments, the same whatever the channel. The verb's model validates the arguments."""

    verb: str
    args: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Button:
    """A press of one choice. `token` is opaque and is None on a card without live buttons."""

    label: str
    choice: str
    """`approve`, `reject`, `request-changes`, `stop`, `apply`, `rollback`."""
    token: str | None
    style: Literal["primary", "danger", "plain"] = "plain"
    confirm: str | None = None
    """What whoever presses has to type as well; None where the press is enough."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One labelled line of a card. `code` is shown in a fixed-width font, exactly and escaped."""

    label: str
    value: str
    code: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A channel-neutral picture of one approval: adapters render it, nobody decides by it."""

    approval: str
    version: int
    digest: str | None
    state: str
    title: str
    summary: str
    """One plain sentence: what is asked, or what happened."""
    fields: tuple[Field, ...] = ()
    claim: str | None = None
    """The requester's own words, always shown as a claim, apart from what is bound."""
    preview: str | None = None
    footer: str = ""
    """`1 of 2 of sre, approved by Bo Lind in slack`."""
    url: str | None = None
    """The page's deep link to it, `…/#/approvals/A142`."""
    expires_at: str | None = None
    buttons: tuple[Button, ...] = ()
    final: bool = False
    requester: str = ""
    """The requester's name."""
    risk: Literal["low", "medium", "high"] = "medium"
    """How careful the policy is: `low` asks nobody, `medium` one person, `high` several."""

    def as_json(self) -> dict[str, Any]:
        """The card as JSON has it: every member, tuples as lists."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """The one answer to an Inbound. `approval` is the Approval as CONTRACT gives it."""

    ok: bool
    text: str
    code: str | None = None
    card: Card | None = None
    approval: Mapping[str, Any] | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    """What a structured caller gets beside the text (a lease, a list); never shown to chat."""
    repeated: bool = False
    """True when this is the first answer given again."""

    def as_json(self) -> dict[str, Any]:
        """The answer as CONTRACT has it: `ok`, `text`, and what else there is."""
        answer: dict[str, Any] = {"ok": self.ok, "text": self.text}
        if self.code is not None:
            answer["code"] = self.code
        if self.card is not None:
            answer["card"] = self.card.as_json()
        if self.approval is not None:
            answer["approval"] = self.approval
        if self.data:
            answer["data"] = self.data
        if self.repeated:
            answer["repeated"] = True
        return answer


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """One entry of the log, as somebody may see it who follows the hub."""

    seq: int
    ts: str
    """RFC 3339 in UTC."""
    event: str
    actor: str | None
    subject: str | None
    details: Mapping[str, Any]
    """Facts and private values together."""
    channel: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """A stretch of what a run printed, secrets replaced. Offsets count bytes of the whole text in UTF-8."""

    run: str
    offset: int
    text: str
    next: int
    """Where the following stretch begins: what to ask for to miss nothing and get nothing twice."""
    skipped: int
    """Bytes between where it was asked to begin and `offset`, which are not kept."""
    ended: bool
    """Whether the run has ended and nothing follows."""

    @classmethod
    def of(cls, run: str, piece: Piece) -> Output:
        """That piece of what `run` printed."""
        return cls(run=run, offset=piece.offset, text=piece.text, next=piece.next, skipped=piece.skipped, ended=False)

    @classmethod
    def nothing(cls, run: str, offset: int, *, ended: bool) -> Output:
        """There is nothing at `offset`, or not yet."""
        return cls(run=run, offset=offset, text="", next=offset, skipped=0, ended=ended)

    def as_json(self) -> dict[str, Any]:
        """As it stands in frames and answers."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reminded:
    """Somebody who is reminded; `identity` is their account on the channel, where they have one."""

    id: str
    name: str
    identity: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reminder:
    """A request waits for these people, and had been waiting for a while before."""

    key: str
    """Which one it is: the same for each attempt, another for the next."""
    number: int
    people: tuple[Reminded, ...]
    wanted: Literal["decision", "review"] = "decision"
    """What it waits for: `review` of what ran by break-glass."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """One copy of a card that a channel shall show."""

    address: str
    card: Card
    event: str
    """The event that made this necessary, for channels that say it (`approval:requested`)."""
    approval: Mapping[str, Any]
    recipient: str | None = None
    """The principal whom this copy is for, where it is for one."""
    key: str = ""
    """The same whenever this version of this copy is tried again, and never otherwise: a message id."""
    audience: frozenset[str] | None = None
    """Ids of the principals who may see it, where the action is not for everybody known."""
    token: str | None = None
    """Stands for this copy, for links and reply addresses; `Hub.opened` says what of. It lapses with the copy."""
    reminder: Reminder | None = None
    """The newest reminder for those whom this copy is for and who can still act; each is carried once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignInLink:
    """A one-time sign-in link that somebody asked for in the name of a person. Whoever has `url` can sign in as them."""

    url: str
    key: str
    """The same whenever this link is tried again, and never otherwise: a message id. It says nothing of the link."""
    name: str
    """The person's."""
    where: str
    """The hub that it signs in to."""
    asked_from: str
    asked_at: str
    good_until: str
    """Moments as the person's own clock shows them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LinksBy:
    """How somebody comes by a sign-in link, as the sign-in page tells."""

    by_address: bool = False
    """Whether a link is sent to those who type their address there."""
    by_command: Mapping[str, str] = field(default_factory=dict)
    """Channel -> what is typed there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """The copy that a token stands for. Who presents the token was given that copy; it proves no more."""

    approval: str
    revision: int
    digest: str
    delivery: int
    channel: str
    address: str
    recipient: str | None
    """The principal whom the copy is for."""
    current: bool
    """Whether the revision that it shows is the one under review."""
    tokens: Mapping[str, str]
    """Choice -> press token of this copy, for the revision that it shows."""
    short_replies: bool = False
    """Whether the policy lets `yes` and `no` decide."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What the log shall say of a change of what a channel keeps: nothing secret."""

    event: str
    """`workspace:installed`, `workspace:rotated`, `workspace:removed`."""
    actor: str | None = None
    """The principal who did it; None for the hub itself."""
    details: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class WayIn:
    """One way to sign in besides links: what people call it, and where it begins."""

    name: str
    url: str
    """May take `to`: the place on the page where they come back to."""


class DeliveryFailed(Exception):
    """A copy could not be posted. `permanent` ends the attempts; `retry_after_seconds` is the channel's own wish.

    `address_is_dead`: nothing will arrive there, so nobody is asked there until it takes messages again.
    `only_here`: it says nothing about the channel's other addresses, which go on.
    """

    def __init__(
        self,
        message: str,
        *,
        permanent: bool = False,
        retry_after_seconds: float | None = None,
        throttled: bool = False,
        address_is_dead: bool = False,
        only_here: bool = False,
    ) -> None:
        super().__init__(message)
        self.only_here = only_here
        self.address_is_dead = address_is_dead
        self.permanent = permanent
        self.retry_after_seconds = retry_after_seconds
        self.throttled = throttled


@dataclass(frozen=True, slots=True, kw_only=True)
class Powers:
    """What a channel can do; the hub degrades for those that cannot."""

    buttons: bool = True
    edit: bool = True
    addresses_people: bool = False
    """Whether `address_of` can find one person."""
    address: str | None = None
    """Where a copy goes when `ask` names the channel alone; None asks each eligible person there."""
    login: str | None = None
    """What a person types there to get a sign-in link, where answers are private (`Inbound.private`)."""


class Hub(Protocol):
    """What an adapter may ask of the hub."""

    async def handle(self, inbound: Inbound) -> Reply:
        """The answer to a proved message; a refusal is an answer too. Raises only when the database failed."""
        ...

    async def hooked(self, inbound: Inbound, hook: Hook, body: Any, headers: Mapping[str, str]) -> Reply:
        """What the triggers of a hook made of the message of a proved sender."""
        ...

    async def refuse(self, inbound: Inbound, code: str, message: str) -> Reply:
        """Record that the message of a proved sender could not be read (`hook:refused`); the answer to give."""
        ...

    def unproven(self, channel: str, code: str) -> None:
        """Count a message whose sender proved nothing; it leaves no trace but the count."""
        ...

    async def authenticate(self, headers: Mapping[str, str]) -> Caller | None:
        """Who sends these request headers (lower-case names), by session cookie or bearer; None when nobody proved it.

        The channel itself refuses a foreign Origin before it asks.
        """
        ...

    def valid(self, caller: Caller) -> bool:
        """Whether the proof of `caller` still stands; cheap enough to ask for every frame."""
        ...

    def nonce(self, caller: Caller, purpose: str) -> str:
        """An unguessable text that is always the same for this proof and purpose: what a form carries against CSRF."""
        ...

    def hook(self, name: str) -> Hook | None:
        """The inbound hook of that name in the configuration in force."""
        ...

    def follow(self, caller: Caller, *, after: int | None, events: Collection[str] = ()) -> AsyncIterator[News]:
        """Every entry that `caller` may see after seq `after` (None: from now on), then each new one as it commits.

        Waits for ever; a reader too slow for the hub's bound gets Unavailable (`too_slow`) raised.
        """
        ...

    async def cards(self, caller: Caller) -> list[Reply]:
        """The open approvals that `caller` may see and the latest closed ones, oldest first, as `show` answers them."""
        ...

    async def card(self, caller: Caller, approval: str) -> Reply:
        """One approval (`A142`) as `show` answers it; `not_found` for one that `caller` may not see."""
        ...

    async def halted(self) -> str | None:
        """Why everything is stopped; None when runs may start."""
        ...

    def showed(self, approval: str, revision: int, people: Collection[str]) -> None:
        """Note that a card of that revision reached these principals: their typed decisions may rest on it."""
        ...

    def origins(self, host: str | None) -> frozenset[str]:
        """The origins whose pages are ours, for a request that came under this Host."""
        ...

    async def opened(self, token: str) -> tuple[Opened, Reply] | None:
        """What the token of a copy stands for, and the request as `show` answers it; None for no token of ours."""
        ...

    def links_by(self) -> LinksBy:
        """How somebody who is not signed in comes by a link."""
        ...

    async def output(self, run: str) -> bytes:
        """Everything that is kept of what a run (`R9`) printed; nothing while it runs."""
        ...

    def watch(self, caller: Caller, run: str, offset: int) -> AsyncGenerator[Output]:
        """Everything that a run prints at or after `offset`, as it comes; the last one says `ended`.

        A slow reader is told how much it missed; nothing waits for it. Raises NotFound, also when `caller` may not
        see the run's approval, and Unproven.
        """
        ...

    async def understood(self, inbound: Inbound, text: str) -> str | None:
        """The command line that free text of a proved sender seems to mean, for a proposal; None for none."""
        ...

    async def keep_received(self, channel: str, key: str, raw: bytes) -> int:
        """The message is durable; how often it has been tried now, or 0 when it was handled before."""
        ...

    async def settle_received(self, channel: str, key: str, outcome: str, *, forget: bool = False) -> None:
        """Note what became of a received message; with `forget` its text is gone at once."""
        ...

    async def left_received(self, channel: str) -> list[tuple[str, bytes]]:
        """Key and text of what was received and never settled, the oldest first: what a former process left behind."""
        ...

    def places(self, channel: str) -> tuple[str, ...]:
        """The addresses on the channel that the configuration names (`ask`)."""
        ...

    def named(self, channel: str, identity: str) -> str | None:
        """The principal with that identity on the channel; None for none or several."""
        ...

    async def link(self, inbound: Inbound, code: str) -> Reply:
        """Bind the account of a proved sender to the person who got `code` elsewhere; a refusal is recorded."""
        ...

    async def pin(self, channel: str, realm: str) -> None:
        """Identities that hub.yaml gives without a realm belong to `realm` from the first time on.

        Raises Conflict (`other_realm`) when they belong to another: the channel then acts for nobody.
        """
        ...

    def sources(self, channel: str) -> tuple[str, ...]:
        """The channel's own groups whose members hub.yaml takes over."""
        ...

    async def tell_group(
        self, channel: str, group: str, members: Collection[str] | None, problem: str | None = None
    ) -> None:
        """These identities are in the channel's group now; None when that could not be read, and why."""
        ...

    def by_email(self, channel: str, email: str) -> str | None:
        """The one person with that address whom nothing else says who they are on the channel."""
        ...

    @property
    def ways_in(self) -> tuple[WayIn, ...]:
        """How people sign in besides links, for the page that offers it."""
        ...

    def may(self, caller: Caller, right: str) -> bool:
        """Whether `caller` has a right (`channels`) in the configuration in force."""
        ...

    async def kept(self, channel: str) -> dict[str, tuple[str, int]]:
        """What the channel keeps sealed: name -> value and version."""
        ...

    async def keep(
        self, channel: str, name: str, value: str, *, after: int | None = None, said: Said | None = None
    ) -> bool:
        """The value is kept, sealed; False when the one there is not version `after` (None: whatever is there)."""
        ...

    async def claim(self, channel: str, name: str, version: int, seconds: float) -> bool:
        """Whether changing that version of a kept value is ours alone, among all nodes, for so long."""
        ...

    async def take(self, channel: str, name: str, *, said: Said | None = None) -> str | None:
        """A kept value, which is kept no more: only one caller ever gets it."""
        ...

    async def gone(self, channel: str, prefix: str, why: str) -> int:
        """Note that nothing reaches the channel's addresses that begin so: copies there are dead; how many."""
        ...

    async def takes_again(self, channel: str, address: str | None = None) -> None:
        """The address takes messages again (None: every address of the channel), so people may be asked there."""
        ...

    async def bounced(self, delivery: int, why: str) -> bool:
        """Note that a copy came back: it is dead, and its address takes no more; False for no copy of ours."""
        ...

    @property
    def head(self) -> int:
        """The seq of the newest entry of the log."""
        ...

    @property
    def public_url(self) -> str: ...

    @property
    def clock(self) -> Clock: ...


class Adapter(Protocol):
    """One configured channel at work."""

    powers: Powers

    def routes(self) -> list[BaseRoute]:
        """HTTP and WebSocket routes that this channel serves; [] for none."""
        ...

    def run(self) -> AbstractAsyncContextManager[None]:
        """Connections and background work live inside this context."""
        ...

    async def post(self, post: Post) -> str:
        """Show a new copy; the reference by which it can be updated. Raises DeliveryFailed."""
        ...

    async def update(self, reference: str, post: Post) -> str:
        """Make an existing copy show `post`; the reference from now on. Raises DeliveryFailed."""
        ...

    def address_of(self, identities: Mapping[str, str], email: str | None) -> str | None:
        """Where one person is reached on this channel, or None."""
        ...

    async def check(self) -> list[str]:
        """What `doctor` should tell about this channel: one plain line a problem, with its remedy; [] when well."""
        ...


@runtime_checkable
class Live(Protocol):
    """What a channel adds whose copies exist only while somebody looks: it has no outbox, and gets the present picture."""

    @property
    def watched(self) -> bool:
        """Whether anybody looks now; nothing is drawn for nobody."""
        ...

    def picture(self, post: Post) -> None:
        """Show `post` to everybody who looks and may see it, in place of what they saw of that approval."""
        ...


@runtime_checkable
class Telling(Protocol):
    """What a channel adds that can tell one person something that is no card."""

    def tell(self, principal: str, text: str) -> None:
        """Show `text` to that person as soon as possible; a hint that may be lost."""
        ...


@runtime_checkable
class Messaging(Protocol):
    """What a channel adds that can bring one person a message that is no card."""

    async def message(self, address: str, text: str, key: str) -> None:
        """Show `text`, plain and to be escaped, at `address`. Raises DeliveryFailed.

        `key` is the same whenever this message is tried again, and never otherwise.
        """
        ...


@runtime_checkable
class Admitting(Protocol):
    """What a channel adds that can bring a sign-in link to one person's own address, where nobody else reads it."""

    async def admit(self, address: str, link: SignInLink) -> None:
        """Show the link there, who asked for it, and what to do when that was somebody else. Raises DeliveryFailed."""
        ...


@runtime_checkable
class Digesting(Protocol):
    """What a channel adds that can show several copies for one person in one message."""

    async def post_digest(self, posts: Sequence[Post]) -> list[str]:
        """Show all of them, which are for one place; the reference of each. Raises DeliveryFailed for all alike."""
        ...


@runtime_checkable
class Reminding(Protocol):
    """What a channel adds that tells nobody by editing a copy: a reminder is a message of its own there."""

    async def remind(self, reference: str, post: Post) -> str:
        """Tell those of `post.reminder` beside the copy, so that they notice; the reference from now on.

        Raises DeliveryFailed. It is asked again for the same reminder only when that said `throttled`.
        """
        ...


@runtime_checkable
class Ailing(Protocol):
    """What a channel adds that notices by itself when it does not work, for readiness."""

    @property
    def problem(self) -> str | None:
        """Why the channel does not work at the moment; None while it does."""
        ...


AdapterFactory = Callable[[Channel, Hub], Adapter]
"""The entry point `interlock.adapters` names one of these: it makes the adapter of a configured channel."""

"""The control socket's callers: who the kernel says they are, and who is not let in."""

import getpass
import os
import socket
from pathlib import Path

import pytest

from core.errors import Forbidden, Unproven
from core.people.assurance import Assurance
from core.people.directory import Directory, Kind, Principal
from core.people.rights import Rights
from core.world import World
from hub.http import peer
from hub.http.peer import Peer, caller_at, peer_of, principal_at

pytestmark = pytest.mark.anyio

ME = getpass.getuser()


def world(root: Path, **os_users: str) -> World:
    people = {name: Principal(id=name, kind=Kind.PERSON, name=name, os_user=user) for name, user in os_users.items()}
    return World(digest="0", root=root, public_url="", people=Directory(people), rights=Rights())


@pytest.fixture
def users(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peer, "_user_name", {0: "root", 1000: "ana", 1001: "bo"}.get)


def owner(path: Path) -> int:
    return path.stat().st_uid


async def test_the_kernel_says_who_connected() -> None:
    one, other = socket.socketpair(socket.AF_UNIX)
    with one, other:
        assert peer_of(one) == Peer(pid=os.getpid(), uid=os.getuid())


@pytest.mark.usefixtures("users")
async def test_the_person_with_that_user_calls_as_chat(tmp_path: Path) -> None:
    caller = await caller_at(
        Peer(pid=1, uid=1000), world=world(tmp_path, ana="ana"), data=tmp_path, from_run=lambda pid: False
    )
    assert (caller.principal, caller.assurance, caller.may_decide) == ("ana", Assurance.CHAT, True)


@pytest.mark.usefixtures("users")
async def test_the_owner_of_the_data_is_else_the_operator_and_may_not_decide(tmp_path: Path) -> None:
    caller = await caller_at(
        Peer(pid=1, uid=owner(tmp_path)), world=world(tmp_path), data=tmp_path, from_run=lambda pid: False
    )
    assert (caller.principal, caller.kind, caller.may_decide) == ("operator", "operator", False)


@pytest.mark.usefixtures("users")
@pytest.mark.parametrize(
    ("uid", "mapped", "code"),
    [
        (0, {"ana": "root"}, "root_person"),
        (1000, {"ana": "ana", "cai": "ana"}, "ambiguous_os_user"),
    ],
)
async def test_root_is_nobody_in_particular_and_a_shared_user_is_nobody(
    tmp_path: Path, uid: int, mapped: dict[str, str], code: str
) -> None:
    with pytest.raises(Forbidden) as refused:
        principal_at(uid, world=world(tmp_path, **mapped), data=tmp_path)
    assert refused.value.code == code


@pytest.mark.usefixtures("users")
async def test_a_user_of_whom_nobody_knows_is_refused(tmp_path: Path) -> None:
    for uid in (1001, 4711):
        with pytest.raises(Unproven):
            principal_at(uid + (uid == owner(tmp_path)), world=world(tmp_path, ana="ana"), data=tmp_path)


async def test_a_process_that_a_run_started_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Forbidden) as refused:
        await caller_at(
            Peer(pid=os.getpid(), uid=owner(tmp_path)),
            world=world(tmp_path),
            data=tmp_path,
            from_run=lambda pid: pid == os.getpid(),
        )
    assert refused.value.code == "from_run"

"""Who is at the other end of the control socket, as the kernel says.

The person with that `os_user`, at most one; else the data directory's owner, who is the operator. Refused are uid 0
when it is mapped to a person, and a process that a run started.
"""

from __future__ import annotations

import asyncio
import os
import pwd
import socket
import struct
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from core.apply.reaper import descends_from_run
from core.errors import Forbidden, Unproven
from core.people.assurance import Assurance
from core.people.directory import OPERATOR, Principal
from core.world import World
from hub.contracts import Caller
from hub.proofs import caller_for

_SOL_LOCAL, _LOCAL_PEERCRED, _LOCAL_PEERPID = 0, 0x001, 0x002
_XUCRED = "=IIh2x16I"


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """A process on this machine, as it was when it connected."""

    pid: int
    uid: int


def peer_of(connection: socket.socket) -> Peer:
    """The process that connected. Raises OSError where the kernel cannot say."""
    if sys.platform == "darwin":
        credentials = connection.getsockopt(_SOL_LOCAL, _LOCAL_PEERCRED, struct.calcsize(_XUCRED))
        uid = struct.unpack_from("=II", credentials)[1]
        pid = struct.unpack("=i", connection.getsockopt(_SOL_LOCAL, _LOCAL_PEERPID, 4))[0]
        return Peer(pid=pid, uid=uid)
    size = struct.calcsize("3i")
    pid, uid, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
    return Peer(pid=pid, uid=uid)


async def caller_at(
    peer: Peer, *, world: World, data: Path, from_run: Callable[[int], bool] = descends_from_run
) -> Caller:
    """Who the peer is. Raises Unproven (`unknown_os_user`), Forbidden (`root_person`, `from_run`)."""
    principal = principal_at(peer.uid, world=world, data=data)
    if await asyncio.to_thread(from_run, peer.pid):
        raise Forbidden("from_run", "a command that the hub started may not speak through the control socket")
    return caller_for(principal, assurance=Assurance.CHAT, proof=f"socket:{peer.pid}:{peer.uid}")


def principal_at(uid: int, *, world: World, data: Path) -> Principal:
    """The person of that user of this machine, or the operator."""
    user = _user_name(uid)
    mapped = [person for person in world.people if user is not None and person.os_user == user]
    if mapped and uid == 0:
        raise Forbidden("root_person", f"root is everybody here; give {mapped[0].id} an os_user of their own")
    if len(mapped) > 1:
        raise Forbidden("ambiguous_os_user", f"several people have the os_user {user}; it can belong to one")
    if mapped:
        return mapped[0]
    if data.stat().st_uid == uid:
        return OPERATOR
    raise Unproven("unknown_os_user", f"nobody in hub.yaml has the os_user {user or uid}")


def _user_name(uid: int) -> str | None:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return None


def is_unix(family: int) -> bool:
    """Whether a socket's family is that of the control socket."""
    return family == getattr(socket, "AF_UNIX", None) and os.name == "posix"

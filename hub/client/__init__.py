"""The client of an Interlock hub: ask and wait, hold leases, gate functions. Needs httpx and nothing of the hub's.

from hub.client import Client

with Client() as client, client.lease("env:prod", wait=60) as lease:
    deploy(fence=lease.token)
"""

from hub.client.aclient import AsyncClient
from hub.client.aleasing import AsyncLease
from hub.client.approval import Approval, Reply
from hub.client.client import Client
from hub.client.errors import (
    Changed,
    Deadlock,
    Expired,
    Failed,
    Held,
    InterlockError,
    LeaseLost,
    NotCompleted,
    OutcomeUnknown,
    Refused,
    Rejected,
    SentBack,
    TimedOut,
    Unreachable,
    WaitOver,
)
from hub.client.gating import gate
from hub.client.lease import Lease

__all__ = [
    "Client",
    "AsyncClient",
    "gate",
    "Approval",
    "Reply",
    "Lease",
    "AsyncLease",
    "InterlockError",
    "Unreachable",
    "Refused",
    "Held",
    "Deadlock",
    "WaitOver",
    "LeaseLost",
    "TimedOut",
    "NotCompleted",
    "Rejected",
    "Expired",
    "SentBack",
    "Failed",
    "OutcomeUnknown",
    "Changed",
]

"""The first word with a scheduler: whether it is there, whether both sides are who they say, and whether
they are of one version. Whatever is wrong is said before Dask gets to wait for it.
"""

from __future__ import annotations

import re
import socket
import ssl
from dataclasses import dataclass
from typing import Any

from distributed import rpc

from xpiler.errors import Refusal
from xpiler.tuning.device import Device
from xpiler.tuning.fleet.certificates import Bundle, Role, role_of
from xpiler.tuning.fleet.messages import mismatch_with, own_version

_PATIENCE = 10.0  # seconds to wait for a connection
_RENEW = "use a bundle that this scheduler's machine made: xpiler certificate ROLE NAME -o FILE"


@dataclass(frozen=True)
class Seen:
    """A worker as the scheduler knows it. `tasks`: that it has or is to do."""

    address: str
    host: str
    device: Device
    tasks: int


@dataclass(frozen=True)
class Fleet:
    """All workers of a scheduler; `holder` is the address of the one that has the task asked about."""

    workers: tuple[Seen, ...]
    tuners: int
    holder: str = ""


def place_of(address: str) -> tuple[str, int]:
    """Host and port of `tls://HOST:PORT`. Raises Refusal for what is no such address."""
    found = re.fullmatch(r"tls://(\[[0-9a-fA-F:.]+\]|[^\s:/\[\]]+)(?::(\d{1,5}))?/?", address.strip())
    port = int(found[2] or 8786) if found else 0
    if found is None or not 0 < port < 65536:
        raise Refusal(
            "fleet-address", f"{address} is no scheduler's address", remedy="--scheduler tls://HOST:8786"
        )
    return found[1].strip("[]"), port


def greet(address: str, bundle: Bundle) -> None:
    """Connects once and hangs up. Raises Refusal if nobody is there, or one side refuses the other's
    certificate."""
    host, port = place_of(address)
    context = bundle.security().get_connection_args("client")["ssl_context"]
    try:
        with (
            socket.create_connection((host, port), timeout=_PATIENCE) as plain,
            context.wrap_socket(plain, server_hostname=host) as secure,
        ):
            peer = secure.getpeercert()
            # A server tells what it thinks of our certificate only after it has seen it.
            if not secure.recv(1):
                raise ConnectionResetError("it hung up")
    except ssl.SSLCertVerificationError as error:
        why = f"the certificate of {address} is refused: {error.verify_message}"
        raise Refusal("fleet-certificate", why, remedy=_RENEW) from error
    except ssl.SSLError as error:
        reason = (error.reason or str(error)).lower().replace("_", " ")
        why = f"{address} refuses the certificate in {bundle.file}: {reason}"
        raise Refusal("fleet-certificate", why, remedy=_RENEW) from error
    except ConnectionRefusedError as error:
        why = f"nothing listens at {address}"
        raise Refusal("fleet-unreachable", why, remedy="start it there: xpiler scheduler") from error
    except OSError as error:
        why = f"{address} cannot be reached: {error.strerror or error}"
        remedy = "is it the right host and port, and does a firewall let them through?"
        raise Refusal("fleet-unreachable", why, remedy=remedy) from error
    if role_of(peer) != "scheduler":
        who = role_of(peer) or "nobody"
        why = f"what answers at {address} has the certificate of a {who}, not of a scheduler"
        raise Refusal("fleet-certificate", why)


async def fleet_at(address: str, bundle: Bundle, role: Role = "client", key: str = "") -> Fleet:
    """What the scheduler has. Raises Refusal if it is of another version, or takes us for something else than
    `role`."""
    connection = bundle.security().get_connection_args("client")
    async with rpc(address, connection_args=connection, timeout=_PATIENCE) as scheduler:
        answer: dict[str, Any] = await getattr(scheduler, "xpiler-fleet")(key=key)
    differs = mismatch_with(answer["version"], answer["protocol"])
    if differs:
        raise Refusal(
            "fleet-version",
            f"{address} has {differs}, this is {own_version()}",
            remedy="install the same version on both; see docs/fleet.md, Upgrade",
        )
    if answer["role"] != role:
        why = f"{bundle.file} is a {answer['role']}'s bundle, not a {role}'s"
        raise Refusal("fleet-certificate", why, remedy=f"xpiler certificate {role} NAME -o FILE")
    workers = tuple(
        Seen(
            found["address"],
            found["host"],
            Device(found["device"]["kind"], found["device"]["name"], tuple(found["device"]["runs"])),
            found["tasks"],
        )
        for found in answer["workers"]
    )
    return Fleet(workers, answer["tuners"], answer["holder"])

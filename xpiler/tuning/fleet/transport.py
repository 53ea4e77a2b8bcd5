"""Dask's TLS connections, with a fault of Tornado's mended: whoever hangs up between the two handshakes, as a
scheduler does that is being ended or has just begun, makes it raise ValueError, which neither Dask nor we
take for a lost connection, so that a tuner or a worker ended instead of trying again.
"""

from __future__ import annotations

from typing import Any

from distributed.comm.core import Comm, CommClosedError
from distributed.comm.registry import backends
from distributed.comm.tcp import TLSBackend, TLSConnector

_HUNG_UP = "IOStream is not idle"  # tornado.iostream.IOStream.start_tls


class _Connector(TLSConnector):
    async def connect(self, address: str, deserialize: bool = True, **connection_args: Any) -> Comm:
        try:
            connected: Comm = await super().connect(address, deserialize, **connection_args)
        except ValueError as error:
            if _HUNG_UP not in str(error):
                raise
            raise CommClosedError(f"{address} hung up before it said who it is") from error
        return connected


class _Backend(TLSBackend):
    _connector_class = _Connector


def mend() -> None:
    """From now on connections of this process that are hung up on early are lost ones (an OSError)."""
    backends["tls"] = _Backend()

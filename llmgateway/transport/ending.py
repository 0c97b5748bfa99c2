"""How a connection ended: whether the other side vouches for it."""

from __future__ import annotations

import ssl


def has_close_notify(tls: ssl.SSLObject) -> bool:
    """Tell an end that the peer's TLS vouches for from a cut, when the loop reports an end.

    asyncio reports one for both, so TLS itself is asked. uvloop reports none for a cut: there the
    connection is lost without an end, which is as good. Without TLS a FIN is all there is, and
    anyone on the way can send one: then a body that only the connection's end ends may be short.
    """
    try:
        return not tls.read(1)
    except ssl.SSLZeroReturnError:
        return True
    except ssl.SSLError:
        return False

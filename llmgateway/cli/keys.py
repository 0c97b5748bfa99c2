"""Makes client keys: what callers of this gateway prove themselves with."""

from __future__ import annotations

from llmgateway.engine.client_keys import new_client_key
from llmgateway.settings import client_key_digest


def command(name: str) -> int:
    """Print a new key for `name`, and the line that the server needs; returns the exit code."""
    key = new_client_key()
    quoted = '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
    bare = name if name.replace("-", "").isalnum() else quoted
    print(f"For the caller (it is not kept anywhere and not shown again):\n  {key}\n")
    print("For the server's config file (the key cannot be found out from it):")
    print(f'  [client_keys]\n  {bare} = "{client_key_digest(key)}"')
    return 0

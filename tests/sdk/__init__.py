"""Unmodified SDKs in front of the gateway, over real sockets."""

"""Doors crossed: callers of one format in front of providers of another, through the gateway.

What a caller asks (`asks`), what the provider must be sent (`sent`), what it answers (`answers`)
and what the caller must be told (`told`) are tables by feature; `doors` knows each door's own ways.
"""

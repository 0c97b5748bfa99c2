"""Checks beyond the contract's."""

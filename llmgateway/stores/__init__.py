"""Keys and records: the protocols, and the stores in memory."""

from llmgateway.stores.base import KeyStore, Records, StoredKey
from llmgateway.stores.memory import MemoryKeyStore, MemoryRecords

__all__ = ["KeyStore", "MemoryKeyStore", "MemoryRecords", "Records", "StoredKey"]

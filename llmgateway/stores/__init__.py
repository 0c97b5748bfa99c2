"""Keys, documents and records: the protocols, and the stores in memory."""

from llmgateway.stores.base import Documents, KeyStore, Records, StoredKey
from llmgateway.stores.memory import MemoryDocuments, MemoryKeyStore, MemoryRecords

__all__ = [
    "Documents",
    "KeyStore",
    "MemoryDocuments",
    "MemoryKeyStore",
    "MemoryRecords",
    "Records",
    "StoredKey",
]

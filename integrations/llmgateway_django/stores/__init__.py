"""What the gateway keeps, in the project's own database."""

from llmgateway_django.stores.documents import DjangoDocuments
from llmgateway_django.stores.keys import DjangoKeyStore
from llmgateway_django.stores.records import DjangoRecords, log_id
from llmgateway_django.stores.telling import TellingRecords

__all__ = [
    "DjangoDocuments",
    "DjangoKeyStore",
    "DjangoRecords",
    "TellingRecords",
    "log_id",
]

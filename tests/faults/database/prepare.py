"""Makes the project's tables and keys: `python -m tests.faults.database.prepare NAME…`."""

from __future__ import annotations

import sys

import django
from django.core.management import call_command

django.setup()
call_command("migrate", verbosity=0)
for name in sys.argv[1:]:
    call_command("llmgateway_createkey", name)

"""`python -m llmgateway` is the command `llmgateway`."""

import sys

from llmgateway.cli import main

if __name__ == "__main__":
    sys.exit(main())

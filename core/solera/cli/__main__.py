"""``python -m solera.cli``: the same as ``solera``."""

import sys

from solera.cli.main import main

sys.exit(main())

"""``python -m interplay``, for launchers that start a module: ``torchrun --nproc-per-node 2 -m interplay train …``."""

from __future__ import annotations

import sys

from interplay.cli import main

if __name__ == "__main__":
    sys.exit(main())

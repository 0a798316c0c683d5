#!/usr/bin/env python3
"""The same as `cog-gateway check`, from a checkout as well."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from gateway.__main__ import main

if __name__ == "__main__":
    main(["check", *sys.argv[1:]])

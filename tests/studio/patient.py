"""A painter that waits for stores for as long as the tests do."""

import os
import sys

from gateway.studio import painter
from tests.patience import wait_for_stores

if __name__ == "__main__":
    wait_for_stores()
    painter.main(int(sys.argv[1]))
    os._exit(0)

"""A painter that waits for stores for as long as the tests do."""

import sys

from gateway.studio import forkserver
from tests.patience import wait_for_stores

if __name__ == "__main__":
    wait_for_stores()
    forkserver.main(*map(int, sys.argv[1:]))

"""GDAL's own validator in a process of the system's Python, which has it; paths come in, times go out.

Each line of the input is a JSON list, whether to check in full and the paths; the answer is a line with the seconds
and the CPU seconds that they took. It runs under another Python than the gateway, so it knows nothing but the
standard library and GDAL.
"""

from __future__ import annotations

import json
import sys
import time


def main() -> None:
    """Answer each list of paths until the input ends."""
    from osgeo import gdal  # noqa: PLC0415
    from osgeo_utils.samples.validate_cloud_optimized_geotiff import (  # noqa: PLC0415
        validate,
    )

    gdal.UseExceptions()
    print("ready", flush=True)
    for line in sys.stdin:
        full_check, paths = json.loads(line)
        began = time.perf_counter(), time.process_time()
        for path in paths:
            validate(path, full_check=full_check)
        print(time.perf_counter() - began[0], time.process_time() - began[1], flush=True)


if __name__ == "__main__":
    main()

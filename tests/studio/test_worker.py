"""What a worker does before its tasks."""

import subprocess
import sys

# In a process of its own: in this one everything is imported already.
SCRIPT = """
import sys, threading
from gateway.studio import worker
from gateway.studio.tasks import Task, colormaps

seen = []
worker.work_of = lambda name: lambda engine, *told: seen.append(
    getattr(sys.modules.get("rio_tiler.io"), "Reader", None) is not None
)
assert "rio_tiler" not in sys.modules
one = worker.Worker({}, worker.Limits())
threads = [threading.Thread(target=one.do, args=(colormaps(), ())) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(seen, {"xarray", "pandas", "pyarrow"} & {*sys.modules})
"""


def test_every_task_of_a_fresh_process_finds_rio_tiler_whole_and_no_library_that_reads_no_rasters():
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "[True, True, True, True] set()", done.stderr

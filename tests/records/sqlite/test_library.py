"""What comes into a process with sqlite_utils."""

import subprocess
import sys


def test_neither_pandas_nor_numpy_comes_with_the_library_and_both_can_be_imported_afterwards():
    told = "import sys; import gateway.records.sqlite; print({'pandas', 'numpy', 'pyarrow'} & {*sys.modules}); import numpy"
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"

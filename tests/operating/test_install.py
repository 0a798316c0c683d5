"""The operators' guide, run exactly as it is written: install, administration, rotation of keys, backup and restore.

It runs as root in mount, network and process namespaces of its own, so that nothing of it is left on the machine. What
stands in for others: `systemctl` (systemctl.py), and the making of the virtual environment, which a test of the
package tries with its wheel.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.rasters import write_cog

ROOT = Path(__file__).parent.parent.parent
GUIDE = ROOT / "docs" / "operating"
# What the guide writes below is seen in the namespace alone.
OVERLAID = ("/etc", "/opt", "/var/lib", "/var/backups", "/usr/local/bin", "/srv")
NAMESPACES = (
    "unshare",
    "--mount",
    "--net",
    "--pid",
    "--fork",
    "--kill-child",
    "--mount-proc",
    "--propagation",
    "private",
)


def blocks(page):
    """Return the shell lines of a page, block by block."""
    return re.findall(r"```sh\n(.*?)```", (GUIDE / page).read_text(), re.DOTALL)


def closed_above(path):
    """Return the first folder above a path that other users may not enter, or None."""
    for folder in reversed(Path(path).parents):
        if not folder.stat().st_mode & 0o001:
            return folder
    return None


def prelude(tmp_path, rasters):
    """Return the lines that make the namespace: folders that may be written, and a Python that others may enter."""
    shown = sorted({str(ROOT), sys.prefix, sys.base_prefix})
    hidden = sorted({str(folder) for path in shown if (folder := closed_above(path))})
    lines = ["set -eu", f"T={tmp_path}/space", "mkdir $T", "mount -t tmpfs tmpfs $T"]
    for number, path in enumerate(shown):
        lines += [f"mkdir $T/{number}", f"mount --rbind {path} $T/{number}"]
    lines += [f"mount -t tmpfs -o mode=755 tmpfs {folder}" for folder in hidden]
    for number, path in enumerate(shown):
        if closed_above(path):
            lines += [f"mkdir -p {path}", f"mount --rbind $T/{number} {path}"]
    for folder in OVERLAID:
        over = f"lowerdir={folder},upperdir=$T/up{folder},workdir=$T/work{folder}"
        lines += [f"mkdir -p $T/up{folder} $T/work{folder}", f"mount -t overlay overlay -o {over} {folder}"]
    lines += ["mkdir -p /srv/rasters", f"cp {rasters}/* /srv/rasters/", "chmod -R a+rX /srv/rasters"]
    # The loopback of a new network namespace is down: SIOCSIFFLAGS with IFF_UP (netdevice(7)).
    up = 'import fcntl, socket, struct; fcntl.ioctl(socket.socket(), 0x8914, struct.pack("16sh14x", b"lo", 1))'
    lines += [f"{sys.executable} -c '{up}'", f"export PATH={tmp_path}/bin:/usr/sbin:$PATH", f"cd {ROOT}"]
    return "\n".join(lines)


def stand_ins(folder):
    """Write the programs that stand in for others."""
    folder.mkdir()
    python = shlex.quote(sys.executable)
    installed = f'#!/bin/sh\nexec env PYTHONPATH={ROOT} {python} -m gateway "$@"\n'
    made = f"""#!/bin/sh
if [ "$1 $2" = "-m venv" ]; then
    mkdir -p "$3/bin"
    printf %s {shlex.quote(installed)} > "$3/bin/cog-gateway"
    printf '#!/bin/sh\\n[ "$1" = install ] && [ -f "$2/setup.py" ]\\n' > "$3/bin/pip"
    chmod 0755 "$3"/bin/*
else
    exec {python} "$@"
fi
"""
    control = f'#!/bin/sh\nexec {python} {Path(__file__).with_name("systemctl.py")} "$@"\n'
    for name, text in (("python3", made), ("systemctl", control)):
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)


STATUS = """
status() {
    curl -s -o /dev/null -w '%{http_code}' -H "Authorization: Bearer $1" http://127.0.0.1:8080/api/datasets
}
"""


def can_run():
    if os.geteuid() != 0 or not all(map(shutil.which, ("unshare", "useradd", "runuser", "curl"))):
        return False
    return subprocess.run([*NAMESPACES, "true"], capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not can_run(), reason="needs root, namespaces and useradd")
def test_the_guide_works_as_it_is_written(tmp_path):
    rasters = tmp_path / "rasters"
    rasters.mkdir()
    write_cog(rasters / "a.tif")
    stand_ins(tmp_path / "bin")
    rotate, settle, *_ = blocks("keys.md")
    backup, restore, recheck = blocks("backup.md")
    script = "\n".join(
        (
            prelude(tmp_path, rasters), STATUS, *blocks("README.md"),
            '[ "$(stat -c "%a %U %G" /etc/cog-gateway/secret-keys)" = "640 root cog-gateway" ]',
            "[ ! -e /var/lib/cog-gateway/secret.key ]",
            "A=$(cog-gateway-admin token --sub ana --role admin)", 'echo "first: $(status "$A")"',
            rotate, 'B=$(cog-gateway-admin token --sub ana)', 'echo "rotated: $(status "$A") $(status "$B")"',
            settle, 'echo "settled: $(status "$A") $(status "$B")"',
            "systemctl start cog-gateway-recheck", "systemctl start cog-gateway-backup", backup,
            "cog-gateway-admin datasets remove --yes $(cog-gateway-admin datasets list --json | cut -c 9-44)",
            'echo "removed: $(cog-gateway-admin datasets list --json | wc -l)"',
            restore, recheck, 'echo "restored: $(cog-gateway-admin datasets list --json | wc -l)"',
            "systemctl stop cog-gateway",
        )
    )  # fmt: skip
    (tmp_path / "guide.sh").write_text(script)
    done = subprocess.run(
        [*NAMESPACES, "sh", tmp_path / "guide.sh"], capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    told = dict(line.split(": ") for line in done.stdout.splitlines() if re.match("[a-z]+: [0-9 ]+$", line))
    assert told == {
        "first": "200", "rotated": "200 200", "settled": "401 200", "removed": "0", "restored": "1",
    }, done.stdout + done.stderr  # fmt: skip

"""`backup`: the catalogue and the audit as one file, as of one moment, while the server runs."""

from __future__ import annotations

from pathlib import Path

import click

from gateway.cli.administration import records_of
from gateway.cli.newfile import new_file
from gateway.cli.shared import as_json, print_json, printable
from gateway.errors import SettingsError
from gateway.model import AuditRow


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@as_json
@click.pass_context
def backup(context: click.Context, /, file: Path, as_json: bool) -> None:
    """Copy the catalogue and the audit into a new FILE.

    The copy is whole and as of one moment; the server may run and write meanwhile. Keys and rasters are not in it:
    keep secret.key of the state folder as well, or the keys of the settings. To restore, stop the server, put FILE
    in the place of gateway.db, and take gateway.db-wal and gateway.db-shm away.
    """
    with records_of(context, write=True) as records:
        try:
            with new_file(file) as temporary:
                records.copy_to(temporary)
        except OSError as error:
            reason = (error.strerror or type(error).__name__).lower()
            raise SettingsError(f"the backup {file} cannot be written: {reason}") from error
        records.append_audit([AuditRow("catalogue.copied", detail={"file": file.name})])
    size_bytes = file.stat().st_size
    if as_json:
        print_json({"file": str(file), "size_bytes": size_bytes})
    else:
        click.echo(printable(f"{size_bytes} bytes in {file}"))

"""The command line: `cog-gateway`, which is the same as `python -m gateway`."""

from __future__ import annotations

import errno
import importlib
import logging
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from gateway import __version__
from gateway.cli.completion import files
from gateway.errors import GatewayError

EXIT_USAGE = 2
# 128 + SIGINT, as shells count it.
EXIT_INTERRUPTED = 130
# The standard streams by number, and how a closed one is opened: what is written to stdout must fail.
STREAMS = (("stdin", "r", os.O_RDONLY), ("stdout", "w", os.O_RDONLY), ("stderr", "w", os.O_WRONLY))


@dataclass(frozen=True, slots=True)
class Shelved:
    """A command that is imported only when it runs: "module:attribute", and its line in the help."""

    target: str
    help: str


COMMANDS: dict[str, Shelved] = {
    "demo": Shelved("gateway.cli.demo:demo", "Serve the sample rasters from a fresh, temporary state."),
    "serve": Shelved("gateway.cli.serve:serve", "Run the server."),
    "ingest": Shelved("gateway.cli.ingest:ingest", "Register true COGs as datasets; refuse the rest and say why."),
    "check": Shelved("gateway.cli.check:check", "Say whether files are true COGs; no catalogue needed."),
    "token": Shelved("gateway.cli.token:token", "Print a bearer token."),
    "datasets": Shelved("gateway.cli.datasets:datasets", "List, show, judge again, update or remove datasets."),
    "collections": Shelved(
        "gateway.cli.collections:collections", "List, show, create, update, remove or export collections of datasets."
    ),
    "grants": Shelved("gateway.cli.grants:grants", "Let users and roles have private datasets."),
    "users": Shelved("gateway.cli.users:users", "Disable and enable users."),
    "login": Shelved("gateway.cli.login:login", "Sign in to a gateway, for commands that take files from it."),
    "fetch": Shelved("gateway.cli.fetch:fetch", "Fetch files of a gateway, one or many, whole and compared."),
    "tokens": Shelved("gateway.cli.tokens:tokens", "List, create and revoke users' own tokens."),
    "links": Shelved("gateway.cli.links:links", "List, create and revoke links to share."),
    "backup": Shelved("gateway.cli.backup:backup", "Copy the catalogue and the audit while the server runs."),
    "migrate": Shelved("gateway.cli.migrate:migrate", "Bring the tables up to date, or copy the records elsewhere."),
    "audit": Shelved("gateway.cli.audit:audit", "Read and export the audit."),
    "completion": Shelved("gateway.cli.completion:completion", "Print what lets a shell complete these commands."),
}


class OneLine(click.ClickException):
    """An error of the gateway as the command line tells it: one line on stderr, exit 2."""

    exit_code = EXIT_USAGE

    def __init__(self, error: GatewayError) -> None:
        super().__init__(" ".join(error.told.split()))


class LazyGroup(click.Group):
    """A group whose commands are imported when they are asked for, so that help stays quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of the shelf."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command, imported now, or None where there is none of that name."""
        if cmd_name not in COMMANDS:
            if cmd_name.startswith("-"):
                return None
            raise click.NoSuchCommand(cmd_name, possibilities=COMMANDS, ctx=ctx)
        module, _, attribute = COMMANDS[cmd_name].target.partition(":")
        command = getattr(importlib.import_module(module), attribute)
        if not isinstance(command, click.Command):
            raise TypeError(f"{COMMANDS[cmd_name].target} is no command")
        take_config(command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands from the shelf alone; nothing is imported for it."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, shelved.help) for name, shelved in COMMANDS.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Return the commands that begin so, from the shelf alone, or the options."""
        if incomplete.startswith("-"):
            return click.Command.shell_complete(self, ctx, incomplete)
        return [CompletionItem(name, help=COMMANDS[name].help) for name in COMMANDS if name.startswith(incomplete)]

    def invoke(self, ctx: click.Context) -> Any:
        """Return what the command returns; errors of the gateway end in one line, Ctrl-C in silence."""
        try:
            return super().invoke(ctx)
        except GatewayError as error:
            raise printably(OneLine(error)) from error
        except click.ClickException as error:
            printably(error)
            raise
        except KeyboardInterrupt:
            ctx.exit(EXIT_INTERRUPTED)
        except OSError as error:
            # Click ends quietly by itself when a reader closes the pipe; what is left is a disk that is full.
            if error.errno == errno.EPIPE:
                raise
            raise given_up(error) from error


def given_up(error: OSError) -> click.ClickException:
    """Return what the command line tells of a failure that ends it: what failed and, where there is one, its file."""
    if error.filename is None:
        # A write: this takes what is still in the buffer and cannot be written any more.
        sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115
    named = f": {os.fsdecode(error.filename)}" if isinstance(error.filename, str | bytes) else ""
    return printably(OneLine(GatewayError(f"cannot go on: {error.strerror or type(error).__name__}{named}")))


def printably(error: click.ClickException) -> click.ClickException:
    """Return the error with control characters in its message escaped: names of files and folders stand in it."""
    from gateway.cli.shared import printable  # noqa: PLC0415 - help stays quick

    # Click declares the attribute final, for those who only read it.
    vars(error)["message"] = "\n".join(printable(line) for line in error.message.split("\n"))
    return error


def take_config(command: click.Command) -> None:
    """Let a command, and those below it, take --config as well as what stands before it."""
    if isinstance(command, click.Group):
        for below in command.commands.values():
            take_config(below)
    elif all(param.name != "config" for param in command.params):
        command.params.append(
            click.Option(
                ["--config"],
                metavar="FILE",
                help="TOML file with settings.",
                expose_value=False,
                callback=keep_config,
                shell_complete=files,
            )
        )


def keep_config(context: click.Context, _: click.Parameter, value: str | None) -> None:
    """Keep the name of the settings file where every command looks for it."""
    if value is not None:
        context.find_root().obj = value


@click.group("cog-gateway", cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--config", metavar="FILE", shell_complete=files,
              help="TOML file with settings; GATEWAY_CONFIG names it as well.")  # fmt: skip
@click.version_option(__version__, prog_name="cog-gateway")
@click.pass_context
def cli(context: click.Context, config: str | None) -> None:
    """Hand out true Cloud-Optimized GeoTIFFs: exact HTTP, access rules and a durable audit."""
    context.obj = config
    # Commands tell what went wrong in one line; without a handler, logging would print tracebacks as well.
    logging.getLogger("gateway").addHandler(logging.NullHandler())


def open_streams() -> None:
    """Return when no standard stream is closed; no file that is opened later may get the number of one.

    What is written to a stdout that was closed (`>&-`) fails like a full disk's. A closed stderr hears nothing.
    """
    for number, (name, mode, flags) in enumerate(STREAMS):
        try:
            os.fstat(number)
        except OSError:
            # The lowest number that is free: this one.
            os.open(os.devnull, flags)
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and end the process with its exit code; `arguments` default to the process's own."""
    open_streams()
    try:
        cli.main(None if arguments is None else list(arguments), prog_name="cog-gateway")
    except OSError as error:
        # Help is written before any command is invoked.
        told = given_up(error)
        told.show()
        sys.exit(told.exit_code)


if __name__ == "__main__":
    main()

"""`completion`: what lets a shell complete the commands, their options and the names of files."""

from __future__ import annotations

import click
from click.shell_completion import CompletionItem, get_completion_class

PROGRAM = "cog-gateway"
# The variable by which the command line knows that a shell asks; click makes it of the program's name.
VARIABLE = "_COG_GATEWAY_COMPLETE"


def files(_: click.Context, __: click.Parameter, begun: str) -> list[CompletionItem]:
    """Return that a shell's own names of files and folders stand here; for arguments and options that take them."""
    return [CompletionItem(begun, type="file")]


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, /, shell: str) -> None:
    """Print what lets a shell complete these commands.

    For bash: eval "$(cog-gateway completion bash)" in ~/.bashrc.

    For zsh: eval "$(cog-gateway completion zsh)" in ~/.zshrc.

    For fish: cog-gateway completion fish > ~/.config/fish/completions/cog-gateway.fish
    """
    found = get_completion_class(shell)
    if found is None:
        raise click.UsageError(f"there is no completion for {shell}", context)
    click.echo(found(context.find_root().command, {}, PROGRAM, VARIABLE).source())

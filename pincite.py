"""The `pincite` command. Subcommands are imported from their packages when they are used."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module

import click

from index.cli.printing import printable
from index.errors import BadStore, OnlyInFolder, PinciteError
from service.errors import BadSetting, OpenToOthers, RequestError

PROGRAM = (sys.executable, "-m", "pincite")
USAGE_ERRORS = (RequestError, BadSetting, OpenToOthers, BadStore, OnlyInFolder)
COMMANDS = {
    "build": "index.cli.documents",
    "serve": "service.cli.serve",
    "ask": "service.cli.ask",
    "list": "index.cli.documents",
    "delete": "index.cli.documents",
    "check": "index.cli.maintenance",
    "backup": "index.cli.maintenance",
    "restore": "index.cli.maintenance",
    "collections": "index.cli.collections",
    "keys": "service.cli.keys",
    "eval": "eval.cli.commands",
    "compare": "eval.cli.commands",
    "calibrate": "eval.training.calibrate",
}


class Commands(click.Group):
    """Finds the command NAME as `NAME_command` in its module."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's own name, for its keyword
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = getattr(import_module(COMMANDS[cmd_name]), f"{cmd_name}_command")
        return command


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="pincite", message="%(package)s %(version)s")
def pincite() -> None:
    """Answer questions with verbatim quotations from your own documents."""


def run(arguments: Sequence[str] | None = None) -> int:
    """Run a command. The exit status is 0, 1 on failure, 2 for wrong usage, 130 after Ctrl-C."""
    try:
        status = pincite.main(arguments, prog_name="pincite", standalone_mode=False, obj=PROGRAM)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except PinciteError as error:
        click.echo(f"pincite: {printable(str(error))}", err=True)
        return 2 if isinstance(error, USAGE_ERRORS) else 1
    except ModuleNotFoundError as error:
        click.echo(
            f"pincite: the package {error.name} is not installed. To evaluate, install Pincite with [eval]; "
            "to calibrate a reader, with [train].",
            err=True,
        )
        return 1
    except (click.Abort, KeyboardInterrupt):
        return 130
    except BrokenPipeError:
        sys.stderr.close()  # the output pipe was closed; Python would fail when it flushes
        return 1
    return status if isinstance(status, int) else 0


def main() -> None:
    sys.exit(run())


if __name__ == "__main__":
    main()

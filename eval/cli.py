"""The `pincite` command, assembled from the commands of every package."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from eval.calibrate import calibrate_command
from eval.commands import compare_command, eval_command
from index.care import backup_command, check_command, collections_command, restore_command
from index.cli import build_command, delete_command, list_command, printable
from index.errors import BadStore, OnlyInFolder, PinciteError
from service.asking import ask_command
from service.cli import serve_command
from service.errors import BadSetting, OpenToOthers, RequestError
from service.issuing import keys_command

if TYPE_CHECKING:
    from index.config import IndexConfig
    from index.types import Encoder

PROGRAM = (sys.executable, "-m", "eval.cli")
USAGE_ERRORS = (RequestError, BadSetting, OpenToOthers, BadStore, OnlyInFolder)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def pincite() -> None:
    """Answers to questions, quoted word for word from your own documents."""


def config_of(encoder: Encoder) -> IndexConfig:
    """The configuration of a new collection. What knows about it is imported when it is wanted."""
    from prompts import prefixes

    return prefixes.config_of(encoder)


COMMANDS = (
    build_command(config_of),
    serve_command,
    ask_command,
    list_command,
    delete_command,
    check_command,
    backup_command,
    restore_command,
    collections_command(config_of),
    keys_command,
    eval_command,
    compare_command,
    calibrate_command,
)
for command in COMMANDS:
    pincite.add_command(command)


def run(arguments: Sequence[str] | None = None) -> int:
    """Run a command; the exit status: 0, 1 where it failed, 2 where it was called wrongly, 130 after Ctrl-C."""
    try:
        status = pincite.main(arguments, prog_name="pincite", standalone_mode=False, obj=PROGRAM)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except PinciteError as error:
        click.echo(f"pincite: {printable(str(error))}", err=True)
        return 2 if isinstance(error, USAGE_ERRORS) else 1
    except (click.Abort, KeyboardInterrupt):
        return 130
    except BrokenPipeError:
        sys.stderr.close()  # whoever read the output has stopped; Python would complain when it flushes
        return 1
    return status if isinstance(status, int) else 0


def main() -> None:
    sys.exit(run())


if __name__ == "__main__":
    main()

"""The `pincite` command, assembled from the commands of every package."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

from eval.cli.commands import compare_command, eval_command
from eval.training.calibrate import calibrate_command
from index.cli.documents import build_command, delete_command, list_command, printable
from index.cli.maintenance import backup_command, check_command, collections_command, restore_command
from index.errors import BadStore, OnlyInFolder, PinciteError
from service.cli.ask import ask_command
from service.cli.keys import keys_command
from service.cli.serve import serve_command
from service.errors import BadSetting, OpenToOthers, RequestError

PROGRAM = (sys.executable, "-m", "pincite")
USAGE_ERRORS = (RequestError, BadSetting, OpenToOthers, BadStore, OnlyInFolder)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def pincite() -> None:
    """Answers to questions, quoted word for word from your own documents."""


COMMANDS = (
    build_command,
    serve_command,
    ask_command,
    list_command,
    delete_command,
    check_command,
    backup_command,
    restore_command,
    collections_command,
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

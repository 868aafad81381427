"""`ivn-provision`: the command group. Commands are imported when they run, so that `--help` is fast."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping
from typing import NoReturn

import click

from ivn_provision import __version__
from ivn_provision.errors import IvnError, SpecError

COMMANDS: Mapping[str, tuple[str, str]] = {
    "validate": ("validate", "Check site files and report every problem with its place."),
    "explain": ("explain", "Show where a value of a site comes from."),
    "sites": ("sites", "List the sites that a selection means."),
    "plan": ("plan", "Show what apply would change on a site's live systems."),
    "apply": ("apply", "Make the live systems as declared, and prove it."),
    "resume": ("resume", "Finish or revert a run that broke off."),
    "confirm": ("confirm", "Keep what a run left pending."),
    "status": ("status", "Show who holds a site, and what is pending there."),
    "history": ("history", "Show past runs: who changed what, when, from which revision."),
    "play": ("play", "Do what a playbook says: steps in waves, with gates between them."),
    "rollback": ("rollback", "Plan and apply the way back to an earlier state of a site."),
    "check": ("check", "Check everything that can be seen of a site without firing an alarm."),
    "verify": ("verify", "Fire every pin in a test window, and watch the alarms arrive."),
    "drift": ("drift", "Find differences without being able to write (exit 2 if there are any)."),
    "audit": ("audit", "Report how every site of a fleet stands, since when, and how bad it is."),
    "runbook": ("runbook", "Make a checklist of what a person has to do on a site."),
    "adopt": ("adopt", "Show what cameras have now as a section of a site file."),
    "capabilities": (
        "capabilities",
        "Show what can be read and written on a site's recorder, and how we know.",
    ),
    "worker": ("worker", "Take sites from `apply --runner durable`, on this host."),
    "show": ("show", "Show a plan that was written to a file."),
    "learn": ("learn", "Find out how a recorder keeps its settings, by changes that a person makes."),
    "lab": ("lab", "Run the embedded lab: recorders, portal and mail on loopback."),
}
EPILOG = "Exit codes: 0 done, 1 error, 2 differences, 3 partly applied, 4 a person is needed, 64 usage."


class LazyGroup(click.Group):
    """Knows its commands by name and imports the one that is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"ivn_provision.cli.{COMMANDS[cmd_name][0]}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands, without importing them."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            import difflib

            close = difflib.get_close_matches(args[0], COMMANDS, n=1)
            hint = f" Did you mean {close[0]!r}?" if close else ""
            raise click.UsageError(f"No such command {args[0]!r}.{hint}", ctx)
        return super().resolve_command(ctx, args)


@click.group(cls=LazyGroup, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="ivn-provision")
def cli() -> None:
    """Validate, plan and apply declarative sites: XProtect recorders and the I-View Now portal."""


def main() -> NoReturn:
    """Entry point: every error of ours becomes its own text and exit code."""
    try:
        code = cli.main(standalone_mode=False)
    except click.exceptions.Exit as stop:
        code = stop.exit_code
    except click.Abort:
        click.echo("Interrupted. What was written before stays: look with `ivn-provision drift`.", err=True)
        code = 130
    except click.ClickException as error:
        error.show()
        code = 64 if isinstance(error, click.UsageError) else 1
    except IvnError as error:
        show_error(error)
        code = error.exit_code
    except OSError as error:
        problem = IvnError(
            f"the output cannot be written: {error.strerror}",
            next_step="what the command did on live systems is done: look with `ivn-provision drift`",
        )
        show_error(problem)
        code = problem.exit_code
    sys.exit(code if isinstance(code, int) else 0)


def show_error(error: IvnError) -> None:
    """Write an error to stderr, with the diagnostics that it carries."""
    from ivn_provision.cli.shared import echo, paint
    from ivn_provision.report.errors_text import render_error

    if isinstance(error, SpecError) and error.diagnostics:
        from ivn_provision.cli.shared import render_diagnostics

        echo(render_diagnostics(error.diagnostics), err=True)
    echo(render_error(error, paint(err=True)), err=True)


if __name__ == "__main__":
    main()

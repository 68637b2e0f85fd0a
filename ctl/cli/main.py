"""msxfctl on the command line: the table of its commands, and the one place where an error becomes words and an exit status."""

import sys
from collections.abc import Sequence
from itertools import pairwise

import click

from ctl.cli.asked import Asked
from ctl.cli.show import Screen
from ctl.cli.verb import Entry, LazyGroup, everywhere
from ctl.errors import CtlError

INTERRUPTED = 130
SECTIONS = {
    "Every day": {
        "build": Entry("ctl.cli.release:build", "Pack an artifact of a service."),
        "plan": Entry("ctl.cli.release:plan", "Say what a deploy would do, step by step."),
        "deploy": Entry("ctl.cli.release:deploy", "Roll out a version and wait for the end."),
        "rollback": Entry("ctl.cli.release:rollback", "Go back to the last good release."),
        "pause": Entry("ctl.cli.steer:pause", "Hold a rollout where it is."),
        "resume": Entry("ctl.cli.steer:resume", "Let a paused rollout go on."),
        "promote": Entry("ctl.cli.steer:promote", "Pass the gate at which a rollout stands."),
        "abort": Entry("ctl.cli.steer:abort", "Take a rollout back."),
        "scale": Entry("ctl.cli.steer:scale", "Set how many instances a service should have."),
    },
    "Look": {
        "status": Entry("ctl.cli.service:status", "What needs you first, then what moves."),
        "services": Entry("ctl.cli.service:services", "The services, and how each is."),
        "show": Entry("ctl.cli.service:show", "Everything about one service."),
        "history": Entry("ctl.cli.record:history", "The rollouts of a service."),
        "logs": Entry("ctl.cli.record:logs", "What the instances of a service wrote."),
        "events": Entry("ctl.cli.record:events", "What happened last, and what happens next."),
    },
    "The rest": {
        "up": Entry("ctl.cli.daemon:up", "Start the daemon in the background."),
        "down": Entry("ctl.cli.daemon:down", "Stop the daemon and everything it runs."),
        "daemon": Entry("ctl.cli.daemon:daemon", "Run the daemon in the foreground."),
        "catalog": Entry("ctl.cli.catalog:group", "The services as they are declared."),
        "artifact": Entry("ctl.cli.artifact:group", "What has been built."),
        "journal": Entry("ctl.cli.journal:group", "The record of everything, and its proof."),
        "token": Entry("ctl.cli.access:group", "Access over the network."),
        "doctor": Entry("ctl.cli.about:doctor", "Is everything in order?"),
        "completion": Entry("ctl.cli.about:completion", "Complete commands and names in your shell."),
        "version": Entry("ctl.cli.about:version", "The version of msxfctl."),
    },
}
STATUSES = "Status: 0 ok, 1 failed, 2 bad input, 3 refused, 4 not found, 5 out of reach, 6 partly failed, 7 not over in time, 9 waits for a person, 130 ^C."


cli = LazyGroup("msxfctl", help="Release services, and see how they are.", sections=SECTIONS, params=everywhere(environment=True), epilog=STATUSES)


class NotUnderstood(CtlError):
    """The command line itself makes no sense."""

    exit_code, code = 2, "usage"


def run(args: Sequence[str], asked: Asked | None = None) -> int:
    """Do what the command line says and return the exit status."""
    asked = asked or Asked()
    try:
        result = cli.main(list(args), prog_name="msxfctl", standalone_mode=False, obj=asked)
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except click.ClickException as error:
        return _tell(_usage(error, asked, args), asked)
    except CtlError as error:
        return _tell(error, asked)
    except Exception as error:  # a defect of ours: people get one line and a way to see more, not a stack trace
        found = "this is a defect in msxfctl, not in what you asked for"
        return _tell(CtlError(f"{type(error).__name__}: {error}", found=found, remedy="the same with -v shows where"), asked)
    return result if isinstance(result, int) else 0


def _usage(error: click.ClickException, asked: Asked, args: Sequence[str]) -> CtlError:
    """Turn a command line that was not understood into an error; -o may stand behind the mistake, unread."""
    if asked.output == "text":
        asked.output = _wished(args)
    said, ctx = error.format_message().rstrip("."), getattr(error, "ctx", None)
    return NotUnderstood(said[:1].lower() + said[1:], remedy=f"{ctx.command_path if ctx else 'msxfctl'} --help")


def _wished(args: Sequence[str]) -> str:
    for shape in ("json", "yaml"):
        if {f"-o{shape}", f"--output={shape}"} & set(args) or {("-o", shape), ("--output", shape)} & set(pairwise(args)):
            return shape
    return "text"


def _tell(error: CtlError, asked: Asked) -> int:
    """Say on standard error what went wrong, for people or for programs, and return the exit status. Called while the error is handled."""
    from ctl.cli.screens import errors

    screen = Screen(asked)
    if asked.verbose:
        import traceback

        screen.say(traceback.format_exc().rstrip())
    if asked.output == "text":
        screen.say(*errors.lines(error, screen.beside()))
    else:
        screen.fail("error/1", errors.document(error))
    return error.exit_code


def main() -> int:
    """The installed command."""
    return run(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())

"""Carry out a whole reproduction, and write down what it came to."""

import sysconfig
from dataclasses import replace
from pathlib import Path

from tallystick import __version__
from tallystick.envs.hardware import hardware
from tallystick.envs.host import host
from tallystick.records.verdict import Verdict, worst
from tallystick.reproduction.attempt import Attempt, Trial, attempt
from tallystick.reproduction.isolation import isolated
from tallystick.reproduction.preflight import unlike_here
from tallystick.runs.receipts import NO_PYTHON
from tallystick.runs.recording import plain_line


def carry_out(trial: Trial, keep: Path | None = None) -> Attempt:
    """Repeat a past in a worktree of its own, having said in what this machine is another one.

    With `keep` the worktree's files stay there.
    """
    past, say = trial.past, trial.progress.say
    unlike = dict.fromkeys(line for each in past.recorded.values() for line in unlike_here(each.receipt))
    for line in unlike:
        say(f"not as recorded: {line}")
    with isolated(trial.project, past.treeish, keep) as inner:
        made = attempt(trial, inner)
    return replace(made, unlike=(*unlike, *made.unlike))


def verdict_of(trial: Trial, made: Attempt, started: str) -> Verdict:
    """An attempt as the record that is kept of it."""
    around, found = made.around, trial.past
    return Verdict(
        outcome=worst(each.outcome for each in made.stages),
        target=found.target,
        commit=found.commit,
        stages=made.stages,
        started=started,
        python=NO_PYTHON if around is None else around.python,
        platform=sysconfig.get_platform() if around is None else around.platform,
        environment=None if around is None else around.environment,
        tool=f"tally {__version__}",
        author=trial.project.git.author(),
        host=host(),
        hardware=hardware(),
        enforced=made.enforced,
        unlike=made.unlike,
        repetitions=trial.manner.repetitions,
        spread=made.spread,
        notes=tuple(map(plain_line, made.notes)),
    )

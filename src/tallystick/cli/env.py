"""tally env."""

import os
from collections.abc import Iterator, Sequence

import click

from tallystick.cli import render
from tallystick.cli.complete import complete_stages
from tallystick.cli.context import Context, context
from tallystick.cli.options import own_folder, trust_option
from tallystick.cli.prompt import with_grant
from tallystick.cli.text import count_text, seconds_text, size_text, style, table
from tallystick.flows.env_build import Built, env_build
from tallystick.flows.env_diff import EnvironmentsCompared, env_diff
from tallystick.flows.env_exec import env_exec
from tallystick.flows.env_lock import Locked, env_lock
from tallystick.flows.env_show import ShownEnvironment, ShownImages, ShownPackage, env_show
from tallystick.flows.env_vault import VaultFilled, env_vault
from tallystick.records.provenance import Container

_target = click.argument("target", required=False, metavar="[COMMIT|RUN|LOCK]")
_trust = trust_option("Allow this repository's environment to be built, and its commands to run.")
_any_python = click.option(
    "--python-any", is_flag=True, help="Take another patch version of Python if the recorded one isn't here."
)


@click.group("env", invoke_without_command=True)
@click.pass_context
def command(ctx: click.Context) -> None:
    """Record, compare, build and keep environments.

    `environment.lock` says which Python and which packages ran. `tally run` writes it, `tally repro` and
    `tally checkout` build it again; here each step can be had alone. Where a command takes a COMMIT, a
    RUN's id or a LOCK's path, the worktree's own lock is meant without one. Without a verb it is shown.

    \b
    Example:
      tally env show
      tally env exec -- python
    """
    if ctx.invoked_subcommand is None:
        ctx.invoke(show)


@command.command("lock")
@click.argument("stage", required=False, shell_complete=complete_stages)
@_trust
@click.pass_context
def lock(ctx: click.Context, stage: str | None, trust: bool) -> None:
    """Record the environment at hand, or that of STAGE.

    Writes `environment.lock` beside the nearest `tally.yaml`. Packages that no index has are stored.

    \b
    Example:
      tally env lock
      tally env lock train
    """
    current = context(ctx)
    folder = own_folder(current.project(), current.directory)
    project = current.project()
    result = with_grant(current, trust, lambda: env_lock(project, stage, variables=os.environ, folder=folder))
    render.report(current, result, _locked_lines)


def _locked_lines(locked: Locked) -> Iterator[str]:
    number = count_text(locked.packages, "package")
    yield f"{locked.path}: Python {locked.python}, {number} ({locked.digest.short})"
    if not locked.new:
        yield from (f"  {change}" for change in locked.changes or ("as before",))
    yield from (f"note: {problem}" for problem in locked.problems)


@command.command("show")
@_target
@click.pass_context
def show(ctx: click.Context, target: str | None) -> None:
    """Show an environment's packages, and which are kept.

    Of stages that run in containers it shows the images: as they are written, and which ones they last were.

    \b
    Example:
      tally env show
      tally env show HEAD~1
    """
    current = context(ctx)
    render.show(
        current,
        env_show(current.project(), target, folder=own_folder(current.project(), current.directory)),
        _shown_lines,
    )


def _shown_lines(shown: ShownEnvironment | ShownImages) -> Iterator[str]:
    if isinstance(shown, ShownEnvironment):
        yield from _package_lines(shown)
    for each in shown.images:
        yield f"{style(each.stage, 'strong')} runs in the image {each.image}"
        yield from (f"  {line}" for line in _image_lines(each.container))


def _image_lines(container: Container | None) -> Iterator[str]:
    if container is None:
        yield "not run yet: which one that is, its receipt will say"
        return
    yield f"last in {container.config} on {container.platform}, by {container.engine} {container.version}"
    if container.repository is not None:
        yield f"a registry has it as {container.repository}@{container.digest}"
    else:
        yield "no registry is known to have it: push it there, or `tally repro` only works where it stands"


def _package_lines(shown: ShownEnvironment) -> Iterator[str]:
    yield f"{style(shown.name, 'strong')}: {shown.implementation} {shown.python} ({shown.digest.short})"
    rows = [(each.name, each.version, _source(each), _hashes(each), _wheel(each)) for each in shown.packages]
    yield from (f"  {row}" for row in table(rows))
    kept = dict.fromkeys(shown.conda_kept, ", in the vault")
    yield from (f"  {each} (conda{kept.get(each.partition(' ')[0], '')})" for each in shown.conda)
    if shown.packages and shown.vaulted:
        yield "Every package is kept: no index is needed to rebuild it."
    yield f"built: {shown.folder}" if shown.folder is not None else "not built yet: `tally env build`"


def _source(package: ShownPackage) -> str:
    return package.url if package.source in ("vcs", "url") and package.url else package.source


def _hashes(package: ShownPackage) -> str:
    if package.source == "conda":
        return ""
    return count_text(package.hashes, "hash", "hashes") if package.hashes else "no hashes"


def _wheel(package: ShownPackage) -> str:
    if package.source == "conda":
        return ""
    if package.wheel is None:
        return "not kept"
    size = "" if package.size is None else f", {size_text(package.size)}"
    where = f"in the {package.wheel}{size}"
    return where if package.here else f"{where}, not fetched"


@command.command("build")
@_target
@_any_python
@_trust
@click.pass_context
def build(ctx: click.Context, target: str | None, python_any: bool, trust: bool) -> None:
    """Build an environment, and print where it stands.

    Equal locks share one, below `.git/tally/environments`. It is checked against the lock before it is used.

    \b
    Example:
      tally env build
      tally env build HEAD~1
    """
    current = context(ctx)
    project, folder = current.project(), own_folder(current.project(), current.directory)
    result = with_grant(
        current,
        trust,
        lambda: env_build(
            project,
            target,
            variables=os.environ,
            folder=folder,
            any_python=python_any,
            progress=current.progress(),
        ),
    )
    if not (current.json or current.quiet):
        for line in _built_remarks(result):
            render.say(current, line)
    render.show(current, result, lambda built: [built.folder])


def _built_remarks(built: Built) -> Iterator[str]:
    if built.stand_in_for is not None:
        yield f"note: Python {built.python} stands in for {built.stand_in_for}"
    if built.reused:
        yield f"Python {built.python}, {count_text(built.packages, 'package')}: stood there already"
    else:
        kept = f", {built.vaulted:,} from the vault" if built.vaulted else ""
        number = count_text(built.packages, "package")
        yield f"Python {built.python}, {number}{kept}: built in {seconds_text(built.seconds)}"


@command.command("diff")
@click.argument("old", default="HEAD")
@click.argument("new", required=False)
@click.pass_context
def diff(ctx: click.Context, old: str, new: str | None) -> None:
    """Compare two environments: of commits, runs or locks.

    OLD is HEAD without one; NEW is the worktree's lock. The exit code is 1 where they differ.

    \b
    Example:
      tally env diff
      tally env diff v1.0 v1.1
    """
    current = context(ctx)
    result = env_diff(current.project(), old, new, folder=own_folder(current.project(), current.directory))
    render.show(current, result, _diff_lines)
    render.finish(0 if result.same else 1)


def _diff_lines(compared: EnvironmentsCompared) -> Iterator[str]:
    yield f"{compared.old} and {compared.new}: {'the same' if compared.same else 'they differ'}"
    yield from (f"  {change}" for change in compared.changes)


@command.command("vault")
@_target
@_trust
@click.pass_context
def vault(ctx: click.Context, target: str | None, trust: bool) -> None:
    """Keep the packages themselves, so that no index is needed.

    Each package becomes a wheel in the store, made from what is installed and checked against the lock;
    `environment.vault` names them. Commit that file, and `tally push` sends the wheels. Later it serves every
    commit and run that has the same packages. The exit code is 1 where a package could not be kept.

    \b
    Example:
      tally env vault
      tally env vault v1.0
    """
    current = context(ctx)
    project, folder = current.project(), own_folder(current.project(), current.directory)
    result = with_grant(
        current,
        trust,
        lambda: env_vault(project, target, variables=os.environ, folder=folder, progress=current.progress()),
    )
    render.report(current, result, _vault_lines)
    render.finish(0 if result.whole else 1)


def _vault_lines(filled: VaultFilled) -> Iterator[str]:
    added = f"{filled.added:,} added ({size_text(filled.added_bytes)})" if filled.added else "none is new"
    of = count_text(filled.packages, "package")
    yield f"{filled.path}: {filled.kept:,} of {of} of {filled.name} are kept, {added}"
    yield from (f"  {problem}" for problem in filled.problems)


@command.command("exec")
@click.argument("words", nargs=-1, required=True, metavar="-- COMMAND...")
@click.option("--at", "target", metavar="COMMIT|RUN|LOCK", help="Whose environment; else the worktree's.")
@_any_python
@_trust
@click.pass_context
def exec_(
    ctx: click.Context, words: Sequence[str], target: str | None, python_any: bool, trust: bool
) -> None:
    """Run a command in an environment.

    It is built first if it isn't there. The command gets the terminal, and its exit code becomes this
    one's. The project's own code that it imports is the worktree's.

    \b
    Example:
      tally env exec -- python train.py
      tally env exec --at HEAD~1 -- pip list
    """
    current = context(ctx)
    _enter(current, words, target, python_any, trust)


@command.command("shell")
@_target
@_any_python
@_trust
@click.pass_context
def shell(ctx: click.Context, target: str | None, python_any: bool, trust: bool) -> None:
    """Open a shell in an environment; `exit` leaves it.

    \b
    Example:
      tally env shell
      tally env shell HEAD~1
    """
    current = context(ctx)
    program = os.environ.get("SHELL") or "/bin/sh"
    render.say(current, f"A shell in the environment of {target or 'the worktree'}; `exit` leaves it.")
    _enter(current, [program], target, python_any, trust)


def _enter(current: Context, words: Sequence[str], target: str | None, python_any: bool, trust: bool) -> None:
    project, folder = current.project(), own_folder(current.project(), current.directory)
    code = with_grant(
        current,
        trust,
        lambda: env_exec(
            project,
            words,
            target,
            variables=os.environ,
            cwd=current.directory,
            folder=folder,
            any_python=python_any,
            progress=current.progress(),
        ),
    )
    render.finish(code)

"""Requests and bytes that an S3 server sees, counted on the wire before SeaweedFS."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.contenders import Contender, Project, begin
from benchmarks.large import NAME, insert_byte, write_large
from benchmarks.measure import PROGRAMS, Bench
from benchmarks.proxy import Counted, counting
from benchmarks.seaweed import PROGRAM, serve
from benchmarks.small import write_files

KEYS = {
    "AWS_ACCESS_KEY_ID": "benchkey",
    "AWS_SECRET_ACCESS_KEY": "benchsecret",
    "AWS_DEFAULT_REGION": "us-east-1",
}


@contextmanager
def seaweed(folder: Path) -> Iterator[int]:
    """Run SeaweedFS on loopback; give the port of its S3 door."""
    key, secret = KEYS["AWS_ACCESS_KEY_ID"], KEYS["AWS_SECRET_ACCESS_KEY"]
    for endpoint, _ in serve(folder, key, secret, memory="400MiB"):
        yield int(endpoint.rpartition(":")[2])


def available() -> bool:
    """Whether a server is installed."""
    return PROGRAM.exists()


def make_bucket(bench: Bench, endpoint: str, name: str) -> None:
    """Make a bucket with the client that comes with the program."""
    script = f"import s3fs; s3fs.S3FileSystem(endpoint_url='{endpoint}').mkdir('{name}')"
    bench.call([str(PROGRAMS / "python"), "-c", script], bench.scratch)


def requests(bench: Bench, contender: Contender, port: int, count: int) -> dict[str, str]:
    """Count the requests for many small files."""
    with counting(port) as (endpoint, counted):
        project = _begin(bench, contender, endpoint, counted, "small")
        write_files(project.work / "data", count, 4096)
        bench.run([*contender.add, *contender.commit], project.work, **project.names)
        said = {f"push of {count:,} files": _count(counted, project, contender.push)}
        said["push, nothing new"] = _count(counted, project, contender.push)
        _clone(project, endpoint)
        said[f"pull of {count:,} files"] = _count(counted, project, contender.pull, project.clone)
    return said


def inserted(bench: Bench, contender: Contender, port: int, size: int) -> dict[str, str]:
    """Count the bytes on the wire when one byte was inserted into a large file."""
    with counting(port) as (endpoint, counted):
        project = _begin(bench, contender, endpoint, counted, "large")
        write_large(project.work / NAME, size)
        names = project.names | {"path": NAME}
        bench.run([*contender.add, *contender.commit, *contender.push], project.work, **names)
        _clone(project, endpoint)
        bench.run(contender.pull, project.clone, **project.names)
        insert_byte(project.work / NAME, size // 2)
        bench.run([*contender.add, *contender.commit], project.work, **names)
        said = {
            "one byte inserted: sent by push": _bytes(counted, project, contender.push, project.work, size)
        }
        bench.run([*contender.publish], project.work, **project.names)
        bench.run(contender.update, project.clone)
        received = _bytes(counted, project, contender.pull, project.clone, size)
        said["one byte inserted: received by the old clone's pull"] = received
    return said


def _begin(bench: Bench, contender: Contender, endpoint: str, counted: Counted, kind: str) -> Project:
    name = f"{contender.name.lower()}-{kind}"
    make_bucket(bench, endpoint, name)
    project = begin(bench, contender, contender.bucket, url=f"s3://{name}/store", endpoint=endpoint)
    counted.take()
    return project


def _clone(project: Project, endpoint: str) -> None:
    """Clone by git; the endpoint is every machine's own business."""
    bench, contender = project.bench, project.contender
    bench.run([*contender.publish, *contender.clone], project.work, **project.names)
    if contender.name == "tally":
        bench.run([f"git config tally.remote.origin.endpointurl {endpoint}"], project.clone)


def _count(counted: Counted, project: Project, commands: tuple[str, ...], folder: Path | None = None) -> str:
    counted.take()
    project.bench.run(commands, folder or project.work, **project.names)
    methods, _, _ = counted.take()
    detail = ", ".join(f"{number} {method}" for method, number in sorted(methods.items()))
    return f"{methods.total()} ({detail})"


def _bytes(counted: Counted, project: Project, commands: tuple[str, ...], folder: Path, size: int) -> str:
    counted.take()
    project.bench.run(commands, folder, **project.names)
    _, sent, received = counted.take()
    moved = sent if folder == project.work else received
    return f"{moved:,} ({100 * moved / size:.3f}%)"

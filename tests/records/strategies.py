"""What Hypothesis draws records from."""

import string

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from tallystick.digest import Digest
from tallystick.errors import BadRecord
from tallystick.paths import check_path, check_path_bytes
from tallystick.records.environment import Lock, Package
from tallystick.records.features import Use
from tallystick.records.fields import single_line
from tallystick.records.provenance import (
    Code,
    Container,
    EnvironmentRef,
    Feature,
    Hardware,
    Host,
    LockFile,
    Tracker,
)
from tallystick.records.receipt import Artifact, Receipt
from tallystick.records.stage import TRACES, Out, ParamFile, Stage
from tallystick.records.tolerance import Measured, Tolerance
from tallystick.records.verdict import (
    AXES,
    KINDS,
    OUTCOMES,
    Axis,
    Comparison,
    Difference,
    StageVerdict,
    Verdict,
)

relaxed = settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow]
)


def safe(path: str | bytes) -> bool:
    try:
        check_path(path) if isinstance(path, str) else check_path_bytes(path)
    except BadRecord:
        return False
    return True


texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=30)
lines = texts.map(lambda text: "".join(filter(single_line, text)))
words = st.text(string.ascii_letters + string.digits + "_", min_size=1, max_size=12)
digests = st.binary(min_size=32, max_size=32).map(Digest)
sizes = st.integers(0, 1 << 62)
names = (
    (words | lines.map(lambda name: name.replace("/", "_")))
    .map(lambda name: name if safe(name) else f"x{name}y")
    .filter(safe)
)
paths = st.lists(names, min_size=1, max_size=4).map("/".join)
raw_names = st.binary(min_size=1, max_size=12).map(lambda name: name.replace(b"/", b"_"))
raw_paths = st.lists(raw_names | names.map(str.encode), min_size=1, max_size=3).map(b"/".join).filter(safe)
numbers = st.integers(-(1 << 60), 1 << 60) | st.floats(allow_nan=False, allow_infinity=False)
plain_scalars = st.none() | st.booleans() | numbers | texts
plains = st.recursive(
    plain_scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
bounds = st.floats(0, 1e9)
tolerances = st.builds(
    Tolerance,
    st.none() | bounds,
    st.none() | bounds,
    st.none() | st.integers(0, 1 << 30),
    st.none() | st.builds(Measured, bounds, st.integers(1, 99)),
).filter(lambda tolerance: tolerance != Tolerance())
times = st.datetimes().map(lambda time: f"{max(time.year, 1000)}-01-02T03:04:05Z")
object_names = st.text("0123456789abcdef", min_size=40, max_size=40)


def some(values: st.SearchStrategy, most: int = 3) -> st.SearchStrategy:
    """A tuple of values, each once."""
    return st.lists(values, max_size=most, unique=True).map(tuple)


artifacts = st.builds(Artifact, paths, st.just("tree"), digests, sizes) | st.builds(
    Artifact, paths, st.just("file"), digests, sizes, st.booleans()
)
artifact_lists = st.lists(artifacts, max_size=3, unique_by=lambda artifact: artifact.path).map(tuple)

hosts = st.builds(Host, lines, lines, lines, st.booleans())
machines = st.builds(Hardware, lines, st.integers(0, 999), sizes, some(lines), some(lines), some(words))

contents = st.text("0123456789abcdef", min_size=64, max_size=64).map("sha256:{}".format)
containers = st.builds(
    Container,
    lines,
    contents,
    st.sampled_from(("linux/amd64", "linux/arm64/v8")),
    st.sampled_from(("podman", "docker")),
    lines,
    st.none() | st.sampled_from(("docker.io/library/python", "[::1]:5000/a_b/c")),
    st.none() | contents,
)

receipts = st.builds(
    Receipt,
    stage=words.filter(safe),
    cmd=texts | some(lines),
    wdir=st.just(".") | paths,
    status=st.sampled_from(("succeeded", "failed", "interrupted")),
    exit_code=st.integers(-255, 255),
    started=times,
    seconds=bounds,
    code=st.builds(
        Code,
        st.none() | object_names,
        object_names,
        st.booleans(),
        some(lines),
        st.dictionaries(paths, object_names, max_size=2),
    ),
    environment=st.builds(
        EnvironmentRef,
        st.none() | digests,
        lines,
        lines,
        st.none() | digests,
        st.none() | containers,
        st.dictionaries(words, lines, max_size=2),
        some(st.builds(LockFile, paths, digests), 2),
        some(lines),
    ),
    hardware=machines,
    tool=lines,
    author=lines,
    deps=artifact_lists,
    changed=some(paths),
    params=st.dictionaries(paths, st.dictionaries(texts, plains, max_size=3), max_size=2),
    seed=st.none() | st.integers(0, (1 << 64) - 1),
    variables=st.dictionaries(words, st.none() | texts, max_size=3),
    outs=artifact_lists,
    metrics=st.dictionaries(paths, st.dictionaries(texts, numbers, max_size=3), max_size=2),
    undeclared=some(paths),
    produced_by=st.dictionaries(paths, digests.map(str), max_size=2),
    log=st.none() | digests,
    tolerance=st.dictionaries(
        paths.map(lambda path: path.strip("/")),
        st.dictionaries(words, tolerances, min_size=1, max_size=2),
        max_size=2,
    ),
    cause=st.none() | lines,
    tail=some(lines),
    features=some(st.builds(Feature, words, words, digests), 2),
    undeclared_writes=some(paths),
    trace=st.sampled_from(sorted(TRACES)),
    host=st.none() | hosts,
    trackers=some(st.builds(Tracker, st.sampled_from(("mlflow", "wandb")), lines, lines), 2),
    series=st.none() | digests,
    isolated=st.booleans(),
)

packages = st.builds(
    Package,
    name=st.from_regex(r"[A-Za-z][A-Za-z0-9]{0,8}", fullmatch=True),
    version=st.from_regex(r"[0-9]{1,3}\.[0-9]{1,3}(\+cu[0-9])?", fullmatch=True),
    source=st.just("index"),
    record=st.none() | digests,
    hashes=some(st.binary(min_size=32, max_size=32).map(lambda data: f"sha256:{data.hex()}"))
    .map(sorted)
    .map(tuple),
    wheel=st.none() | digests,
) | st.builds(
    Package, st.sampled_from(["aa", "bb"]), st.just("1"), st.just("vcs"), st.just("git+https://host/x@abc")
)
locks = st.builds(
    Lock,
    implementation=st.just("cpython"),
    python=st.just("3.11.7"),
    packages=st.lists(packages, max_size=5, unique_by=lambda package: package.name.lower())
    .map(lambda found: sorted(found, key=lambda package: package.name.lower()))
    .map(tuple),
)

outcomes = st.sampled_from(sorted(OUTCOMES))
differences = st.builds(
    Difference,
    texts,
    plain_scalars,
    plain_scalars,
    st.none() | bounds,
    st.none() | bounds,
    st.none() | lines,
    st.booleans(),
    st.none() | lines,
    st.none() | sizes,
    st.none() | sizes,
    st.none() | texts,
)
comparisons = st.builds(
    Comparison,
    paths,
    outcomes,
    st.none() | digests,
    st.none() | digests,
    some(differences),
    st.sampled_from(sorted(KINDS)),
    st.booleans(),
)
axes = st.builds(Axis, st.sampled_from(sorted(AXES)), outcomes, texts)
stage_verdicts = st.builds(
    StageVerdict,
    lines,
    digests,
    outcomes,
    some(comparisons),
    bounds,
    st.none() | texts,
    some(axes),
    st.none() | digests,
)
verdicts = st.builds(
    Verdict,
    outcomes,
    lines,
    st.none() | object_names,
    some(stage_verdicts),
    times,
    lines,
    lines,
    st.none() | digests,
    lines,
    st.none() | lines,
    st.none() | hosts,
    st.none() | machines,
    some(lines),
    some(lines),
    st.integers(1, 99),
    st.dictionaries(paths, st.dictionaries(texts, bounds, max_size=2), max_size=2),
    some(lines),
)

stage_paths = paths.map(lambda path: path.replace("$", "_"))


@st.composite
def stages(draw: st.DrawFn) -> Stage:
    made = draw(st.lists(stage_paths, max_size=4, unique=True))
    kinds = [draw(st.sampled_from(("outs", "metrics", "plots"))) for _ in made]
    outs = {
        kind: tuple(Out(p, draw(st.booleans())) for p, k in zip(made, kinds, strict=True) if k == kind)
        for kind in kinds
    }
    commands = texts.map(lambda text: f"run {text}")
    files = draw(st.lists(stage_paths, max_size=2, unique=True))
    keys = some(lines, 2)
    tolerated = draw(st.lists(st.sampled_from(made), unique=True)) if made else []
    return Stage(
        name=draw(words.filter(safe) | st.builds("{}@{}".format, words, names).filter(safe)),
        features=draw(st.sampled_from(((), (Use("users", "v3"), Use("a.b", "v1.2.3"))))),
        trace=draw(st.sampled_from(tuple(TRACES))),
        image=draw(st.sampled_from((None, "host:5000/a/b@sha256:" + "0af1" * 16))),
        network=draw(st.booleans()),
        cmd=draw(commands | st.lists(commands, min_size=1, max_size=3).map(tuple)),
        wdir=draw(st.sampled_from((".", "..", "../x", "sub/dir"))),
        deps=draw(some(stage_paths | stage_paths.map(lambda path: f"../{path}"))),
        params=tuple(ParamFile(file, draw(keys)) for file in files),
        seed=draw(st.none() | st.integers(0, 99)),
        variables=draw(some(st.sampled_from(("HOME", "OMP_NUM_THREADS", "_x")))),
        tolerance={
            path: draw(st.dictionaries(words, tolerances, min_size=1, max_size=2)) for path in tolerated
        },
        frozen=draw(st.booleans()),
        always_changed=draw(st.booleans()),
        desc=draw(st.none() | texts.map(lambda text: "Why: " + text)),
        meta=draw(st.none() | st.dictionaries(texts, plains, min_size=1, max_size=2)),
        **outs,
    )

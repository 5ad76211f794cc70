"""An engine without images or containers: it notes what it is told, and runs commands right here."""

import json
import os
import stat
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ENGINE = """\
#!{python} -S
import json, os, signal, subprocess, sys
HERE = {here!r}
KIND = {kind!r}
words = sys.argv[1:]
state = json.load(open(HERE + "/state.json"))
with open(HERE + "/calls.jsonl", "a") as calls:
    calls.write(json.dumps(words) + "\\n")

def fail(text, code=125):
    sys.stderr.write(text + "\\n")
    sys.exit(code)

def known(name):
    for one in state["here"]:
        if name in (one["Id"], "sha256:" + one["Id"], *one["RepoTags"], *one["RepoDigests"]):
            return one
        if name + ":latest" in one["RepoTags"]:
            return one

def save():
    json.dump(state, open(HERE + "/state.json", "w"))

if state.get("broken"):
    print(json.dumps({{"Client": {{"Version": "28", "Os": "linux", "Arch": "amd64"}}, "Server": None}}))
    fail(state["broken"], 1)
if words[0] == "version":
    if KIND == "podman":
        told = {{"Client": {{"Version": "4.3.1", "OsArch": state["platform"]}}}}
    else:
        system, arch = state["platform"].split("/")
        told = {{"Client": {{"Version": "28"}}, "Server": {{"Version": "27.1", "Os": system, "Arch": arch}}}}
    print(json.dumps(told))
elif words[0] == "info":
    print(json.dumps(state.get("security", [])))
elif words[:2] == ["image", "inspect"]:
    found = known(words[2])
    print(json.dumps([found] if found else []))
    if not found:
        fail("Error: inspecting object: " + words[2] + ": image not known")
elif words[0] == "pull":
    name = words[-1]
    for one in state["registry"]:
        if name in (*one["RepoTags"], *one["RepoDigests"]):
            for old in state["here"]:
                old["RepoTags"] = [tag for tag in old["RepoTags"] if tag != name]
            state["here"].append(one)
            save()
            break
    else:
        fail("Error: initializing source docker://" + name + ": manifest unknown")
elif words[0] == "run":
    name, mounts, env, cwd, place = "", {{}}, {{}}, "/", 1
    flags = {{"--rm", "--http-proxy=false"}}
    while words[place].startswith("--"):
        word = words[place]
        if word in flags:
            place += 1
            continue
        value = words[place + 1]
        if word == "--mount":
            parts = dict(part.partition("=")[::2] for part in value.split(","))
            mounts[parts["target"]] = parts["source"]
        elif word == "--env":
            env[value.partition("=")[0]] = value.partition("=")[2]
        elif word == "--workdir":
            cwd = value
        place += 2
    image = known(words[place])
    if image is None:
        fail("Error: " + words[place] + ": image not known")
    if state.get("unstartable"):
        fail("Error: crun: something is missing")
    def outside(path):
        for target in sorted(mounts, key=len, reverse=True):
            if path == target or path.startswith(target + "/"):
                return mounts[target] + path[len(target):]
        return path
    inside = {{"PATH": os.environ["PATH"], **dict(entry.split("=", 1) for entry in image["Config"]["Env"])}}
    inside.update({{key: ":".join(map(outside, value.split(":"))) for key, value in env.items()}})
    inside["IMAGE"] = image["RepoTags"][0] if image["RepoTags"] else image["Id"]
    inside["CONTENT"] = image["Content"]
    child = subprocess.Popen(words[place + 1:], cwd=outside(cwd), env=inside, start_new_session=True)
    json.dump(child.pid, open(HERE + "/" + words[words.index("--name") + 1], "w"))
    code = child.wait()
    sys.exit(code if code >= 0 else 128 - code)
elif words[0] == "rm":
    try:
        os.killpg(json.load(open(HERE + "/" + words[-1])), signal.SIGKILL)
    except (OSError, ValueError):
        pass
else:
    fail("unknown words")
"""


class FakeEngine:
    """A program called `podman` or `docker` in a folder of its own, and what it believes to have."""

    def __init__(self, folder: Path, kind: str = "podman") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.program = folder / kind
        self.state: dict[str, Any] = {"here": [], "registry": [], "platform": "linux/amd64"}
        self.program.write_text(ENGINE.format(python=sys.executable, here=str(folder), kind=kind))
        self.program.chmod(self.program.stat().st_mode | stat.S_IXUSR)
        self.save()

    def save(self) -> None:
        """Let it believe what `state` says."""
        (self.folder / "state.json").write_text(json.dumps(self.state))

    def load(self) -> None:
        """Read what it believes by now."""
        self.state = json.loads((self.folder / "state.json").read_text())

    def has(self, *images: dict[str, Any], where: str = "here") -> None:
        """Give it images, instead of those it had."""
        self.state[where] = list(images)
        self.save()

    def says(self, **state: Any) -> None:
        """Change what it says of itself."""
        self.state.update(state)
        self.save()

    @property
    def calls(self) -> list[list[str]]:
        """Everything that it was told, in order."""
        file = self.folder / "calls.jsonl"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    def told(self, verb: str) -> list[list[str]]:
        """What it was told with one verb."""
        return [words for words in self.calls if words[0] == verb]

    def forget(self) -> None:
        """Forget what it was told."""
        (self.folder / "calls.jsonl").unlink(missing_ok=True)


def image(
    content: str, tags: Sequence[str] = (), digests: Sequence[str] = (), platform: str = "linux/amd64"
) -> dict[str, Any]:
    """An image as engines tell of it; `content` decides on its ID."""
    system, arch = platform.split("/")[:2]
    return {
        "Id": (content.encode().hex() * 64)[:64],
        "RepoTags": list(tags),
        "RepoDigests": list(digests),
        "Os": system,
        "Architecture": arch,
        "Config": {"Env": ["GREETING=hello"]},
        "Content": content,
    }


def on_path(*folders: Path) -> str:
    """A PATH on which no other engine is."""
    return os.pathsep.join([*map(str, folders), "/usr/bin", "/bin"])

"""The client programs: which runtime each needs, how it is built, how it is called."""

import os
import shutil
import subprocess
from pathlib import Path

INTEROP = Path(__file__).resolve().parent.parent
BUILT = INTEROP.parent.parent / "target" / "interop"


class MissingRuntime(Exception):
    """A program that the machine has to have is not there."""


def require(*names):
    missing = [name for name in names if shutil.which(name) is None]
    if missing:
        raise MissingRuntime(f"not installed or not in PATH: {', '.join(missing)}")


class JavaProgram:
    """The checks with the official Java client of one version.

    `long_names` makes it send with code 10, whose fields have their long names, as clients of other kinds do.
    """

    def __init__(self, version, long_names=False):
        self._smart = "false" if long_names else "true"
        self.name = f"java-{version}"
        self._version = version
        self._built = BUILT / self.name

    def build(self):
        require("java", "mvn")
        maven(INTEROP / "java", "compile", f"-Drocketmq.version={self._version}",
              f"-Dinterop.build={self._built}", "-DincludeScope=runtime")

    def command(self, home, arguments):
        return ["java", "-Xmx512m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC",
                # The Netty of 4.7.1 does not start without it since Java 17.
                "--add-opens", "java.base/java.nio=ALL-UNNAMED",
                f"-Dorg.apache.rocketmq.client.sendSmartMsg={self._smart}",
                f"-Duser.home={home}", f"-Drocketmq.client.logRoot={home}/log", "-Drocketmq.client.logLevel=WARN",
                "-cp", f"{self._built}/classes:{self._built}/dependency/*", "interop.Main", *arguments]


class GoProgram:
    """The checks with rocketmq-client-go v2."""

    name = "go"

    def build(self):
        require("go")
        _run(["go", "build", "-mod=readonly", "-o", BUILT / "go" / "interop", "."], INTEROP / "go")

    def command(self, home, arguments):
        return [BUILT / "go" / "interop", *arguments]


class NodeProgram:
    """The checks with ali-ons."""

    name = "node"
    _built = BUILT / "node"

    def build(self):
        require("node", "npm")
        self._built.mkdir(parents=True, exist_ok=True)
        for source in (INTEROP / "node").iterdir():
            shutil.copy(source, self._built)
        _run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], self._built)

    def command(self, home, arguments):
        return ["node", self._built / "interop.js", *arguments]


class RustProgram:
    """Our own client: the examples, each of which sees its own effect or fails, and checks as those of the other clients."""

    name = "rust"
    _root = INTEROP.parent.parent
    # It embeds a broker, and talks to no other one.
    _others = {"embed"}

    def build(self):
        require("cargo")
        _run(["cargo", "build", "--locked", "--quiet", "--examples"], self._root)

    def examples(self):
        """The commands of the examples by name."""
        names = sorted(source.stem for source in (self._root / "examples").glob("*.rs"))
        return {name: self._command(name) for name in names if name not in self._others}

    def checks(self, *arguments):
        """The command of the checks."""
        return [*self._command("interop"), *arguments]

    def _command(self, name):
        return [self._root / "target" / "debug" / "examples" / name]


def reference_jars():
    """The folder with the jars of the Java NameServer and Broker."""
    require("java", "mvn")
    jars = BUILT / "reference-broker"
    maven(INTEROP / "reference-broker", f"-DoutputDirectory={jars}")
    return jars


def maven(project, *arguments):
    """Runs Maven on a project and copies its dependencies to where the arguments say."""
    _run(["mvn", "--quiet", "--batch-mode", *arguments, "dependency:copy-dependencies"], project)


def environment(home):
    """The environment of a client program: its files go to `home` and not to the user's home directory."""
    return {**os.environ, "HOME": str(home), "ROCKETMQ_GO_LOG_LEVEL": "error"}


def _run(command, directory):
    done = subprocess.run(command, cwd=directory, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=900)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, command))} failed:\n{done.stdout[-4000:]}")

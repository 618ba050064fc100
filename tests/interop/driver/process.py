"""Child processes that never outlive the driver."""

import atexit
import subprocess
import time

_running = []


class StartError(Exception):
    """A process did not come up; the text says which one and what it printed."""


class Process:
    """One child process, in a folder, whose output goes to a log file."""

    def __init__(self, name, command, log, env=None, stdin=subprocess.DEVNULL, folder=None):
        self.name = name
        self.log = log
        self._start = log.stat().st_size if log.exists() else 0
        with open(log, "ab") as output:
            self._child = subprocess.Popen(command, stdin=stdin, stdout=output, stderr=subprocess.STDOUT,
                                           env=env, cwd=folder)
        _running.append(self)

    @property
    def pid(self):
        return self._child.pid

    @property
    def stdin(self):
        return self._child.stdin

    def output(self):
        """What this process has printed so far, without what earlier ones wrote to the same log."""
        with open(self.log, "rb") as file:
            file.seek(self._start)
            return file.read().decode(errors="replace")

    def alive(self):
        return self._child.poll() is None

    def wait_for_line(self, matches, seconds):
        """The first line for which `matches(line)` holds; a StartError when the process ends or the time is over."""
        deadline = time.monotonic() + seconds
        while True:
            alive = self.alive()
            for line in self.output().splitlines():
                if matches(line):
                    return line
            if not alive:
                raise StartError(f"{self.name} ended with code {self._child.returncode}:\n{self.output()[-2000:]}")
            if time.monotonic() > deadline:
                raise StartError(f"{self.name} was not ready within {seconds} s:\n{self.output()[-2000:]}")
            time.sleep(0.01)

    def wait(self, seconds):
        """The exit code, or None when it is still running after this time."""
        try:
            return self._child.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def stop(self, seconds=30):
        """SIGTERM; SIGKILL for one that does not listen. Gives the exit code."""
        if self.alive():
            self._child.terminate()
            if self.wait(seconds) is None:
                self.kill()
        self._forget()
        return self._child.returncode

    def kill(self):
        """SIGKILL, as `kill -9` does."""
        if self.alive():
            self._child.kill()
        self._child.wait()
        self._forget()

    def _forget(self):
        if self in _running:
            _running.remove(self)


@atexit.register
def _kill_what_is_left():
    for process in list(_running):
        process.kill()

"""The scenarios: which checks run against which state of the broker."""

import os
import subprocess
import time

from .process import Process
from .programs import environment

# Longer than any group of checks takes; what hangs is a failure.
GROUP_LIMIT_S = 240
KILLS = 2
# Acknowledged messages that the kill scenario wants to see before each kill and after the last one.
ACKED_PER_PHASE = 2000


class Scenarios:
    """Runs groups of checks of the client programs against one broker."""

    def __init__(self, broker, folder, results):
        self._broker = broker
        self._folder = folder
        self._results = results
        self._run_id = format(int(time.time()) % 10**8, "d")

    def group(self, program, group):
        """One command of one program, with the broker as it is."""
        process = self.begin(program, group)
        code = process.wait(GROUP_LIMIT_S)
        process.kill()
        self._results.add_output(program.name, group, process.output(), code)
        if self._broker.died():
            self._results.add(program.name, False, group, "the broker ended on its own")
            self._broker.start()

    def parked(self, program):
        """Sends on one connection beside 1,000 parked pulls and a reader of a backlog that is not in memory."""
        self.group(program, "parked-fill")
        self._broker.stop()
        _drop_from_page_cache(self._broker.data)
        self._broker.start()
        self.group(program, "parked")

    def kill(self, program):
        """kill -9 in the middle of sending; what was acknowledged is consumed after the restart."""
        acked = self._folder / f"acked-{program.name}.txt"
        producer = self.begin(program, "kill-produce", "--acked", str(acked), stdin=subprocess.PIPE)
        restarts = []
        try:
            for _ in range(KILLS):
                _wait_for_more_lines(acked, ACKED_PER_PHASE, producer)
                self._broker.kill()
                restarts.append(self._broker.start())
            _wait_for_more_lines(acked, ACKED_PER_PHASE, producer)
        except TimeoutError as error:
            self._results.add(program.name, False, "kill_produce", str(error))
        producer.stdin.close()
        code = producer.wait(60)
        producer.kill()
        self._results.add_output(program.name, "kill-produce", producer.output(), code)
        # One more, so that the consumer meets a store that has been recovered and not the one that is being written.
        self._broker.kill()
        restarts.append(self._broker.start())
        print(f"       {self._broker.title} restarted after kill -9 in " + ", ".join(f"{s:.2f}" for s in restarts) + " s")
        consumer = self.begin(program, "kill-consume", "--acked", str(acked))
        code = consumer.wait(GROUP_LIMIT_S)
        consumer.kill()
        self._results.add_output(program.name, "kill-consume", consumer.output(), code)

    def begin(self, program, group, *more, stdin=subprocess.DEVNULL):
        """One command of one program, still running."""
        home = self._folder / f"home-{program.name}"
        home.mkdir(exist_ok=True)
        ports = self._broker.ports
        # The program is part of the run's name: two programs have checks of the same name.
        arguments = ["--namesrv", f"127.0.0.1:{ports.namesrv}", "--broker", f"127.0.0.1:{ports.broker}",
                     "--run", f"{program.name.replace('.', '_')}-{self._run_id}", *more, group]
        log = self._folder / f"{program.name}.log"
        # Some programs write files to where they are.
        return Process(program.name, program.command(home, arguments), log, environment(home), stdin, home)


def _wait_for_more_lines(file, count, writer, seconds=90):
    """Waits until the file has this many lines more than now."""
    goal = _lines(file) + count
    deadline = time.monotonic() + seconds
    while _lines(file) < goal:
        if not writer.alive():
            raise TimeoutError("the producer ended early")
        if time.monotonic() > deadline:
            raise TimeoutError(f"only {_lines(file)} of {goal} sends were acknowledged within {seconds} s")
        time.sleep(0.02)


def _lines(file):
    return file.read_bytes().count(b"\n") if file.exists() else 0


def _drop_from_page_cache(folder):
    """Writes the files out and lets the kernel forget them, so that reading them is reading the disk."""
    for path in folder.rglob("*"):
        if path.is_file():
            descriptor = os.open(path, os.O_RDONLY)
            try:
                os.fsync(descriptor)
                os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            finally:
                os.close(descriptor)

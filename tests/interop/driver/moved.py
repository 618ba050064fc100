"""A store that goes from our broker to the one of RocketMQ and back, with work pending each time."""

import shutil
import subprocess
import time
from dataclasses import dataclass

from .process import StartError
from .scenarios import Scenarios
from .store import Store

STEP_LIMIT_S = 150
# Where messages with a time of their own wait.
TIMER_TOPIC = "rmq_sys_wheel_timer"
# So many of the oldest segments go at once. The client begins with more than two times as many that hold nothing pending.
EXPIRED = 2


@dataclass(frozen=True)
class Plan:
    """Who begins, how each broker ends before the other one opens the store, and in which turns the oldest segments go.

    Java looks for what is old a minute after its start and not before, so one plan has to do for it.
    """

    name: str
    java_first: bool
    ends: tuple
    expiries: tuple


PLANS = (Plan("ours-first", False, ("stopped", "killed", "killed", "stopped", "killed", "stopped"), (2,)),
         Plan("java-first", True, ("killed", "stopped", "stopped", "killed", "killed", "stopped"), (2, 3)))


def settings():
    """What both brokers are told.

    A name and sizes of files have to be those of the store, and the files are so small that each turn needs new ones; not
    smaller for the index, files of which Java names by the millisecond, so that it writes over one that it fills in less. The
    delay levels are short enough to wait for, and the second is longer than a move takes. Half messages are asked about
    when the move is over. Old segments go when they are asked to, and not because it is the hour.
    """
    other_hour = (time.localtime().tm_hour + 12) % 24
    return ("brokerName=broker-a", "mappedFileSizeCommitLog=1048576", "mappedFileSizeConsumeQueue=2000",
            "mappedFileSizeConsumeQueueExt=4096", "maxHashSlotNum=1000", "maxIndexNum=4000",
            "enableConsumeQueueExt=true", "enableCalcFilterBitMap=true", "enablePropertyFilter=true",
            "messageDelayLevel=3s 12s", "transactionTimeOut=6000", "transactionCheckInterval=3000",
            "timerWheelEnable=true", f"deleteWhen={other_hour:02}", "cleanResourceInterval=1000")


class Moves:
    """Two brokers that have one store in turns, the client program that leaves and finds work, and our tool between them."""

    def __init__(self, plan, ours, reference, tool, folder, results):
        self._plan = plan
        turns = [(ours, _kind(ours)), (reference, "java")]
        self._turns = turns[::-1] if plan.java_first else turns
        self._folder = folder
        self._results = results
        self._brokers = (ours, reference)
        self._ledger = folder / "ledger.jsonl"
        configuration = folder / "store.conf"
        configuration.write_text("".join(f"{line}\n" for line in ours.settings))
        self._store = Store(ours.data / "store", tool, configuration)

    def run(self, program):
        """Every move there and back; ends both brokers whatever happens."""
        process = None
        try:
            for number, end in enumerate(self._plan.ends):
                broker, kind = self._turn(number)
                begin = self._store.age(EXPIRED) if number in self._plan.expiries else None
                seconds = broker.start()
                print(f"       turn {number}: {broker.title} opened the store in {seconds:.2f} s", flush=True)
                if process is None:
                    process = Scenarios(broker, self._folder, self._results).begin(
                        program, "moved", "--ledger", str(self._ledger), stdin=subprocess.PIPE)
                else:
                    self._step(process, f"found {number} {kind} {self._plan.ends[number - 1]}")
                if begin is not None:
                    self._step(process, f"expire {number} {kind} {begin}")
                self._step(process, f"leave {number} {kind}")
                _end(broker, end)
                self._look(number, kind, end)
        except (StartError, OSError) as error:
            self._results.add(program.name, False, f"moved-{self._plan.name}", str(error))
        finally:
            for each in self._brokers:
                each.stop()
        if process:
            process.stdin.close()
            code = process.wait(STEP_LIMIT_S)
            process.kill()
            self._results.add_output(program.name, f"moved-{self._plan.name}", process.output(), code)

    def _turn(self, number):
        return self._turns[number % 2]

    def _step(self, process, line):
        process.stdin.write(f"{line}\n".encode())
        process.stdin.flush()
        process.wait_for_line(lambda answer: answer == f"done: {line}", STEP_LIMIT_S)

    def _look(self, number, kind, end):
        """The store at rest: our tool finds it sound, and in it what the clients were shown."""
        name = f"{self._plan.name.replace('-', '_')}_{number}_{kind}_{end}"
        if self._store.tool:
            self._results.add("store", *self._store.verify(f"{name}_sound"))
            self._results.add("store", *self._store.compare(f"{name}_ledger", self._ledger))
        if (kind, end) == ("ferromq", "killed"):
            # A power cut could take it; the other broker then makes it anew from the log, in its own way. Java does so as far
            # back as the checkpoint tells it to.
            shutil.rmtree(self._store.root / "consumequeue" / TIMER_TOPIC, ignore_errors=True)
            (self._store.root / "checkpoint").unlink(missing_ok=True)


def _kind(broker):
    return "java" if broker.title.startswith("Apache") else "ferromq"


def _end(broker, how):
    if how == "killed":
        broker.kill()
    # What is left of a killed one is a name server, which would be in the way of the next one's.
    broker.stop()

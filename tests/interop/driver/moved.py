"""A store that goes from our broker to the one of RocketMQ and back, with work pending each time."""

import shutil
import subprocess

from .process import StartError
from .scenarios import Scenarios

# What both brokers are told. A name and sizes of files have to be those of the store; the delay levels are short enough to
# wait for, and the second is longer than a move takes. Half messages are asked about when the move is over.
SETTINGS = ("brokerName=broker-a", "mappedFileSizeCommitLog=67108864", "mappedFileSizeConsumeQueue=120000",
            "enableConsumeQueueExt=true", "enableCalcFilterBitMap=true", "enablePropertyFilter=true",
            "messageDelayLevel=3s 12s", "transactionTimeOut=6000", "transactionCheckInterval=3000",
            "timerWheelEnable=true")
# How each broker ends before the other one opens the store.
ENDS = ("stopped", "killed", "killed", "stopped")
STEP_LIMIT_S = 120
# Where messages with a time of their own wait.
TIMER_TOPIC = "rmq_sys_wheel_timer"


class Moves:
    """Two brokers that have one store in turns, and the client program that leaves and finds work."""

    def __init__(self, ours, reference, folder, results):
        self._turns = [(ours, _kind(ours)), (reference, "java")]
        self._folder = folder
        self._results = results
        self._brokers = (ours, reference)

    def run(self, program):
        """Every move there and back; ends both brokers whatever happens."""
        broker, kind = self._turn(0)
        process = None
        try:
            broker.start()
            process = Scenarios(broker, self._folder, self._results).begin(program, "moved", stdin=subprocess.PIPE)
            for number, end in enumerate(ENDS):
                self._step(process, f"leave {number} {kind}")
                _end(broker, end)
                if (kind, end) == ("ferromq", "killed"):
                    # A power cut could take it; the other broker then makes it anew from the log, in its own way.
                    shutil.rmtree(broker.data / "store" / "consumequeue" / TIMER_TOPIC, ignore_errors=True)
                broker, kind = self._turn(number + 1)
                seconds = broker.start()
                print(f"       {end}; {broker.title} opened the store in {seconds:.2f} s", flush=True)
                self._step(process, f"found {number + 1} {kind} {end}")
        except (StartError, OSError) as error:
            self._results.add(program.name, False, "moved", str(error))
        finally:
            for each in self._brokers:
                each.stop()
        if process:
            process.stdin.close()
            code = process.wait(STEP_LIMIT_S)
            process.kill()
            self._results.add_output(program.name, "moved", process.output(), code)

    def _turn(self, number):
        return self._turns[number % 2]

    def _step(self, process, line):
        process.stdin.write(f"{line}\n".encode())
        process.stdin.flush()
        process.wait_for_line(lambda answer: answer == f"done: {line}", STEP_LIMIT_S)


def _kind(broker):
    return "java" if broker.title.startswith("Apache") else "ferromq"


def _end(broker, how):
    if how == "killed":
        broker.kill()
    # What is left of a killed one is a name server, which would be in the way of the next one's.
    broker.stop()

"""The broker under test: ours, or Apache RocketMQ 4.9.7 as the reference. Both start, stop, die and come back."""

import os
import socket
import time

from .process import Process, StartError

HOST = "127.0.0.1"


class Ports:
    """The ports of one name server and one broker."""

    def __init__(self, namesrv, broker):
        self.namesrv = namesrv
        self.broker = broker

    @classmethod
    def free(cls):
        """A pair that is free now. A broker also takes its port minus 2 (fast port) and plus 1 (replication)."""
        for base in range(21000 + os.getpid() % 5000, 32000, 10):
            if all(_is_free(base + offset) for offset in (0, 3, 5, 6)):
                return cls(namesrv=base, broker=base + 5)
        raise StartError("no free ports between 21000 and 32000")


def _is_free(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


# Neither broker is to refuse or remove anything because the disk that the checks run on is full.
ON_ANY_DISK = ("diskSpaceCleanForciblyRatio=100", "diskSpaceWarningLevelRatio=100")
ON_ANY_DISK_JAVA = ("-Drocketmq.broker.diskSpaceCleanForciblyRatio=1.0", "-Drocketmq.broker.diskSpaceWarningLevelRatio=1.0")


class Ferromq:
    """`ferromq standalone`: name server and broker in one process.

    `settings` are lines of broker.conf, as "key=value".
    """

    title = "ferromq"

    def __init__(self, binary, data, logs, ports, settings=()):
        self.binary, self.data, self.logs, self.ports = binary, data, logs, ports
        self.settings = list(settings)
        self._process = None

    def start(self):
        """Starts it and gives the seconds until it serves."""
        begin = time.monotonic()
        configuration = self.logs / "broker.conf"
        configuration.write_text("".join(f"{line}\n" for line in (*ON_ANY_DISK, *self.settings)))
        command = [self.binary, "standalone", "--data", self.data, "--host", HOST, "-c", configuration,
                   "--namesrv-port", str(self.ports.namesrv), "--port", str(self.ports.broker)]
        self._process = Process(self.title, command, self.logs / "ferromq.log")
        self._process.wait_for_line(lambda line: line.startswith("ready"), 60)
        return time.monotonic() - begin

    def stop(self):
        if self._process:
            self._process.stop()

    def kill(self):
        """kill -9 of everything that holds messages."""
        self._process.kill()

    def pids(self):
        return {"ferromq": self._process.pid}

    def died(self):
        """Whether it ended on its own, which no scenario asks for."""
        return self._process is not None and not self._process.alive()


class Reference:
    """NameServer and Broker of Apache RocketMQ 4.9.7, from the jars that Maven fetched.

    `settings` are further lines of broker.conf, as "key=value"; `heap` are the heap options of the broker's JVM, `java_options`
    further ones of both.
    """

    title = "Apache RocketMQ 4.9.7"

    def __init__(self, jars, data, logs, ports, settings=(), heap=("-Xms256m", "-Xmx1g"), java_options=()):
        self.jars, self.data, self.logs, self.ports = jars, data, logs, ports
        self.settings, self.heap, self.java_options = list(settings), list(heap), list(java_options)
        self._namesrv = self._broker = None

    def start(self):
        begin = time.monotonic()
        self._write_configuration()
        if not (self._namesrv and self._namesrv.alive()):
            self._namesrv = self._java("namesrv", ["-Xms64m", "-Xmx128m", "-XX:TieredStopAtLevel=1"],
                                       "org.apache.rocketmq.namesrv.NamesrvStartup")
        self._namesrv.wait_for_line(lambda line: "boot success" in line, 60)
        self._broker = self._java("broker", self.heap, "org.apache.rocketmq.broker.BrokerStartup")
        self._broker.wait_for_line(lambda line: "boot success" in line, 60)
        return time.monotonic() - begin

    def stop(self):
        for process in (self._broker, self._namesrv):
            if process:
                process.stop()

    def kill(self):
        """kill -9 of the broker; the name server holds no messages and stays."""
        self._broker.kill()

    def pids(self):
        return {"namesrv": self._namesrv.pid, "broker": self._broker.pid}

    def died(self):
        return self._broker is not None and not (self._broker.alive() and self._namesrv.alive())

    def _java(self, name, heap, main):
        command = ["java", *heap, "-XX:+UseG1GC",
                   # Netty and the store of 4.9 reach into the JDK, which has been closed since Java 17.
                   "--add-opens", "java.base/java.nio=ALL-UNNAMED", "--add-opens", "java.base/sun.nio.ch=ALL-UNNAMED",
                   "--add-opens", "java.base/jdk.internal.ref=ALL-UNNAMED",
                   *ON_ANY_DISK_JAVA, f"-Drocketmq.home.dir={self.data}", f"-Duser.home={self.data}",
                   *self.java_options, "-cp", f"{self.jars}/*", main, "-c", f"{self.data}/conf/{name}.conf"]
        return Process(name, command, self.logs / f"{name}.log")

    def _write_configuration(self):
        conf = self.data / "conf"
        conf.mkdir(parents=True, exist_ok=True)
        (conf / "namesrv.conf").write_text(f"listenPort={self.ports.namesrv}\n")
        lines = [
            "brokerName=broker-a", "brokerClusterName=DefaultCluster", "brokerId=0",
            f"brokerIP1={HOST}", f"listenPort={self.ports.broker}", f"haListenPort={self.ports.broker + 1}",
            f"namesrvAddr={HOST}:{self.ports.namesrv}", f"storePathRootDir={self.data}/store",
            f"storePathCommitLog={self.data}/store/commitlog",
            # Small files, so that a run does not begin with writing a gigabyte of zeros.
            "mappedFileSizeCommitLog=67108864", "mappedFileSizeConsumeQueue=120000",
            *self.settings,
        ]
        (conf / "broker.conf").write_text("\n".join(lines) + "\n")
        # Both programs insist on their logging configuration.
        for name in ("logback_namesrv.xml", "logback_broker.xml"):
            (conf / name).write_text('<configuration><root level="OFF"/></configuration>\n')

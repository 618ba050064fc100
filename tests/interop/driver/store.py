"""A store that no broker has: made older, looked at with our tool, compared with what clients were shown."""

import json
import os
import subprocess
import time

LIMIT_S = 120
# Older than either broker keeps anything.
OLD_S = 30 * 24 * 3600


class Store:
    """The directory; `tool` is our program, or None when there is none; `configuration` is what a broker of it is told."""

    def __init__(self, root, tool, configuration):
        self.root, self.tool, self.configuration = root, tool, configuration

    def age(self, count):
        """Makes so many of the oldest segments old, and gives the place where the log begins when they are gone."""
        segments = sorted((self.root / "commitlog").iterdir())
        then = time.time() - OLD_S
        for segment in segments[:count]:
            os.utime(segment, (then, then))
        return int(segments[count].name)

    def verify(self, name):
        """Whether it is sound, as a row of results."""
        done = self._run("verify", "--json")
        if done.returncode not in (0, 1) or not done.stdout:
            return False, name, f"exit code {done.returncode}: {done.stderr.decode(errors='replace')[-600:]}"
        found = json.loads(done.stdout)
        checked = found["checked"]
        detail = (f"{found['faults']} faults, {found['notes']} notes, {checked['records']} records,"
                  f" {checked['queueEntries']} queue entries, {checked['indexEntries']} keys")
        faults = [finding for finding in found["findings"] if finding["severity"] == "fault"]
        return done.returncode == 0, name, f"{detail}: {faults[:5]}" if faults else detail

    def compare(self, name, ledger):
        """Whether the log has each message that a client was shown, as it was shown, and before the last one nothing else."""
        done = self._run("dump", "--body", "none")
        records = {}
        for line in done.stdout.splitlines():
            record = json.loads(line)
            if records.setdefault(_place(record), record) is not record:
                return False, name, f"two records: {record} and {records[_place(record)]}"
        ends = {}
        seen = 0
        for line in ledger.read_text().splitlines():
            shown = json.loads(line)
            place = _place(shown)
            seen += 1
            ends[place[:2]] = max(ends.get(place[:2], 0), place[2] + 1)
            record = records.pop(place, None)
            if record is None:
                return False, name, f"not in the log: {shown}"
            differences = [f"{key}: shown {shown.get(key)}, stored {value}" for key, value in record.items()
                           if key != "bodyLength" and shown.get(key) != value]
            if differences:
                return False, name, f"{place}: {differences}"
        early = [place for place in records if place[2] < ends.get(place[:2], 0)]
        if early:
            return False, name, f"stored, and not shown: {early[:10]}"
        return done.returncode == 0, name, f"{seen} messages as they were shown, {len(records)} came later"

    def _run(self, command, *options):
        return subprocess.run([self.tool, "store", command, *options, "-c", self.configuration, self.root],
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=LIMIT_S)


def _place(record):
    return record["topic"], record["queue"], record["queueOffset"]

"""What the programs report, line by line, and the table at the end.

A program prints `ok NAME (DETAIL)` or `FAILED NAME REASON` for each check, and `N passed, N failed` as its last line.
"""

import re

_TOTAL = re.compile(r"^(\d+) passed, (\d+) failed$")


class Results:
    """All checks of one run of the driver."""

    def __init__(self):
        self.rows = []

    @property
    def passed(self):
        return sum(ok for _, ok, _, _ in self.rows)

    @property
    def failed(self):
        return len(self.rows) - self.passed

    def add(self, program, ok, name, detail=""):
        self.rows.append((program, ok, name, detail))
        print(f"{'ok    ' if ok else 'FAILED'} {program:<11} {name:<24} {detail}", flush=True)

    def add_output(self, program, group, output, code):
        """Takes over the lines of a program; one that ends without its last line, or with a wrong one, has failed."""
        passed = failed = 0
        total = None
        for line in output.splitlines():
            if line.startswith("ok "):
                name, _, detail = line[3:].partition(" ")
                self.add(program, True, name, detail.strip("()"))
                passed += 1
            elif line.startswith("FAILED "):
                name, _, reason = line[7:].partition(" ")
                self.add(program, False, name, reason)
                failed += 1
            elif match := _TOTAL.match(line):
                total = (int(match[1]), int(match[2]))
        if total != (passed, failed) or passed + failed == 0:
            self.add(program, False, group, f"ended early with code {code}: {output[-600:]}")
        elif (code == 0) != (failed == 0):
            self.add(program, False, group, f"exit code {code} after {failed} failed checks")

    def print_summary(self, seconds):
        print(f"\n{'program':<12}{'passed':>7}{'failed':>7}")
        for program in dict.fromkeys(row[0] for row in self.rows):
            mine = [ok for name, ok, _, _ in self.rows if name == program]
            print(f"{program:<12}{sum(mine):>7}{len(mine) - sum(mine):>7}")
        for step, taken in seconds.items():
            print(f"time {step}: {taken:.1f} s")
        print(f"{self.passed} passed, {self.failed} failed")

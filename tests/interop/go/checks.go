package main

import (
	"fmt"
	"strings"
	"time"
)

// Checks runs named checks one after the other and prints a line for each.
type Checks struct {
	namesrv string
	runID   string
	passed  int
	failed  int
}

// Run runs one check with clients, topic and groups of its own, and closes the clients whatever happens.
// What the check returns is printed behind its name.
func (checks *Checks) Run(name string, check func(*Session) (string, error)) {
	session := &Session{namesrv: checks.namesrv, topic: "interop_" + checks.runID + "_" + name}
	start := time.Now()
	detail, err := guarded(session, check)
	session.close()
	if err != nil {
		checks.failed++
		fmt.Printf("FAILED %s %s\n", name, strings.Join(strings.Fields(err.Error()), " "))
		return
	}
	checks.passed++
	if detail != "" {
		detail += ", "
	}
	fmt.Printf("ok %s (%s%d ms)\n", name, detail, time.Since(start).Milliseconds())
}

// Finish prints the count and gives the exit code of the process.
func (checks *Checks) Finish() int {
	fmt.Printf("%d passed, %d failed\n", checks.passed, checks.failed)
	if checks.failed > 0 || checks.passed == 0 {
		return 1
	}
	return 0
}

// A client that panics, as this one does on some replies, is a failed check and not the end of the run.
func guarded(session *Session, check func(*Session) (string, error)) (detail string, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("panic: %v", cause)
		}
	}()
	return check(session)
}

// await polls until the condition holds; what happens elsewhere cannot be waited for in any other way.
func await(what string, limit time.Duration, condition func() bool) error {
	deadline := time.Now().Add(limit)
	for !condition() {
		if time.Now().After(deadline) {
			return fmt.Errorf("%s: not seen within %v", what, limit)
		}
		time.Sleep(10 * time.Millisecond)
	}
	return nil
}

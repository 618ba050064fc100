package main

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"time"
)

// Check gives what is printed behind its name, or an error when what it saw is not what a RocketMQ broker does.
type Check func(*Session) (string, error)

// Checks runs named checks, one after the other or beside each other, and prints a line for each.
type Checks struct {
	namesrv string
	broker  string
	runID   string
	beside  sync.WaitGroup
	// lock guards the counts, and keeps the lines of checks that run beside each other apart.
	lock   sync.Mutex
	passed int
	failed int
}

// Run runs one check with clients, topic and groups of its own, and closes the clients whatever happens.
func (checks *Checks) Run(name string, check Check) {
	session := &Session{namesrv: checks.namesrv, broker: checks.broker, topic: "interop_" + checks.runID + "_" + name}
	start := time.Now()
	detail, err := guarded(session, check)
	session.close()
	checks.lock.Lock()
	defer checks.lock.Unlock()
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

// Start runs a check beside those that run already: checks that mostly wait are waited for together.
func (checks *Checks) Start(name string, check Check) {
	checks.beside.Add(1)
	go func() {
		defer checks.beside.Done()
		checks.Run(name, check)
	}()
}

// Finish waits for what was started, prints the count and gives the exit code of the process.
func (checks *Checks) Finish() int {
	checks.beside.Wait()
	fmt.Printf("%d passed, %d failed\n", checks.passed, checks.failed)
	if checks.failed > 0 || checks.passed == 0 {
		return 1
	}
	return 0
}

// A client that panics, as this one does on some replies, is a failed check and not the end of the run.
func guarded(session *Session, check Check) (detail string, err error) {
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

// equal is the error that says how what was found differs from what was expected.
func equal(what string, expected, found any) error {
	if reflect.DeepEqual(expected, found) {
		return nil
	}
	return fmt.Errorf("%s: expected %v, found %v;", what, expected, found)
}

// that is an error with this text unless the condition holds.
func that(holds bool, otherwise string) error {
	if holds {
		return nil
	}
	return errors.New(otherwise + ";")
}

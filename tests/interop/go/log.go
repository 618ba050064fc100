package main

import (
	"fmt"
	"strings"
	"sync"

	"github.com/apache/rocketmq-client-go/v2/rlog"
)

// ClientLog takes what all clients log, which would go to standard output, where our results go. It remembers the errors,
// because some of what a broker answers this client tells nobody else.
type ClientLog struct {
	lock   sync.Mutex
	errors map[string]bool
}

var clientLog = &ClientLog{errors: map[string]bool{}}

// has says whether an error with this text has been logged.
func (log *ClientLog) has(text string) bool {
	log.lock.Lock()
	defer log.lock.Unlock()
	for known := range log.errors {
		if strings.Contains(known, text) {
			return true
		}
	}
	return false
}

func (log *ClientLog) Warning(_ string, fields map[string]interface{}) {
	if cause, found := fields[rlog.LogKeyUnderlayError]; found {
		log.lock.Lock()
		defer log.lock.Unlock()
		log.errors[fmt.Sprint(cause)] = true
	}
}

func (log *ClientLog) Debug(string, map[string]interface{}) {}
func (log *ClientLog) Info(string, map[string]interface{})  {}
func (log *ClientLog) Error(string, map[string]interface{}) {}
func (log *ClientLog) Fatal(string, map[string]interface{}) {}
func (log *ClientLog) Level(string)                         {}
func (log *ClientLog) OutputPath(string) error              { return nil }

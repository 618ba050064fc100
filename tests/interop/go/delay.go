package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/apache/rocketmq-client-go/v2/consumer"
	"github.com/apache/rocketmq-client-go/v2/primitive"
)

const (
	delayedPerLevel = 10
	// The Java broker looks at a level every 100 ms; the rest is for a busy machine.
	delayLateLimit = 2 * time.Second
)

var delayOfLevel = map[int]time.Duration{1: time.Second, 2: 5 * time.Second}

// Arrivals are the messages of a listener, and when each of them came.
type Arrivals struct {
	lock sync.Mutex
	list []arrival
}

type arrival struct {
	message *primitive.MessageExt
	at      time.Time
}

func (arrivals *Arrivals) listen(_ context.Context, batch ...*primitive.MessageExt) (consumer.ConsumeResult, error) {
	now := time.Now()
	arrivals.lock.Lock()
	defer arrivals.lock.Unlock()
	for _, message := range batch {
		arrivals.list = append(arrivals.list, arrival{message, now})
	}
	return consumer.ConsumeSuccess, nil
}

// ofLevel gives the arrivals of a level in the order in which the broker stored them.
func (arrivals *Arrivals) ofLevel(level int) []arrival {
	arrivals.lock.Lock()
	defer arrivals.lock.Unlock()
	var found []arrival
	for _, arrived := range arrivals.list {
		if arrived.message.GetProperty(primitive.PropertyDelayTimeLevel) == strconv.Itoa(level) {
			found = append(found, arrived)
		}
	}
	slices.SortFunc(found, func(a, b arrival) int {
		return cmp.Compare(a.message.CommitLogOffset, b.message.CommitLogOffset)
	})
	return found
}

func (arrivals *Arrivals) count() int {
	arrivals.lock.Lock()
	defer arrivals.lock.Unlock()
	return len(arrivals.list)
}

// delayLevels mixes two levels: the messages of each come in its order, late by little and never early.
func delayLevels(session *Session) (string, error) {
	client, err := session.producer()
	if err != nil {
		return "", err
	}
	if err := session.createTopic(session.topic, 4); err != nil {
		return "", err
	}
	arrivals := &Arrivals{}
	if _, err := session.listen(session.topic, withTags("*"), arrivals.listen); err != nil {
		return "", err
	}
	// A consumer that has got one message waits for the next, so that what is measured is the broker's delay.
	if err := session.send(client, "without delay"); err != nil {
		return "", err
	}
	if err := await("the message without delay", 20*time.Second, func() bool { return arrivals.count() == 1 }); err != nil {
		return "", err
	}
	for number := 0; number < 2*delayedPerLevel; number++ {
		message := session.message("T", fmt.Sprintf("delayed %d", number/2)).WithDelayTimeLevel(number%2 + 1)
		message.WithProperty("own", "value")
		if _, err := client.SendSync(context.Background(), message); err != nil {
			return "", err
		}
	}
	all := func() bool { return arrivals.count() == 1+2*delayedPerLevel }
	if err := await("the delayed messages", 20*time.Second, all); err != nil {
		return "", err
	}
	late1, err1 := checkLevel(session, 1, arrivals.ofLevel(1))
	late2, err2 := checkLevel(session, 2, arrivals.ofLevel(2))
	return fmt.Sprintf("late by %d ms and %d ms at most", late1.Milliseconds(), late2.Milliseconds()), errors.Join(err1, err2)
}

// checkLevel gives by how much the last message of a level was late.
func checkLevel(session *Session, level int, arrivals []arrival) (time.Duration, error) {
	if len(arrivals) != delayedPerLevel {
		return 0, fmt.Errorf("%d messages of level %d;", len(arrivals), level)
	}
	var latest time.Duration
	var troubles []error
	for position, arrived := range arrivals {
		message := arrived.message
		born := time.UnixMilli(message.BornTimestamp)
		stored := time.UnixMilli(message.StoreTimestamp).Sub(born)
		late := arrived.at.Sub(born) - delayOfLevel[level]
		latest = max(latest, late)
		troubles = append(troubles,
			equal(fmt.Sprintf("body at position %d of level %d", position, level),
				fmt.Sprintf("delayed %d", position), string(message.Body)),
			equal("topic", session.topic, message.Topic),
			equal("tag", "T", message.GetTags()),
			equal("property", "value", message.GetProperty("own")),
			equal("REAL_TOPIC", session.topic, message.GetProperty(primitive.PropertyRealTopic)),
			that(stored >= delayOfLevel[level], fmt.Sprintf("stored after %v at level %d", stored, level)),
			that(late < delayLateLimit, fmt.Sprintf("late by %v at level %d", late, level)))
	}
	return latest, errors.Join(troubles...)
}

package main

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/apache/rocketmq-client-go/v2/consumer"
	"github.com/apache/rocketmq-client-go/v2/primitive"
)

// Received keeps what a listener was given.
type Received struct {
	lock     sync.Mutex
	messages []*primitive.MessageExt
}

func (received *Received) listen(_ context.Context, batch ...*primitive.MessageExt) (consumer.ConsumeResult, error) {
	received.add(batch)
	return consumer.ConsumeSuccess, nil
}

func (received *Received) add(batch []*primitive.MessageExt) {
	received.lock.Lock()
	defer received.lock.Unlock()
	received.messages = append(received.messages, batch...)
}

func (received *Received) all() []*primitive.MessageExt {
	received.lock.Lock()
	defer received.lock.Unlock()
	return append([]*primitive.MessageExt(nil), received.messages...)
}

func (received *Received) await(count int, limit time.Duration) error {
	if err := await(fmt.Sprintf("%d messages", count), limit, func() bool { return len(received.all()) >= count }); err != nil {
		return fmt.Errorf("%w, only %d", err, len(received.all()))
	}
	return nil
}

// without gives what was received but for these bodies.
func (received *Received) without(bodies []string) *Received {
	left := &Received{}
	for _, message := range received.all() {
		if !slices.Contains(bodies, string(message.Body)) {
			left.add([]*primitive.MessageExt{message})
		}
	}
	return left
}

// exactly says whether each of these bodies came once and nothing else did.
func (received *Received) exactly(bodies []string) error {
	counts := map[string]int{}
	for _, message := range received.all() {
		counts[string(message.Body)]++
	}
	for _, body := range bodies {
		if counts[body] != 1 {
			return fmt.Errorf("%q came %d times", body, counts[body])
		}
		delete(counts, body)
	}
	if len(counts) > 0 {
		return fmt.Errorf("%d bodies that nobody asked for", len(counts))
	}
	return nil
}

package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	rocketmq "github.com/apache/rocketmq-client-go/v2"
	"github.com/apache/rocketmq-client-go/v2/consumer"
	"github.com/apache/rocketmq-client-go/v2/primitive"
	"github.com/apache/rocketmq-client-go/v2/producer"
)

// Session holds the clients, the topic and the groups of one check.
type Session struct {
	namesrv string
	topic   string
	clients int
	closers []func() error
}

func (session *Session) close() {
	for _, closer := range session.closers {
		// The check is decided; what a client says while it leaves does not change that.
		_ = closer()
	}
}

func (session *Session) message(tag, text string) *primitive.Message {
	message := primitive.NewMessage(session.topic, []byte(text))
	if tag != "" {
		message.WithTag(tag)
	}
	return message
}

// Two clients of one process share a connection unless their instances have different names.
func (session *Session) instance() string {
	session.clients++
	return fmt.Sprintf("%d-%s-%d", os.Getpid(), session.topic, session.clients)
}

func (session *Session) resolver() primitive.NsResolver {
	return primitive.NewPassthroughResolver([]string{session.namesrv})
}

func (session *Session) producer() (rocketmq.Producer, error) {
	client, err := rocketmq.NewProducer(
		producer.WithNsResolver(session.resolver()),
		producer.WithGroupName("P_"+session.topic),
		producer.WithInstanceName(session.instance()),
	)
	if err != nil {
		return nil, err
	}
	session.closers = append(session.closers, client.Shutdown)
	return client, client.Start()
}

func (session *Session) consumerOptions() []consumer.Option {
	return []consumer.Option{
		consumer.WithNsResolver(session.resolver()),
		consumer.WithGroupName("G_" + session.topic),
		consumer.WithInstance(session.instance()),
		consumer.WithConsumeFromWhere(consumer.ConsumeFromFirstOffset),
	}
}

// pushConsumer starts a consumer of the session's topic that writes into received. It tries again while the name
// server has not heard of a topic that the broker has just made, because this client does not wait for a route.
func (session *Session) pushConsumer(model consumer.MessageModel, tags string, received *Received) (rocketmq.PushConsumer, error) {
	var client rocketmq.PushConsumer
	var err error
	late := await("the route of "+session.topic, 10*time.Second, func() bool {
		client, err = session.startPushConsumer(model, tags, received)
		return err == nil
	})
	if late != nil {
		return nil, fmt.Errorf("%w: %w", late, err)
	}
	return client, nil
}

func (session *Session) startPushConsumer(model consumer.MessageModel, tags string, received *Received) (rocketmq.PushConsumer, error) {
	client, err := rocketmq.NewPushConsumer(append(session.consumerOptions(), consumer.WithConsumerModel(model))...)
	if err != nil {
		return nil, err
	}
	session.closers = append(session.closers, client.Shutdown)
	selector := consumer.MessageSelector{Type: consumer.TAG, Expression: tags}
	if err := client.Subscribe(session.topic, selector, received.listen); err != nil {
		return nil, err
	}
	return client, client.Start()
}

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

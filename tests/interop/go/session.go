package main

import (
	"context"
	"fmt"
	"os"
	"time"

	rocketmq "github.com/apache/rocketmq-client-go/v2"
	"github.com/apache/rocketmq-client-go/v2/admin"
	"github.com/apache/rocketmq-client-go/v2/consumer"
	"github.com/apache/rocketmq-client-go/v2/primitive"
	"github.com/apache/rocketmq-client-go/v2/producer"
)

// Session holds the clients, the topic and the groups of one check.
type Session struct {
	namesrv string
	broker  string
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

// createTopic makes a topic with this number of queues and waits until the name server knows it.
func (session *Session) createTopic(topic string, queues int) error {
	client, err := admin.NewAdmin(admin.WithResolver(session.resolver()))
	if err != nil {
		return err
	}
	defer client.Close()
	err = client.CreateTopic(context.Background(), admin.WithTopicCreate(topic), admin.WithBrokerAddrCreate(session.broker),
		admin.WithReadQueueNums(queues), admin.WithWriteQueueNums(queues))
	if err != nil {
		return err
	}
	// This client does not look at the code of the answer; a topic that was refused has no route.
	return await("the route of "+topic, 10*time.Second, func() bool {
		found, err := client.FetchPublishMessageQueues(context.Background(), topic)
		return err == nil && len(found) == queues
	})
}

// Two clients of one process share a connection unless their instances have different names.
func (session *Session) instance() string {
	session.clients++
	return fmt.Sprintf("%d-%s-%d", os.Getpid(), session.topic, session.clients)
}

func (session *Session) resolver() primitive.NsResolver {
	return primitive.NewPassthroughResolver([]string{session.namesrv})
}

func (session *Session) producerOptions() []producer.Option {
	return []producer.Option{
		producer.WithNsResolver(session.resolver()),
		producer.WithGroupName("P_" + session.topic),
		producer.WithInstanceName(session.instance()),
	}
}

func (session *Session) producer(options ...producer.Option) (rocketmq.Producer, error) {
	client, err := rocketmq.NewProducer(append(session.producerOptions(), options...)...)
	if err != nil {
		return nil, err
	}
	session.closers = append(session.closers, client.Shutdown)
	return client, client.Start()
}

// send sends a message of the session's topic for each body.
func (session *Session) send(client rocketmq.Producer, bodies ...string) error {
	for _, body := range bodies {
		if _, err := client.SendSync(context.Background(), session.message("", body)); err != nil {
			return err
		}
	}
	return nil
}

func (session *Session) group() string {
	return "G_" + session.topic
}

func (session *Session) consumerOptions() []consumer.Option {
	return []consumer.Option{
		consumer.WithNsResolver(session.resolver()),
		consumer.WithGroupName(session.group()),
		consumer.WithInstance(session.instance()),
		consumer.WithConsumeFromWhere(consumer.ConsumeFromFirstOffset),
	}
}

// pushConsumer starts a consumer of the session's topic that writes into received.
func (session *Session) pushConsumer(model consumer.MessageModel, tags string,
	received *Received) (rocketmq.PushConsumer, error) {
	return session.listen(session.topic, withTags(tags), received.listen, consumer.WithConsumerModel(model))
}

func withTags(tags string) consumer.MessageSelector {
	return consumer.MessageSelector{Type: consumer.TAG, Expression: tags}
}

// Listener is what a push consumer calls with the messages that it got.
type Listener = func(context.Context, ...*primitive.MessageExt) (consumer.ConsumeResult, error)

// listen starts a push consumer. It tries again while the name server has not heard of a topic that the broker has just
// made, because this client does not wait for a route.
func (session *Session) listen(topic string, selector consumer.MessageSelector, listener Listener,
	options ...consumer.Option) (rocketmq.PushConsumer, error) {
	var client rocketmq.PushConsumer
	var err error
	late := await("the route of "+topic, 10*time.Second, func() bool {
		client, err = session.startPushConsumer(topic, selector, listener, options)
		return err == nil
	})
	if late != nil {
		return nil, fmt.Errorf("%w: %w", late, err)
	}
	return client, nil
}

func (session *Session) startPushConsumer(topic string, selector consumer.MessageSelector, listener Listener,
	options []consumer.Option) (rocketmq.PushConsumer, error) {
	client, err := rocketmq.NewPushConsumer(append(session.consumerOptions(), options...)...)
	if err != nil {
		return nil, err
	}
	session.closers = append(session.closers, client.Shutdown)
	if err := client.Subscribe(topic, selector, listener); err != nil {
		return nil, err
	}
	return client, client.Start()
}

func (session *Session) pullConsumer(selector consumer.MessageSelector,
	options ...consumer.Option) (rocketmq.PullConsumer, error) {
	client, err := rocketmq.NewPullConsumer(append(session.consumerOptions(), options...)...)
	if err != nil {
		return nil, err
	}
	session.closers = append(session.closers, client.Shutdown)
	if err := client.Subscribe(session.topic, selector); err != nil {
		return nil, err
	}
	return client, client.Start()
}

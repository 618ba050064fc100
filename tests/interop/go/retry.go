package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	rocketmq "github.com/apache/rocketmq-client-go/v2"
	"github.com/apache/rocketmq-client-go/v2/consumer"
	"github.com/apache/rocketmq-client-go/v2/primitive"
)

const (
	// What a consumer may wish for the next delivery: a second, what the broker thinks right, or never again.
	levelOneSecond = 1
	levelOfBroker  = 0
	levelNever     = -1
	always         = math.MaxInt32
)

// retryComesAgain fails twice: the third delivery has been consumed twice, and the message is otherwise what it was.
func retryComesAgain(session *Session) (string, error) {
	deliveries, sent, err := sendToFailing(session, 2, levelOneSecond)
	if err != nil {
		return "", err
	}
	if err := deliveries.await(3, 30*time.Second); err != nil {
		return "", err
	}
	var troubles []error
	for times, delivery := range deliveries.all() {
		origin, delay := sent.OffsetMsgID, "1"
		if times == 0 {
			origin, delay = "", ""
		}
		troubles = append(troubles,
			equal("reconsume times", int32(times), delivery.ReconsumeTimes),
			// The client shows the topic to which the message was sent, and its own id.
			equal("topic", session.topic, delivery.Topic),
			equal("message id", sent.MsgID, delivery.MsgId),
			equal("ORIGIN_MESSAGE_ID", origin, delivery.GetProperty(primitive.PropertyOriginMessageId)),
			equal("DELAY", delay, delivery.GetProperty(primitive.PropertyDelayTimeLevel)),
			checkContent(delivery))
		if times > 0 {
			after := storedAfter(deliveries, times)
			soon := after >= time.Second && after < time.Second+delayLateLimit
			troubles = append(troubles, that(soon, fmt.Sprintf("again after %v", after)))
		}
	}
	return "", errors.Join(troubles...)
}

// Without a wish of the consumer the first delay is level 3, ten seconds.
func retryDefaultLevel(session *Session) (string, error) {
	deliveries, _, err := sendToFailing(session, 1, levelOfBroker)
	if err != nil {
		return "", err
	}
	if err := deliveries.await(2, 30*time.Second); err != nil {
		return "", err
	}
	return checkDefaultLevel(deliveries)
}

func checkDefaultLevel(deliveries *Received) (string, error) {
	second := deliveries.all()[1]
	after := storedAfter(deliveries, 1)
	return fmt.Sprintf("again after %d ms", after.Milliseconds()), errors.Join(
		equal("reconsume times", int32(1), second.ReconsumeTimes),
		equal("DELAY", "3", second.GetProperty(primitive.PropertyDelayTimeLevel)),
		that(after >= 10*time.Second && after < 15*time.Second, fmt.Sprintf("again after %v", after)),
		checkContent(second))
}

// What a pull consumer did not manage comes again too.
func retryPolled(session *Session) (string, error) {
	sender, err := retryTopics(session)
	if err != nil {
		return "", err
	}
	if _, err := sender.SendSync(context.Background(), retriedMessage(session)); err != nil {
		return "", err
	}
	// Unlike a push consumer, this one has messages given up at their first failure unless it is told otherwise.
	client, err := session.pullConsumer(withTags("*"), consumer.WithMaxReconsumeTimes(16))
	if err != nil {
		return "", err
	}
	deliveries := &Received{}
	once := func(message *primitive.MessageExt) consumer.ConsumeResult {
		if message.ReconsumeTimes == 0 {
			return consumer.ConsumeRetryLater
		}
		return consumer.ConsumeSuccess
	}
	if err := poll(client, deliveries, 2, once); err != nil {
		return "", err
	}
	return checkDefaultLevel(deliveries)
}

func retryDeadLetter(session *Session) (string, error) {
	deliveries, sent, err := sendToFailing(session, always, levelOneSecond, consumer.WithMaxReconsumeTimes(1))
	if err != nil {
		return "", err
	}
	return "", checkDead(session, deliveries, sent, 2)
}

func retryDeadLetterAtOnce(session *Session) (string, error) {
	deliveries, sent, err := sendToFailing(session, always, levelNever)
	if err != nil {
		return "", err
	}
	return "", checkDead(session, deliveries, sent, 1)
}

// sendToFailing sends a message to a consumer that fails so often, with this wish for the next delivery.
func sendToFailing(session *Session, failures int32, level int,
	options ...consumer.Option) (*Received, *primitive.SendResult, error) {
	client, err := retryTopics(session)
	if err != nil {
		return nil, nil, err
	}
	deliveries := &Received{}
	listener := func(ctx context.Context, batch ...*primitive.MessageExt) (consumer.ConsumeResult, error) {
		deliveries.add(batch)
		if batch[0].ReconsumeTimes >= failures {
			return consumer.ConsumeSuccess, nil
		}
		wish, _ := primitive.GetConcurrentlyCtx(ctx)
		wish.DelayLevelWhenNextConsume = level
		return consumer.ConsumeRetryLater, nil
	}
	if _, err := session.listen(session.topic, withTags("*"), listener, options...); err != nil {
		return nil, nil, err
	}
	sent, err := client.SendSync(context.Background(), retriedMessage(session))
	return deliveries, sent, err
}

// retryTopics makes the session's topic and the retry topic of its group. The heartbeat of a consumer makes that as well,
// but this client looks for new topics every 30 s only; it takes those at once that are there before it starts.
func retryTopics(session *Session) (rocketmq.Producer, error) {
	err := errors.Join(session.createTopic(session.topic, 1), session.createTopic("%RETRY%"+session.group(), 1))
	if err != nil {
		return nil, err
	}
	return session.producer()
}

func retriedMessage(session *Session) *primitive.Message {
	message := session.message("T", "body").WithKeys([]string{"key"})
	message.WithProperty("own", "value")
	return message
}

// checkDead reads the dead letter queue as any topic, with a group of its own.
func checkDead(session *Session, deliveries *Received, sent *primitive.SendResult, times int) error {
	if err := deliveries.await(times, 30*time.Second); err != nil {
		return err
	}
	topic := "%DLQ%" + session.group()
	letters := &Received{}
	if _, err := session.listen(topic, withTags("*"), letters.listen, consumer.WithGroupName("D_"+session.topic)); err != nil {
		return err
	}
	if err := letters.await(1, 30*time.Second); err != nil {
		return err
	}
	dead := letters.all()[0]
	return errors.Join(
		equal("deliveries", times, len(deliveries.all())),
		equal("dead letters", 1, len(letters.all())),
		equal("reconsume times", int32(times), dead.ReconsumeTimes),
		equal("topic", topic, dead.Topic),
		equal("message id", sent.MsgID, dead.MsgId),
		equal("RETRY_TOPIC", session.topic, dead.GetProperty(primitive.PropertyRetryTopic)),
		equal("ORIGIN_MESSAGE_ID", sent.OffsetMsgID, dead.GetProperty(primitive.PropertyOriginMessageId)),
		checkContent(dead))
}

func checkContent(message *primitive.MessageExt) error {
	return errors.Join(
		equal("body", "body", string(message.Body)),
		equal("tag", "T", message.GetTags()),
		equal("keys", "key", message.GetKeys()),
		equal("property", "value", message.GetProperty("own")))
}

// storedAfter gives how long after the delivery before it a delivery was stored.
func storedAfter(deliveries *Received, delivery int) time.Duration {
	all := deliveries.all()
	return time.Duration(all[delivery].StoreTimestamp-all[delivery-1].StoreTimestamp) * time.Millisecond
}

package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	rocketmq "github.com/apache/rocketmq-client-go/v2"
	"github.com/apache/rocketmq-client-go/v2/consumer"
	"github.com/apache/rocketmq-client-go/v2/primitive"
	"github.com/apache/rocketmq-client-go/v2/producer"
)

const (
	orderQueues = 4
	orderKeys   = 8
)

// OrderLog is what listeners were given from each queue, in the order in which they were called.
type OrderLog struct {
	lock   sync.Mutex
	queues map[int][]string
}

func newOrderLog() *OrderLog {
	return &OrderLog{queues: map[int][]string{}}
}

func (log *OrderLog) add(queue int, entry string) {
	log.lock.Lock()
	defer log.lock.Unlock()
	log.queues[queue] = append(log.queues[queue], entry)
}

func (log *OrderLog) count() int {
	log.lock.Lock()
	defer log.lock.Unlock()
	count := 0
	for _, entries := range log.queues {
		count += len(entries)
	}
	return count
}

// listen succeeds, but for the first delivery of the message with this body.
func (log *OrderLog) listen(suspended string) Listener {
	return func(ctx context.Context, batch ...*primitive.MessageExt) (consumer.ConsumeResult, error) {
		result := consumer.ConsumeSuccess
		for _, message := range batch {
			log.add(message.Queue.QueueId, fmt.Sprintf("%s / %d", message.Body, message.ReconsumeTimes))
			if string(message.Body) == suspended && message.ReconsumeTimes == 0 {
				wish, _ := primitive.GetOrderlyCtx(ctx)
				wish.SuspendCurrentQueueTimeMillis = 100
				result = consumer.SuspendCurrentQueueAMoment
			}
		}
		return result, nil
	}
}

// A message that fails is tried again before the next one of its queue comes; the other queues go on.
func orderSuspend(session *Session) (string, error) {
	client, err := orderProducer(session)
	if err != nil {
		return "", err
	}
	suspended := orderBody(3, 7)
	expected, found := newOrderLog(), newOrderLog()
	if err := sendByKey(session, client, 0, 20, suspended, expected); err != nil {
		return "", err
	}
	_, err = session.listen(session.topic, withTags("*"), found.listen(suspended), consumer.WithConsumerOrder(true))
	if err != nil {
		return "", err
	}
	late := await("all deliveries", 30*time.Second, func() bool { return found.count() >= expected.count() })
	return fmt.Sprintf("%d deliveries", found.count()), errors.Join(late, equalOrder(expected, found))
}

// A consumer that leaves gives its queues free, long before the broker would take them from one that is silent.
func orderHandedOver(session *Session) (string, error) {
	client, err := orderProducer(session)
	if err != nil {
		return "", err
	}
	expected, found := newOrderLog(), newOrderLog()
	if err := sendByKey(session, client, 0, 10, "", expected); err != nil {
		return "", err
	}
	leaving, err := session.listen(session.topic, withTags("*"), found.listen(""), consumer.WithConsumerOrder(true))
	if err != nil {
		return "", err
	}
	all := func() bool { return found.count() >= expected.count() }
	if err := await("the messages of the first consumer", 30*time.Second, all); err != nil {
		return "", err
	}
	if err := leaving.Shutdown(); err != nil {
		return "", err
	}
	if err := sendByKey(session, client, 10, 20, "", expected); err != nil {
		return "", err
	}
	start := time.Now()
	if _, err := session.listen(session.topic, withTags("*"), found.listen(""), consumer.WithConsumerOrder(true)); err != nil {
		return "", err
	}
	late := await("the messages of the second consumer", 30*time.Second, all)
	return fmt.Sprintf("handed over in %d ms", time.Since(start).Milliseconds()), errors.Join(late, equalOrder(expected, found))
}

// orderProducer makes the session's topic and a producer that sends all messages of a key to one queue.
func orderProducer(session *Session) (rocketmq.Producer, error) {
	if err := session.createTopic(session.topic, orderQueues); err != nil {
		return nil, err
	}
	return session.producer(producer.WithQueueSelector(producer.NewHashQueueSelector()))
}

func orderBody(key, number int) string {
	return fmt.Sprintf("key %d number %d", key, number)
}

// sendByKey sends numbers of all keys in turn, and adds to expected what a consumer should be given.
func sendByKey(session *Session, client rocketmq.Producer, first, end int, suspended string, expected *OrderLog) error {
	queueOf := map[int]int{}
	for number := first; number < end; number++ {
		for key := 0; key < orderKeys; key++ {
			body := orderBody(key, number)
			message := session.message("", body).WithShardingKey(fmt.Sprintf("key %d", key))
			result, err := client.SendSync(context.Background(), message)
			if err != nil {
				return err
			}
			queue := result.MessageQueue.QueueId
			if before, known := queueOf[key]; known && before != queue {
				return fmt.Errorf("key %d went to the queues %d and %d", key, before, queue)
			}
			queueOf[key] = queue
			expected.add(queue, body+" / 0")
			if body == suspended {
				expected.add(queue, body+" / 1")
			}
		}
	}
	if len(expected.queues) < 2 {
		return errors.New("all keys went to one queue")
	}
	return nil
}

// equalOrder names the first delivery of each queue that is not the one that was due.
func equalOrder(expected, found *OrderLog) error {
	found.lock.Lock()
	defer found.lock.Unlock()
	var troubles []error
	for queue, due := range expected.queues {
		came := found.queues[queue]
		if slices.Equal(due, came) {
			continue
		}
		position := 0
		for position < min(len(due), len(came)) && due[position] == came[position] {
			position++
		}
		troubles = append(troubles, fmt.Errorf("queue %d, delivery %d of %d: expected %q, found %q;", queue, position, len(due),
			at(due, position), at(came, position)))
	}
	return errors.Join(troubles...)
}

func at(entries []string, position int) string {
	if position < len(entries) {
		return entries[position]
	}
	return "nothing"
}

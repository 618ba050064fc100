package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	rocketmq "github.com/apache/rocketmq-client-go/v2"
	"github.com/apache/rocketmq-client-go/v2/consumer"
	"github.com/apache/rocketmq-client-go/v2/primitive"
)

func withSQL(expression string) consumer.MessageSelector {
	return consumer.MessageSelector{Type: consumer.SQL92, Expression: expression}
}

// sendNumbered sends messages with properties that expressions look at, and gives the queue of the last one.
func sendNumbered(session *Session, client rocketmq.Producer, numbers ...int) (*primitive.MessageQueue, error) {
	var queue *primitive.MessageQueue
	for _, number := range numbers {
		message := session.message(fmt.Sprintf("T%d", number%2), strconv.Itoa(number))
		message.WithProperty("n", strconv.Itoa(number))
		message.WithProperty("letter", []string{"a", "b", "c"}[number%3])
		if number%2 == 0 {
			message.WithProperty("even", "it's")
		}
		result, err := client.SendSync(context.Background(), message)
		if err != nil {
			return nil, err
		}
		queue = result.MessageQueue
	}
	return queue, nil
}

func numbersFrom(first, end int) []int {
	var numbers []int
	for number := first; number < end; number++ {
		numbers = append(numbers, number)
	}
	return numbers
}

// filterSQLPush has messages from before a consumer and from after it; the last one shows that what is missing was
// passed over.
func filterSQLPush(session *Session) (string, error) {
	client, err := session.producer()
	if err != nil {
		return "", err
	}
	if err := session.createTopic(session.topic, 1); err != nil {
		return "", err
	}
	if _, err := sendNumbered(session, client, numbersFrom(0, 20)...); err != nil {
		return "", err
	}
	received := &Received{}
	expression := "n BETWEEN 5 AND 9 AND letter <> 'a' OR n >= 30 AND even IS NOT NULL"
	if _, err := session.listen(session.topic, withSQL(expression), received.listen); err != nil {
		return "", err
	}
	if err := received.await(3, 20*time.Second); err != nil {
		return "", err
	}
	if _, err := sendNumbered(session, client, numbersFrom(20, 41)...); err != nil {
		return "", err
	}
	wanted := []string{"5", "7", "8", "30", "32", "34", "36", "38", "40"}
	if err := received.await(len(wanted), 20*time.Second); err != nil {
		return "", err
	}
	return "", received.exactly(wanted)
}

// Each pull brings an expression of its own, and gets what matches among ten messages.
func filterSQLPull(session *Session) (string, error) {
	client, queue, err := sqlPuller(session)
	if err != nil {
		return "", err
	}
	expressions := []struct {
		text  string
		match []int
	}{
		{"n > 5", []int{6, 7, 8, 9}},
		{"n BETWEEN 2 AND 4", []int{2, 3, 4}},
		{"letter = 'a'", []int{0, 3, 6, 9}},
		{"letter NOT IN ('a', 'b')", []int{2, 5, 8}},
		{"even IS NULL", []int{1, 3, 5, 7, 9}},
		{"even = 'it''s' AND n > 4", []int{6, 8}},
		{"n = 1 OR n = 2 AND letter = 'a'", []int{1}},
		{"(n = 1 OR n = 3) AND letter = 'a'", []int{3}},
		{"TAGS = 'T1' AND n < 5", []int{1, 3}},
		{"missing IS NULL AND n = 9", []int{9}},
		{"missing > 3", nil},
		{"TRUE", numbersFrom(0, 10)},
	}
	var troubles []error
	for _, expression := range expressions {
		found, err := pullSQL(session, client, queue, expression.text)
		if err == nil {
			err = equal(expression.text, expression.match, found)
		}
		troubles = append(troubles, err)
	}
	return fmt.Sprintf("%d expressions", len(expressions)), errors.Join(troubles...)
}

func sqlPuller(session *Session) (rocketmq.PullConsumer, *primitive.MessageQueue, error) {
	sender, err := session.producer()
	if err != nil {
		return nil, nil, err
	}
	if err := session.createTopic(session.topic, 1); err != nil {
		return nil, nil, err
	}
	queue, err := sendNumbered(session, sender, numbersFrom(0, 10)...)
	if err != nil {
		return nil, nil, err
	}
	client, err := session.pullConsumer(withSQL("TRUE"))
	return client, queue, err
}

// pullSQL gives the numbers of the messages that match, in the order of the queue.
func pullSQL(session *Session, client rocketmq.PullConsumer, queue *primitive.MessageQueue, expression string) ([]int, error) {
	// A pull takes the expression of the last subscription.
	if err := client.Subscribe(session.topic, withSQL(expression)); err != nil {
		return nil, err
	}
	result, err := client.PullFrom(context.Background(), queue, 0, 32)
	if err != nil {
		return nil, err
	}
	var numbers []int
	for _, message := range result.GetMessageExts() {
		number, err := strconv.Atoi(message.GetProperty("n"))
		if err != nil {
			return nil, err
		}
		numbers = append(numbers, number)
	}
	return numbers, equal("next offset of "+expression, int64(10), result.NextBeginOffset)
}

// A condition that cannot be read is taken by the client, which does not let the broker look at it before, and told to the
// log when a pull fails. Nothing is delivered, and nothing is passed over: a better condition finds all messages. A pull
// that brings such a condition is no check for both brokers: FerroMQ refuses it, RocketMQ gives everything.
func filterSQLBroken(session *Session) (string, error) {
	client, err := session.producer()
	if err != nil {
		return "", err
	}
	if err := session.createTopic(session.topic, 1); err != nil {
		return "", err
	}
	if _, err := sendNumbered(session, client, numbersFrom(0, 10)...); err != nil {
		return "", err
	}
	broken := &Received{}
	leaving, err := session.listen(session.topic, withSQL("n >"), broken.listen)
	if err != nil {
		return "", err
	}
	refused := func() bool { return clientLog.has("Your expression may be wrong") }
	if err := await("the refusal in the client's log", 10*time.Second, refused); err != nil {
		return "", err
	}
	if err := leaving.Shutdown(); err != nil {
		return "", err
	}
	mended := &Received{}
	if _, err := session.listen(session.topic, withSQL("n > 7 OR n < 2"), mended.listen); err != nil {
		return "", err
	}
	if err := mended.await(4, 20*time.Second); err != nil {
		return "", err
	}
	return "", errors.Join(mended.exactly([]string{"0", "1", "8", "9"}), equal("messages of the broken one", 0, len(broken.all())))
}

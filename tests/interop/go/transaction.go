package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	rocketmq "github.com/apache/rocketmq-client-go/v2"
	"github.com/apache/rocketmq-client-go/v2/consumer"
	"github.com/apache/rocketmq-client-go/v2/primitive"
)

// The driver lets the broker ask about open transactions every 2 s, when they are 1 s old, three times.
const (
	askedWhenOlderThan = time.Second
	askedWithin        = 30 * time.Second
)

// Answers are what a producer says about its transactions, and the messages about which the broker asked.
type Answers struct {
	local func(body string) primitive.LocalTransactionState
	later func(body string, question int) primitive.LocalTransactionState
	lock  sync.Mutex
	asked []*primitive.MessageExt
}

func (answers *Answers) ExecuteLocalTransaction(message *primitive.Message) primitive.LocalTransactionState {
	return answers.local(string(message.Body))
}

func (answers *Answers) CheckLocalTransaction(message *primitive.MessageExt) primitive.LocalTransactionState {
	answers.lock.Lock()
	defer answers.lock.Unlock()
	answers.asked = append(answers.asked, message)
	return answers.later(string(message.Body), len(answers.asked))
}

// questions are the bodies of the messages about which the broker asked, in the order in which it did.
func (answers *Answers) questions() []string {
	answers.lock.Lock()
	defer answers.lock.Unlock()
	var bodies []string
	for _, message := range answers.asked {
		bodies = append(bodies, string(message.Body))
	}
	return bodies
}

func unknown(string) primitive.LocalTransactionState {
	return primitive.UnknowState
}

func transactionProducer(session *Session, answers *Answers) (rocketmq.TransactionProducer, error) {
	client, err := rocketmq.NewTransactionProducer(answers, session.producerOptions()...)
	if err != nil {
		return nil, err
	}
	session.closers = append(session.closers, client.Shutdown)
	return client, client.Start()
}

// transactionTopic makes the session's topic, with one queue, and starts a consumer of it.
func transactionTopic(session *Session) (*Received, error) {
	if err := session.createTopic(session.topic, 1); err != nil {
		return nil, err
	}
	received := &Received{}
	_, err := session.pushConsumer(consumer.Clustering, "*", received)
	return received, err
}

// Nobody sees the message before the commit, and with it everybody does.
func transactionCommit(session *Session) (string, error) {
	received, err := transactionTopic(session)
	if err != nil {
		return "", err
	}
	observer, err := session.producer()
	if err != nil {
		return "", err
	}
	var before error
	answers := &Answers{later: func(string, int) primitive.LocalTransactionState { return primitive.UnknowState }}
	answers.local = func(string) primitive.LocalTransactionState {
		before = errors.Join(session.send(observer, "marker"), received.await(1, 20*time.Second))
		return primitive.CommitMessageState
	}
	client, err := transactionProducer(session, answers)
	if err != nil {
		return "", err
	}
	result, err := client.SendMessageInTransaction(context.Background(), session.message("T", "committed"))
	if err := errors.Join(err, before); err != nil {
		return "", err
	}
	if err := received.await(2, 10*time.Second); err != nil {
		return "", err
	}
	marker, message := received.all()[0], received.all()[1]
	return "", errors.Join(
		equal("status", primitive.SendOK, result.Status),
		equal("state", primitive.CommitMessageState, result.State),
		equal("first body", "marker", string(marker.Body)),
		equal("second body", "committed", string(message.Body)),
		equal("tag", "T", message.GetTags()),
		equal("queue offset", int64(1), message.QueueOffset),
		equal("message id", result.MsgID, message.MsgId),
		equal("transaction id", result.MsgID, message.TransactionId),
		equal("transaction bits", primitive.TransactionCommitType, primitive.GetTransactionValue(int(message.SysFlag))),
		equal("PGROUP", "P_"+session.topic, message.GetProperty(primitive.PropertyProducerGroup)))
}

// One is rolled back at once and one when the broker asks; a third, later one shows that time has passed.
func transactionRollback(session *Session) (string, error) {
	received, err := transactionTopic(session)
	if err != nil {
		return "", err
	}
	answers := &Answers{}
	answers.local = func(body string) primitive.LocalTransactionState {
		if body == "at once" {
			return primitive.RollbackMessageState
		}
		return primitive.UnknowState
	}
	answers.later = func(body string, _ int) primitive.LocalTransactionState {
		if body == "when asked" {
			return primitive.RollbackMessageState
		}
		return primitive.CommitMessageState
	}
	client, err := transactionProducer(session, answers)
	if err != nil {
		return "", err
	}
	for _, body := range []string{"at once", "when asked"} {
		if _, err := client.SendMessageInTransaction(context.Background(), session.message("", body)); err != nil {
			return "", err
		}
	}
	first := func() bool { return len(answers.questions()) > 0 }
	if err := await("the question about one message", askedWithin, first); err != nil {
		return "", err
	}
	if _, err := client.SendMessageInTransaction(context.Background(), session.message("", "late")); err != nil {
		return "", err
	}
	if err := received.await(1, askedWithin); err != nil {
		return "", err
	}
	return "", errors.Join(
		equal("questions", []string{"when asked", "late"}, answers.questions()),
		received.exactly([]string{"late"}),
		// Nothing was stored before it, not even for consumers that would look later.
		equal("queue offset", int64(0), received.all()[0].QueueOffset))
}

// What is open is asked about, and once more when the answer was that nobody knows.
func transactionAsked(session *Session) (string, error) {
	received, err := transactionTopic(session)
	if err != nil {
		return "", err
	}
	answers := &Answers{local: unknown}
	answers.later = func(_ string, question int) primitive.LocalTransactionState {
		if question == 1 {
			return primitive.UnknowState
		}
		return primitive.CommitMessageState
	}
	client, err := transactionProducer(session, answers)
	if err != nil {
		return "", err
	}
	start := time.Now()
	result, err := client.SendMessageInTransaction(context.Background(), session.message("", "open"))
	if err != nil {
		return "", err
	}
	if err := received.await(1, askedWithin); err != nil {
		return "", err
	}
	after := time.Since(start)
	if err := equal("questions", []string{"open", "open"}, answers.questions()); err != nil {
		return "", err
	}
	message, question := received.all()[0], answers.asked[0]
	return fmt.Sprintf("committed after %d ms", after.Milliseconds()), errors.Join(
		equal("state", primitive.UnknowState, result.State),
		that(after >= askedWhenOlderThan, fmt.Sprintf("asked about a message that was %v old", after)),
		equal("topic of the question", session.topic, question.Topic),
		equal("transaction id of the question", result.MsgID, question.TransactionId),
		// The first question may be lost, when it comes before the producer's first heartbeat.
		equal("count of the second question", checkTimes(question)+1, checkTimes(answers.asked[1])),
		received.exactly([]string{"open"}),
		equal("message id", result.MsgID, message.MsgId))
}

func checkTimes(question *primitive.MessageExt) int {
	times, _ := strconv.Atoi(question.GetProperty(primitive.PropertyTranscationCheckTimes))
	return times
}

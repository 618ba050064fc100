package main

import (
	"context"
	"fmt"
	"time"

	rocketmq "github.com/apache/rocketmq-client-go/v2"
	"github.com/apache/rocketmq-client-go/v2/consumer"
	"github.com/apache/rocketmq-client-go/v2/primitive"
)

func pushTagFilter(session *Session) (string, error) {
	client, err := session.producer()
	if err != nil {
		return "", err
	}
	var wanted []string
	for number, body := range texts("tagged", 60) {
		tag := []string{"A", "B", "C"}[number%3]
		if tag != "B" {
			wanted = append(wanted, body)
		}
		if _, err := client.SendSync(context.Background(), session.message(tag, body)); err != nil {
			return "", err
		}
	}
	received := &Received{}
	if _, err := session.pushConsumer(consumer.Clustering, "A || C", received); err != nil {
		return "", err
	}
	if err := received.await(len(wanted), 30*time.Second); err != nil {
		return "", err
	}
	return "", received.exactly(wanted)
}

// A waiting consumer gets messages that are sent after it has started, and continues where it was after a restart.
func pushRestart(session *Session) (string, error) {
	client, err := session.producer()
	if err != nil {
		return "", err
	}
	if err := session.send(client, "first"); err != nil {
		return "", err
	}
	before := &Received{}
	leaving, err := session.pushConsumer(consumer.Clustering, "*", before)
	if err != nil {
		return "", err
	}
	if err := before.await(1, 30*time.Second); err != nil {
		return "", err
	}
	start := time.Now()
	if err := session.send(client, texts("waiting", 20)...); err != nil {
		return "", err
	}
	if err := before.await(21, 10*time.Second); err != nil {
		return "", err
	}
	waited := time.Since(start)
	if err := leaving.Shutdown(); err != nil {
		return "", err
	}
	if err := session.send(client, texts("later", 10)...); err != nil {
		return "", err
	}
	after := &Received{}
	if _, err := session.pushConsumer(consumer.Clustering, "*", after); err != nil {
		return "", err
	}
	// What was being handled when the first consumer left has no offset yet and rightly comes again.
	again := texts("waiting", 20)
	ten := func() bool { return len(after.without(again).all()) >= 10 }
	if err := await("the later messages", 30*time.Second, ten); err != nil {
		return "", err
	}
	return fmt.Sprintf("20 messages sent and received in %d ms", waited.Milliseconds()),
		after.without(again).exactly(texts("later", 10))
}

// pushRebalance has a second consumer of the group take queues over from the first, and give them back.
func pushRebalance(session *Session) (string, error) {
	client, err := session.producer()
	if err != nil {
		return "", err
	}
	sent := 0
	send := func() error {
		_, err := client.SendSync(context.Background(), session.message("", fmt.Sprintf("rebalance %d", sent)))
		sent++
		return err
	}
	if err := send(); err != nil {
		return "", err
	}
	first, second := &Received{}, &Received{}
	if _, err := session.pushConsumer(consumer.Clustering, "*", first); err != nil {
		return "", err
	}
	if err := first.await(1, 30*time.Second); err != nil {
		return "", err
	}
	leaving, err := session.pushConsumer(consumer.Clustering, "*", second)
	if err != nil {
		return "", err
	}
	start := time.Now()
	shared := func() bool { return send() == nil && len(second.all()) > 0 }
	if err := await("a message for the second consumer", 60*time.Second, shared); err != nil {
		return "", err
	}
	waited := time.Since(start)
	if err := leaving.Shutdown(); err != nil {
		return "", err
	}
	// Messages may come to both while queues change hands, but none may be missing.
	all := func() bool {
		seen := map[string]bool{}
		for _, message := range append(first.all(), second.all()...) {
			seen[string(message.Body)] = true
		}
		return len(seen) == sent
	}
	return fmt.Sprintf("shared after %d ms", waited.Milliseconds()), await("every message", 60*time.Second, all)
}

func pushBroadcast(session *Session) (string, error) {
	client, err := session.producer()
	if err != nil {
		return "", err
	}
	bodies := texts("broadcast", 40)
	if err := session.send(client, bodies[0]); err != nil {
		return "", err
	}
	first, second := &Received{}, &Received{}
	for _, received := range []*Received{first, second} {
		if _, err := session.pushConsumer(consumer.BroadCasting, "*", received); err != nil {
			return "", err
		}
	}
	if err := session.send(client, bodies[1:]...); err != nil {
		return "", err
	}
	for _, received := range []*Received{first, second} {
		if err := received.await(len(bodies), 30*time.Second); err != nil {
			return "", err
		}
		if err := received.exactly(bodies); err != nil {
			return "", err
		}
	}
	return "", nil
}

func pullPoll(session *Session) (string, error) {
	sender, err := session.producer()
	if err != nil {
		return "", err
	}
	bodies := texts("polled", 100)
	if err := session.send(sender, bodies...); err != nil {
		return "", err
	}
	client, err := session.pullConsumer(withTags("*"))
	if err != nil {
		return "", err
	}
	received := &Received{}
	succeed := func(*primitive.MessageExt) consumer.ConsumeResult { return consumer.ConsumeSuccess }
	if err := poll(client, received, len(bodies), succeed); err != nil {
		return "", err
	}
	return "", received.exactly(bodies)
}

// poll polls until so many messages have come, and answers each batch as its first message asks for.
func poll(client rocketmq.PullConsumer, received *Received, count int,
	answer func(*primitive.MessageExt) consumer.ConsumeResult) error {
	deadline := time.Now().Add(30 * time.Second)
	for len(received.all()) < count {
		request, err := client.Poll(context.Background(), time.Second)
		if consumer.IsNoNewMsgError(err) && time.Now().Before(deadline) {
			continue
		}
		if err != nil {
			return fmt.Errorf("%d of %d messages: %w", len(received.all()), count, err)
		}
		received.add(request.GetMsgList())
		client.ACK(context.Background(), request, answer(request.GetMsgList()[0]))
	}
	return nil
}

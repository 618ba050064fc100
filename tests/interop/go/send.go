package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/apache/rocketmq-client-go/v2/consumer"
	"github.com/apache/rocketmq-client-go/v2/primitive"
)

// texts are the bodies `KIND 0` to `KIND count-1`.
func texts(kind string, count int) []string {
	bodies := make([]string, count)
	for number := range bodies {
		bodies[number] = fmt.Sprintf("%s %d", kind, number)
	}
	return bodies
}

// verify consumes the session's topic and compares it with what was sent.
func verify(session *Session, bodies []string) error {
	received := &Received{}
	if _, err := session.pushConsumer(consumer.Clustering, "*", received); err != nil {
		return err
	}
	if err := received.await(len(bodies), 30*time.Second); err != nil {
		return err
	}
	return received.exactly(bodies)
}

func sendSync(session *Session) (string, error) {
	client, err := session.producer()
	if err != nil {
		return "", err
	}
	bodies := texts("sync", 40)
	places := map[string]bool{}
	for _, body := range bodies {
		result, err := client.SendSync(context.Background(), session.message("", body))
		if err != nil {
			return "", err
		}
		if result.Status != primitive.SendOK || result.OffsetMsgID == "" {
			return "", fmt.Errorf("odd result %s", result)
		}
		places[fmt.Sprintf("%d:%d", result.MessageQueue.QueueId, result.QueueOffset)] = true
	}
	if len(places) != len(bodies) {
		return "", fmt.Errorf("%d different queue offsets for %d messages", len(places), len(bodies))
	}
	return "", verify(session, bodies)
}

func sendAsync(session *Session) (string, error) {
	client, err := session.producer()
	if err != nil {
		return "", err
	}
	bodies := texts("async", 100)
	// The topic is made by a send of its own: this client does not queue sends behind the first one.
	if _, err := client.SendSync(context.Background(), session.message("", bodies[0])); err != nil {
		return "", err
	}
	answers := make(chan error, len(bodies))
	for _, body := range bodies[1:] {
		err := client.SendAsync(context.Background(), func(_ context.Context, result *primitive.SendResult, err error) {
			if err == nil && result.Status != primitive.SendOK {
				err = fmt.Errorf("odd result %s", result)
			}
			answers <- err
		}, session.message("", body))
		if err != nil {
			return "", err
		}
	}
	for range bodies[1:] {
		select {
		case err := <-answers:
			if err != nil {
				return "", err
			}
		case <-time.After(10 * time.Second):
			return "", fmt.Errorf("a send without an answer")
		}
	}
	return "", verify(session, bodies)
}

func sendOneway(session *Session) (string, error) {
	client, err := session.producer()
	if err != nil {
		return "", err
	}
	bodies := texts("oneway", 40)
	if _, err := client.SendSync(context.Background(), session.message("", bodies[0])); err != nil {
		return "", err
	}
	for _, body := range bodies[1:] {
		if err := client.SendOneWay(context.Background(), session.message("", body)); err != nil {
			return "", err
		}
	}
	return "", verify(session, bodies)
}

func sendBatch(session *Session) (string, error) {
	client, err := session.producer()
	if err != nil {
		return "", err
	}
	bodies := texts("batch", 32)
	var batch []*primitive.Message
	for _, body := range bodies {
		batch = append(batch, session.message("", body))
	}
	result, err := client.SendSync(context.Background(), batch...)
	if err != nil {
		return "", err
	}
	if ids := strings.Count(result.OffsetMsgID, ",") + 1; ids != len(bodies) {
		return "", fmt.Errorf("%d offset message ids for %d messages", ids, len(bodies))
	}
	return "", verify(session, bodies)
}

func sendCompressed(session *Session) (string, error) {
	client, err := session.producer()
	if err != nil {
		return "", err
	}
	bodies := []string{strings.Repeat("compressible text ", 20_000)}
	if _, err := client.SendSync(context.Background(), session.message("", bodies[0])); err != nil {
		return "", err
	}
	return "", verify(session, bodies)
}

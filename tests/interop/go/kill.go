package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/apache/rocketmq-client-go/v2/consumer"
	"github.com/apache/rocketmq-client-go/v2/primitive"
)

const senders = 4

// killProduce sends, through the kills, until standard input ends, and writes the id of every acknowledged message.
func killProduce(path string) func(*Session) (string, error) {
	return func(session *Session) (string, error) {
		session.topic = killTopic(session)
		client, err := session.producer()
		if err != nil {
			return "", err
		}
		file, err := os.Create(path)
		if err != nil {
			return "", err
		}
		defer file.Close()
		var lock sync.Mutex
		var acked, failed atomic.Int64
		send := func() bool {
			key := strconv.FormatInt(time.Now().UnixNano(), 10)
			message := session.message("", killBody(key)).WithKeys([]string{key})
			result, err := client.SendSync(context.Background(), message)
			if err != nil || result.Status != primitive.SendOK {
				failed.Add(1)
				return false
			}
			lock.Lock()
			defer lock.Unlock()
			_, err = fmt.Fprintln(file, result.MsgID)
			acked.Add(1)
			return err == nil
		}
		// The topic is made by a send of its own: this client does not queue sends behind the first one.
		if err := await("the first acknowledgement", 10*time.Second, send); err != nil {
			return "", err
		}
		var stop atomic.Bool
		var running sync.WaitGroup
		for sender := 0; sender < senders; sender++ {
			running.Add(1)
			go func() {
				defer running.Done()
				for !stop.Load() {
					if !send() {
						// The broker is away; there is no use in asking a thousand times a second.
						time.Sleep(50 * time.Millisecond)
					}
				}
			}()
		}
		// The driver closes our input when it has killed often enough.
		_, err = io.Copy(io.Discard, os.Stdin)
		stop.Store(true)
		running.Wait()
		return fmt.Sprintf("%d acknowledged, %d failed", acked.Load(), failed.Load()), err
	}
}

// killConsume reads the topic until it has seen every message that was acknowledged.
func killConsume(path string) func(*Session) (string, error) {
	return func(session *Session) (string, error) {
		session.topic = killTopic(session)
		missing, err := readLines(path)
		if err != nil {
			return "", err
		}
		acked := len(missing)
		received := &Received{}
		if _, err := session.pushConsumer(consumer.Clustering, "*", received); err != nil {
			return "", err
		}
		looked := 0
		late := await("all acknowledged messages", 60*time.Second, func() bool {
			all := received.all()
			for _, message := range all[looked:] {
				if string(message.Body) != killBody(message.GetKeys()) {
					err = fmt.Errorf("%s has another body than was sent", message.MsgId)
				}
				delete(missing, message.MsgId)
			}
			looked = len(all)
			return len(missing) == 0
		})
		if late != nil {
			late = fmt.Errorf("%d of %d acknowledged messages are missing", len(missing), acked)
		}
		return fmt.Sprintf("%d acknowledged, %d delivered", acked, looked), errors.Join(late, err)
	}
}

// killBody is what a message with this key contains, so that the consumer can tell without having seen it sent.
func killBody(key string) string {
	return strings.Repeat(key+" ", 40)
}

// killTopic is the same in both processes.
func killTopic(session *Session) string {
	return strings.TrimSuffix(strings.TrimSuffix(session.topic, "_produce"), "_consume")
}

func readLines(path string) (map[string]bool, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	lines := map[string]bool{}
	scanner := bufio.NewScanner(file)
	for scanner.Scan() {
		lines[scanner.Text()] = true
	}
	return lines, scanner.Err()
}

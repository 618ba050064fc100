package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	rocketmq "github.com/apache/rocketmq-client-go/v2"
	"github.com/apache/rocketmq-client-go/v2/consumer"
	"github.com/apache/rocketmq-client-go/v2/primitive"
)

const (
	requestTimeLimit = 10 * time.Second
	// The body of the requests by which a client finds out whether the broker knows it.
	hello = "hello"
)

// Two clients ask in turn and each gets the replies to its own requests.
func requestSync(session *Session) (string, error) {
	answerer, err := answer(session)
	if err != nil {
		return "", err
	}
	var clients []rocketmq.Producer
	for len(clients) < 2 {
		client, err := requester(session)
		if err != nil {
			return "", err
		}
		clients = append(clients, client)
	}
	var troubles []error
	for number := 0; number < 10; number++ {
		request := session.message("", fmt.Sprintf("request %d", number))
		reply, err := clients[number%2].Request(context.Background(), requestTimeLimit, request)
		if err != nil {
			return "", err
		}
		troubles = append(troubles,
			equal("body", fmt.Sprintf("reply to request %d", number), string(reply.Body)),
			equal("topic", "DefaultCluster_REPLY_TOPIC", reply.Topic),
			equal("MSG_TYPE", "reply", reply.GetProperty(primitive.PropertyMsgType)),
			equal("property", "kept", reply.GetProperty("own")))
		for _, name := range []string{primitive.PropertyCorrelationID, primitive.PropertyMessageReplyToClient} {
			troubles = append(troubles, equal(name, request.GetProperty(name), reply.GetProperty(name)))
		}
	}
	requests, refused := answerer.requests()
	return "", errors.Join(append(troubles, refused, equal("requests", 10, requests))...)
}

func requestAsync(session *Session) (string, error) {
	answerer, err := answer(session)
	if err != nil {
		return "", err
	}
	client, err := requester(session)
	if err != nil {
		return "", err
	}
	// This client calls back a second time when it forgets a request that was answered.
	var lock sync.Mutex
	replies := map[string]string{}
	for _, text := range texts("request", 20) {
		text := text
		callback := func(_ context.Context, reply *primitive.Message, err error) {
			lock.Lock()
			defer lock.Unlock()
			if err != nil {
				replies[text] = err.Error()
			} else if reply != nil {
				replies[text] = string(reply.Body)
			}
		}
		if err := client.RequestAsync(context.Background(), requestTimeLimit, callback, session.message("", text)); err != nil {
			return "", err
		}
	}
	late := await("20 replies", requestTimeLimit, func() bool {
		lock.Lock()
		defer lock.Unlock()
		return len(replies) == 20
	})
	if late != nil {
		return "", late
	}
	lock.Lock()
	defer lock.Unlock()
	var troubles []error
	for request, reply := range replies {
		troubles = append(troubles, equal("body", "reply to "+request, reply))
	}
	requests, refused := answerer.requests()
	return "", errors.Join(append(troubles, refused, equal("requests", 20, requests))...)
}

// Nobody answers, but the request is a message like others and is there for who comes later.
func requestTimeout(session *Session) (string, error) {
	client, err := session.producer()
	if err != nil {
		return "", err
	}
	if err := session.createTopic(session.topic, 1); err != nil {
		return "", err
	}
	start := time.Now()
	reply, err := client.Request(context.Background(), time.Second, session.message("", "nobody is there"))
	after := time.Since(start)
	if err == nil {
		return "", fmt.Errorf("reply %s", reply)
	}
	return "", errors.Join(
		that(after >= time.Second && after < 4*time.Second, fmt.Sprintf("gave up after %v: %v", after, err)),
		verify(session, []string{"nobody is there"}))
}

// Answerer answers all requests of its topic.
type Answerer struct {
	replies rocketmq.Producer
	lock    sync.Mutex
	count   int
	refused error
}

func answer(session *Session) (*Answerer, error) {
	replies, err := session.producer()
	if err != nil {
		return nil, err
	}
	if err := session.createTopic(session.topic, 2); err != nil {
		return nil, err
	}
	answerer := &Answerer{replies: replies}
	_, err = session.listen(session.topic, withTags("*"), answerer.listen)
	return answerer, err
}

func (answerer *Answerer) listen(ctx context.Context, batch ...*primitive.MessageExt) (consumer.ConsumeResult, error) {
	for _, request := range batch {
		// Who says hello may not be known to the broker yet, and says it again.
		if string(request.Body) == hello {
			_ = answerer.reply(ctx, request)
			continue
		}
		answerer.note(1, nil)
		answerer.note(0, answerer.reply(ctx, request))
	}
	return consumer.ConsumeSuccess, nil
}

// note counts requests before they are answered, so that who has a reply finds its request counted.
func (answerer *Answerer) note(requests int, err error) {
	answerer.lock.Lock()
	defer answerer.lock.Unlock()
	answerer.count += requests
	answerer.refused = errors.Join(answerer.refused, err)
}

func (answerer *Answerer) reply(ctx context.Context, request *primitive.MessageExt) error {
	reply, err := consumer.CreateReplyMessage(request, nil)
	if err != nil {
		return err
	}
	// The client reads properties out of a body that it is given there, and leaves the reply without one.
	reply.Body = []byte("reply to " + string(request.Body))
	reply.WithProperty("own", "kept")
	_, err = answerer.replies.SendSync(ctx, reply)
	return err
}

// requests gives how many requests came, and what was wrong with the replies.
func (answerer *Answerer) requests() (int, error) {
	answerer.lock.Lock()
	defer answerer.lock.Unlock()
	return answerer.count, answerer.refused
}

// requester starts a producer and asks until there is a reply: the broker brings replies to clients that it knows, from
// their heartbeat, and this client sends the first one a second after its start when the topic is there already.
func requester(session *Session) (rocketmq.Producer, error) {
	client, err := session.producer()
	if err != nil {
		return nil, err
	}
	return client, await("the first reply", 10*time.Second, func() bool {
		_, err := client.Request(context.Background(), 300*time.Millisecond, session.message("", hello))
		return err == nil
	})
}

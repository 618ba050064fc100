// What rocketmq-client-go takes for the work of benches/clients: the same arguments, the same line of JSON.
package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	rocketmq "github.com/apache/rocketmq-client-go/v2"
	"github.com/apache/rocketmq-client-go/v2/consumer"
	"github.com/apache/rocketmq-client-go/v2/primitive"
	"github.com/apache/rocketmq-client-go/v2/producer"
)

var (
	mode, topic           = os.Args[1], os.Args[2]
	count, bytes, workers = number(3), number(4), number(5)
	servers               = []string{os.Getenv("NAMESRV_ADDR")}
)

func main() {
	wall, cpu := time.Duration(0), time.Duration(0)
	if mode == "consume" {
		wall, cpu = consume()
	} else {
		wall, cpu = send()
	}
	fmt.Printf("{\"messages\":%d,\"seconds\":%.3f,\"cpu_seconds\":%.3f}\n", count, wall.Seconds(), cpu.Seconds())
}

func send() (time.Duration, time.Duration) {
	sender, err := rocketmq.NewProducer(producer.WithNameServer(servers), producer.WithGroupName("bench-go"))
	check(err)
	check(sender.Start())
	run(sender, count/10)
	begin, spent := time.Now(), cpuTime()
	run(sender, count)
	return time.Since(begin), cpuTime() - spent
}

func run(sender rocketmq.Producer, messages int) {
	var under sync.WaitGroup
	if mode == "async" {
		room := make(chan struct{}, workers)
		for sent := 0; sent < messages; sent++ {
			room <- struct{}{}
			under.Add(1)
			check(sender.SendAsync(context.Background(), func(_ context.Context, _ *primitive.SendResult, err error) {
				check(err)
				<-room
				under.Done()
			}, primitive.NewMessage(topic, make([]byte, bytes))))
		}
		under.Wait()
		return
	}
	for worker := 0; worker < workers; worker++ {
		under.Add(1)
		go func() {
			defer under.Done()
			for sent := 0; sent < messages/workers; sent++ {
				_, err := sender.SendSync(context.Background(), primitive.NewMessage(topic, make([]byte, bytes)))
				check(err)
			}
		}()
	}
	under.Wait()
}

func consume() (time.Duration, time.Duration) {
	reader, err := rocketmq.NewPushConsumer(consumer.WithNameServer(servers),
		consumer.WithGroupName(fmt.Sprintf("bench-go-%d", os.Getpid())),
		consumer.WithConsumeGoroutineNums(workers),
		consumer.WithConsumeFromWhere(consumer.ConsumeFromFirstOffset))
	check(err)
	var seen int64
	warm, done := make(chan struct{}), make(chan struct{})
	var warmOnce, doneOnce sync.Once
	check(reader.Subscribe(topic, consumer.MessageSelector{}, func(_ context.Context, messages ...*primitive.MessageExt) (consumer.ConsumeResult, error) {
		now := atomic.AddInt64(&seen, int64(len(messages)))
		if now >= int64(count/10) {
			warmOnce.Do(func() { close(warm) })
		}
		if now >= int64(count+count/10) {
			doneOnce.Do(func() { close(done) })
		}
		return consumer.ConsumeSuccess, nil
	}))
	check(reader.Start())
	<-warm
	begin, spent := time.Now(), cpuTime()
	<-done
	return time.Since(begin), cpuTime() - spent
}

// cpuTime is the CPU time of the whole process.
func cpuTime() time.Duration {
	var usage syscall.Rusage
	check(syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func number(at int) int {
	value, err := strconv.Atoi(os.Args[at])
	check(err)
	return value
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

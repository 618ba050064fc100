// Checks of a RocketMQ broker through the Go client v2.
package main

import (
	"flag"
	"os"

	"github.com/apache/rocketmq-client-go/v2/rlog"
)

func main() {
	namesrv := flag.String("namesrv", "", "address of the name server, host:port")
	runID := flag.String("run", "", "part of every topic and group name")
	// Every program takes the same options; this client finds the broker by itself.
	flag.String("broker", "", "address of the broker, not used")
	flag.Parse()
	// The client writes its log to standard output, where our results go.
	rlog.SetLogLevel("fatal")

	checks := &Checks{namesrv: *namesrv, runID: *runID}
	checks.Run("send_sync", sendSync)
	checks.Run("send_async", sendAsync)
	checks.Run("send_oneway", sendOneway)
	checks.Run("send_batch", sendBatch)
	checks.Run("send_compressed", sendCompressed)
	checks.Run("push_tag_filter", pushTagFilter)
	checks.Run("push_restart", pushRestart)
	checks.Run("push_broadcast", pushBroadcast)
	checks.Run("pull_poll", pullPoll)
	os.Exit(checks.Finish())
}

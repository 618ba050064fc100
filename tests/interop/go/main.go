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
	acked := flag.String("acked", "", "file of acknowledged message ids that the kill test writes and reads")
	flag.Parse()
	// The client writes its log to standard output, where our results go.
	rlog.SetLogLevel("fatal")

	checks := &Checks{namesrv: *namesrv, runID: *runID}
	switch flag.Arg(0) {
	case "kill-produce":
		checks.Run("kill_produce", killProduce(*acked))
	case "kill-consume":
		checks.Run("kill_consume", killConsume(*acked))
	default:
		runAll(checks)
	}
	os.Exit(checks.Finish())
}

func runAll(checks *Checks) {
	checks.Run("send_sync", sendSync)
	checks.Run("send_async", sendAsync)
	checks.Run("send_oneway", sendOneway)
	checks.Run("send_batch", sendBatch)
	checks.Run("send_compressed", sendCompressed)
	checks.Run("push_tag_filter", pushTagFilter)
	checks.Run("push_restart", pushRestart)
	checks.Run("push_broadcast", pushBroadcast)
	checks.Run("push_rebalance", pushRebalance)
	checks.Run("pull_poll", pullPoll)
}

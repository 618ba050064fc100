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
	broker := flag.String("broker", "", "address of the broker, host:port, on which topics are made")
	acked := flag.String("acked", "", "file of acknowledged message ids that the kill test writes and reads")
	flag.Parse()
	rlog.SetLogger(clientLog)

	checks := &Checks{namesrv: *namesrv, broker: *broker, runID: *runID}
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
	// Before the others that filter, because it looks for an error in the log that they share.
	checks.Run("filter_sql_broken", filterSQLBroken)
	checks.Start("delay_levels", delayLevels)
	checks.Start("retry_comes_again", retryComesAgain)
	checks.Start("retry_default_level", retryDefaultLevel)
	checks.Start("retry_polled", retryPolled)
	checks.Start("retry_dead_letter", retryDeadLetter)
	checks.Start("retry_dead_letter_at_once", retryDeadLetterAtOnce)
	checks.Start("transaction_commit", transactionCommit)
	checks.Start("transaction_rollback", transactionRollback)
	checks.Start("transaction_asked", transactionAsked)
	checks.Start("order_suspend", orderSuspend)
	checks.Start("order_handed_over", orderHandedOver)
	checks.Start("filter_sql_push", filterSQLPush)
	checks.Start("filter_sql_pull", filterSQLPull)
	checks.Start("request_sync", requestSync)
	checks.Start("request_async", requestAsync)
	checks.Start("request_timeout", requestTimeout)
}

//! Transactions: how one ended, and the question what became of one.

use super::headers;

headers! {
    /// END_TRANSACTION.
    EndTransaction {
        /// The producer's group.
        producer_group: text "producerGroup",
        /// The number of the half message in its queue.
        tran_state_table_offset: int64 "tranStateTableOffset",
        /// Where the half message lies in the log.
        commit_log_offset: int64 "commitLogOffset",
        /// 8 commits, 12 rolls back, 0 does not know: the transaction bits of a message.
        commit_or_rollback: int32 "commitOrRollback",
        /// Whether the broker had asked.
        from_transaction_check: bool_or_false "fromTransactionCheck",
        /// The id that the producer gave the half message.
        msg_id: text "msgId",
        /// The transaction.
        transaction_id: optional_text "transactionId",
    }

    /// RESUME_CHECK_HALF_MESSAGE.
    ResumeCheck {
        /// The offset id of the half message.
        msg_id: text "msgId",
    }

    /// CHECK_TRANSACTION_STATE.
    CheckTransaction {
        /// The number of the half message in its queue.
        tran_state_table_offset: int64 "tranStateTableOffset",
        /// Where the half message lies in the log.
        commit_log_offset: int64 "commitLogOffset",
        /// The id that the producer gave the half message.
        msg_id: optional_text "msgId",
        /// The transaction.
        transaction_id: optional_text "transactionId",
        /// The half message's offset id.
        offset_msg_id: optional_text "offsetMsgId",
    }
}

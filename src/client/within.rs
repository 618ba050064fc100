//! Limits of waiting that cost nothing where nobody has to wait.

use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use tokio::time::timeout;

/// What the future comes to. The limit is asked for, and a timer set, only if it is not there at once.
///
/// # Errors
/// The limit, which has passed.
pub(super) async fn within<F: Future>(limit: impl FnOnce() -> Duration, future: F) -> Result<F::Output, Duration> {
    let mut future = pin!(future);
    let at_once = std::future::poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => Poll::Ready(None),
    });
    if let Some(output) = at_once.await {
        return Ok(output);
    }
    let limit = limit();
    timeout(limit, future).await.map_err(|_| limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_there_needs_no_timer() {
        assert_eq!(within(|| unreachable!("nobody waits"), async { 1 }).await, Ok(1));
    }

    #[tokio::test]
    async fn what_comes_in_time_is_waited_for_and_what_does_not_is_given_up() {
        let limit = Duration::from_millis(1);
        assert_eq!(within(|| Duration::MAX, tokio::task::yield_now()).await, Ok(()));
        assert_eq!(within(|| limit, std::future::pending::<()>()).await, Err(limit));
    }
}

//! What is asked of several servers, or changed at several: one that fails hides neither what others say nor what was done at them.

use std::fmt::Display;

use thiserror::Error;

use super::page::{Page, Rows};

/// What each of several servers answers, and what those fail with that do not.
pub(super) async fn ask_each<B, T, E>(
    servers: impl IntoIterator<Item = B>,
    ask: impl AsyncFn(&B) -> Result<T, E>,
) -> (Vec<(B, T)>, Failures<E>) {
    let (mut answers, mut failures) = (Vec::new(), Vec::new());
    for server in servers {
        match ask(&server).await {
            Ok(answer) => answers.push((server, answer)),
            Err(error) => failures.push(error),
        }
    }
    (answers, Failures(failures))
}

/// What each of several servers answers that does, with warnings of the others.
///
/// # Errors
/// None of them does: the first failure.
pub(super) async fn told_by_each<B, T, E: Display>(
    servers: impl IntoIterator<Item = B>,
    ask: impl AsyncFn(&B) -> Result<T, E>,
) -> Result<Vec<(B, T)>, E> {
    let (answers, failures) = ask_each(servers, ask).await;
    failures.beside(!answers.is_empty())?;
    Ok(answers)
}

/// Why some of several servers have not answered.
#[must_use]
pub(super) struct Failures<E>(Vec<E>);

impl<E: Display> Failures<E> {
    /// Warns of them, if there is something to be shown beside them.
    ///
    /// # Errors
    /// There is nothing: the first failure is why.
    pub(super) fn beside(self, is_something_shown: bool) -> Result<(), E> {
        for failure in self.0 {
            if !is_something_shown {
                return Err(failure);
            }
            tracing::warn!("{failure}");
        }
        Ok(())
    }
}

/// A change that was made at some servers, and has failed at the next one.
#[derive(Debug, Error)]
#[error("{why:#}")]
pub(super) struct HalfDone {
    done: Rows,
    why: anyhow::Error,
}

impl HalfDone {
    /// Makes an error that tells of what was done before, if anything was.
    pub(super) fn behind<E: Into<anyhow::Error>>(done: &Rows) -> impl FnOnce(E) -> anyhow::Error {
        |error| match done.is_empty() {
            true => error.into(),
            false => Self { done: done.clone(), why: error.into() }.into(),
        }
    }

    /// Prints what was done.
    ///
    /// # Errors
    /// Why it is not all, or the printing.
    pub(super) fn tell(self, as_json: bool) -> anyhow::Result<()> {
        Page::from(self.done).print(as_json)?;
        Err(self.why.context("what is shown is done, the rest is not"))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::super::page::row;
    use super::*;

    #[tokio::test]
    async fn one_that_fails_is_why_only_where_nothing_else_is_shown() {
        let ask = async |number: &i32| if *number > 1 { Err(format!("not {number}")) } else { Ok(*number * 10) };
        let (answers, failures) = ask_each([1, 2, 3], ask).await;
        assert_eq!((answers, failures.beside(true)), (vec![(1, 10)], Ok(())));
        let (answers, failures) = ask_each([2, 3], ask).await;
        assert_eq!((answers, failures.beside(false)), (Vec::new(), Err("not 2".into())));
        assert_eq!(ask_each([1], ask).await.1.beside(false), Ok(()), "it has answered, whatever came of it");
    }

    #[test]
    fn what_was_done_is_part_of_the_failure() {
        let mut rows = Rows::new(&["broker"]);
        let refused = || anyhow::anyhow!("refused");
        assert!(!HalfDone::behind::<anyhow::Error>(&rows)(refused()).is::<HalfDone>());
        rows.add(row!["a:1"]);
        let half = HalfDone::behind::<anyhow::Error>(&rows)(refused()).downcast::<HalfDone>().unwrap();
        assert_eq!((half.to_string(), half.done), ("refused".into(), rows));
    }
}

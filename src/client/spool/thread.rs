//! The thread that a spool's files are written on: what waits meanwhile is written and synced together.

use std::sync::{Arc, mpsc};
use std::thread;

use tokio::sync::{oneshot, watch};

use super::{GROUP_BYTES, Spool, SpoolError, SpoolOptions, Waiting};
use crate::client::error::ClientError;
use crate::client::letter::Letter;

/// What the thread is asked to do.
enum Job {
    /// To answer when the letter is on the disk.
    Put { letter: Letter, told: oneshot::Sender<Result<(), ClientError>> },
    /// To say which letter is the first.
    Front { told: oneshot::Sender<Result<Option<Letter>, ClientError>> },
    /// The first letter is sent.
    Sent { told: oneshot::Sender<Result<(), ClientError>> },
    /// This letter is refused.
    PutAside { letter: Letter, told: oneshot::Sender<Result<(), ClientError>> },
    /// What was refused is to be tried again.
    RetryRefused { told: oneshot::Sender<Result<u64, ClientError>> },
    /// What was refused is to be removed.
    DiscardRefused { told: oneshot::Sender<Result<u64, ClientError>> },
}

/// How to reach the thread; it ends with the last of these.
#[derive(Clone)]
pub(super) struct SpoolPort {
    jobs: mpsc::Sender<Job>,
    waiting: watch::Receiver<Waiting>,
}

/// Opens a spool on a thread of its own. The receiver is told when the thread has given the directory up.
///
/// # Errors
/// As [`Spool::open`], and the system gives no thread.
pub(super) async fn open(options: SpoolOptions) -> Result<(SpoolPort, oneshot::Receiver<()>), ClientError> {
    let (jobs, asked) = mpsc::channel();
    let (tell, told) = oneshot::channel();
    let (ending, ended) = oneshot::channel();
    let run = move || {
        let _ending: oneshot::Sender<()> = ending;
        match Spool::open(&options) {
            Ok(spool) => {
                let (show, waiting) = watch::channel(spool.waiting());
                // Whoever asked may have stopped waiting: then there are no jobs, either.
                let _ = tell.send(Ok(waiting));
                work(spool, &asked, &show);
            }
            Err(error) => drop(tell.send(Err(error))),
        }
    };
    let thread = thread::Builder::new().name("ferromq-spool".into()).spawn(run);
    thread.map_err(|source| ClientError::Thread { source })?;
    let waiting = told.await.map_err(|_| ClientError::Ended)??;
    Ok((SpoolPort { jobs, waiting }, ended))
}

impl SpoolPort {
    /// Puts a letter behind all others, and returns when it is on the disk.
    pub(super) async fn put(&self, letter: Letter) -> Result<(), ClientError> {
        self.ask(|told| Job::Put { letter, told }).await
    }

    /// The first letter.
    pub(super) async fn front(&self) -> Result<Option<Letter>, ClientError> {
        self.ask(|told| Job::Front { told }).await
    }

    /// The first letter is sent.
    pub(super) async fn sent(&self) -> Result<(), ClientError> {
        self.ask(|told| Job::Sent { told }).await
    }

    /// Puts a letter aside that is refused.
    pub(super) async fn put_aside(&self, letter: Letter) -> Result<(), ClientError> {
        self.ask(|told| Job::PutAside { letter, told }).await
    }

    /// Puts what was refused behind all others.
    pub(super) async fn retry_refused(&self) -> Result<u64, ClientError> {
        self.ask(|told| Job::RetryRefused { told }).await
    }

    /// Removes what was refused.
    pub(super) async fn discard_refused(&self) -> Result<u64, ClientError> {
        self.ask(|told| Job::DiscardRefused { told }).await
    }

    /// What is in the spool.
    pub(super) fn waiting(&self) -> Waiting {
        *self.waiting.borrow()
    }

    /// Waits until that is as wanted.
    pub(super) async fn until(&self, holds: impl Fn(&Waiting) -> bool) -> Result<Waiting, ClientError> {
        let mut waiting = self.waiting.clone();
        let waiting = waiting.wait_for(|waiting| holds(waiting)).await;
        waiting.map(|waiting| *waiting).map_err(|_| ClientError::Ended)
    }

    async fn ask<T>(&self, job: impl FnOnce(oneshot::Sender<Result<T, ClientError>>) -> Job) -> Result<T, ClientError> {
        let (tell, told) = oneshot::channel();
        self.jobs.send(job(tell)).map_err(|_| ClientError::Ended)?;
        told.await.map_err(|_| ClientError::Ended)?
    }
}

/// Does what is asked until nobody is there to ask.
fn work(mut spool: Spool, asked: &mpsc::Receiver<Job>, show: &watch::Sender<Waiting>) {
    while let Ok(first) = asked.recv() {
        let mut group = Vec::new();
        let mut next = Some(first);
        while let Some(Job::Put { letter, told }) = next {
            match spool.put(&letter) {
                Ok(()) => group.push(told),
                Err(error) => tell(told, Err(error.into())),
            }
            next = if spool.group_bytes() < GROUP_BYTES { asked.try_recv().ok() } else { None };
        }
        if !group.is_empty() {
            commit(&mut spool, group, show);
        }
        match next {
            None | Some(Job::Put { .. }) => {}
            Some(Job::Front { told }) => tell(told, spool.front().map_err(Into::into)),
            Some(Job::Sent { told }) => change(&mut spool, show, told, Spool::sent),
            Some(Job::PutAside { letter, told }) => change(&mut spool, show, told, |spool| spool.put_aside(&letter)),
            Some(Job::RetryRefused { told }) => change(&mut spool, show, told, Spool::retry_refused),
            Some(Job::DiscardRefused { told }) => change(&mut spool, show, told, Spool::discard_refused),
        }
    }
}

/// Changes the spool, shows what is in it, and tells what came of that.
fn change<T>(
    spool: &mut Spool,
    show: &watch::Sender<Waiting>,
    told: oneshot::Sender<Result<T, ClientError>>,
    change: impl FnOnce(&mut Spool) -> Result<T, SpoolError>,
) {
    let outcome = change(spool);
    show.send_replace(spool.waiting());
    tell(told, outcome.map_err(Into::into));
}

fn commit(spool: &mut Spool, group: Vec<oneshot::Sender<Result<(), ClientError>>>, show: &watch::Sender<Waiting>) {
    let outcome = spool.commit().map_err(Arc::<SpoolError>::from);
    // Shown before it is acknowledged: what its sender sends next goes behind it.
    show.send_replace(spool.waiting());
    for told in group {
        tell(told, outcome.clone().map_err(ClientError::Spool));
    }
}

/// Who has stopped waiting need not be told.
fn tell<T>(told: oneshot::Sender<Result<T, ClientError>>, outcome: Result<T, ClientError>) {
    let _ = told.send(outcome);
}

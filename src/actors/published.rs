//! State that its owner publishes and everybody reads without asking.

use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};

/// The readers' side of a published value; cloning shares it.
#[derive(Debug)]
pub struct Published<T>(Arc<ArcSwap<T>>);

impl<T> Clone for Published<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Published<T> {
    /// A value, and the right to replace it.
    #[must_use]
    pub fn new(value: T) -> (Self, Publisher<T>) {
        let published = Self(Arc::new(ArcSwap::from_pointee(value)));
        (published.clone(), Publisher(published))
    }

    /// The value as it is now.
    #[must_use]
    pub fn load(&self) -> Guard<Arc<T>> {
        self.0.load()
    }

    /// The same, to be kept for a while.
    #[must_use]
    pub fn load_full(&self) -> Arc<T> {
        self.0.load_full()
    }
}

/// The owner's side: there is one, and it is not cloned.
#[derive(Debug)]
pub struct Publisher<T>(Published<T>);

impl<T> Publisher<T> {
    /// Replaces the value.
    pub fn publish(&self, value: T) {
        self.0.0.store(Arc::new(value));
    }

    /// The value as it was published last: what an actor that was rebuilt goes on with.
    #[must_use]
    pub fn last(&self) -> Arc<T> {
        self.0.0.load_full()
    }
}

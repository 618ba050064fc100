//! Panics of this process, which would otherwise end an actor and nothing else.

use std::sync::{Mutex, Once};

static OF_CLIENT: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Notes panics from now on.
pub(crate) fn watch() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            // Those of tests and of their listeners are meant, or told of otherwise.
            if panic.location().is_some_and(|location| !location.file().starts_with("tests/")) {
                OF_CLIENT.lock().unwrap().push(panic.to_string());
            }
            usual(panic);
        }));
    });
}

/// Demands that no code of the client has panicked, nor what it calls.
pub(crate) fn none() {
    let panics = OF_CLIENT.lock().unwrap().clone();
    assert!(panics.is_empty(), "{panics:?}");
}

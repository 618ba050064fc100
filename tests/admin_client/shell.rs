//! A name server and a broker in a process of their own, and `ferromq admin` beside them.

use std::ops::Deref;
use std::sync::Arc;

use ferromq::time::SystemClock;
use serde_json::Value;

use crate::binary::{Ferromq, Ran, Serving};
use crate::raw::LIMIT;

/// The two servers, and a shell beside them.
pub(crate) struct Shell {
    /// To be handed to other threads, which must not hold the server.
    pub(crate) commands: Arc<Commands>,
    server: Serving,
}

impl Shell {
    pub(crate) fn start() -> Self {
        let ferromq = Ferromq::new().with_small_store("");
        let server = ferromq.serve("standalone --host 127.0.0.1 --port 0 --namesrv-port 0 -c small.conf");
        let name_server = server.name_server().to_string();
        Self { commands: Arc::new(Commands { ferromq, name_server }), server }
    }

    /// Starts another broker in the same cluster, and waits until name servers know it.
    pub(crate) fn with_broker(&self, name: &str) -> Serving {
        let ferromq = &self.commands.ferromq;
        let settings = std::fs::read_to_string(ferromq.path().join("small.conf")).unwrap();
        let file = format!("{name}.conf");
        std::fs::write(ferromq.path().join(&file), format!("{settings}brokerName={name}\n")).unwrap();
        let (data, name_server) = (format!("{name}-data"), &self.commands.name_server);
        let command = format!("broker -n {name_server} --host 127.0.0.1 --port 0 --data {data} -c {file}");
        let broker = ferromq.serve(&command);
        self.json_until("clusterList", |rows| rows.as_array().unwrap().iter().any(|row| row["broker"] == name));
        broker
    }

    /// Where the broker listens.
    pub(crate) fn broker(&self) -> String {
        self.server.broker().to_string()
    }

    pub(crate) fn broker_name(&self) -> String {
        self.server.said_after("broker ").split_once(" on ").unwrap().0.to_owned()
    }
}

impl Deref for Shell {
    type Target = Commands;

    fn deref(&self) -> &Commands {
        &self.commands
    }
}

/// `ferromq admin`, with name servers that are known from the environment.
pub(crate) struct Commands {
    ferromq: Ferromq,
    pub(crate) name_server: String,
}

impl Commands {
    /// Runs a command.
    pub(crate) fn run(&self, command: &str) -> Ran {
        self.ferromq.run_in_environment(&format!("admin {command}"), &[("NAMESRV_ADDR", &self.name_server)])
    }

    /// What a command prints that must not fail.
    pub(crate) fn text(&self, command: &str) -> String {
        let ran = self.run(command);
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{command}: {}", ran.out);
        ran.out
    }

    /// The same as JSON.
    pub(crate) fn json(&self, command: &str) -> Value {
        serde_json::from_str(&self.text(&format!("{command} --json"))).unwrap()
    }

    /// The same, once it is as it will be.
    pub(crate) fn json_until(&self, command: &str, holds: impl Fn(&Value) -> bool) -> Value {
        self.until(&format!("{command} --json"), |ran| {
            let value = if ran.code == 0 { serde_json::from_str(&ran.out).ok() } else { None };
            value.filter(&holds)
        })
    }

    /// Runs a command again until what it leaves behind is what is looked for.
    fn until<T>(&self, command: &str, look: impl Fn(&Ran) -> Option<T>) -> T {
        let clock = SystemClock::shared();
        loop {
            let ran = self.run(command);
            if let Some(found) = look(&ran) {
                return found;
            }
            assert!(clock.elapsed() < LIMIT, "{command}: never as it is waited for: {ran:?}");
        }
    }

    /// What a command says that must fail.
    pub(crate) fn fails(&self, command: &str) -> String {
        let ran = self.run(command);
        assert_eq!((ran.code, ran.out.as_str()), (1, ""), "{command}: {}", ran.err);
        ran.err
    }

    /// The same, when it fails at last.
    pub(crate) fn fails_at_last(&self, command: &str) {
        self.until(command, |ran| (ran.code == 1).then_some(()));
    }

    /// What a command wrote into a file.
    pub(crate) fn file(&self, name: &str) -> String {
        std::fs::read_to_string(self.ferromq.path().join(name)).unwrap()
    }
}

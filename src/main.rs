//! The `ferromq` binary: see [`ferromq::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    ferromq::cli::main()
}

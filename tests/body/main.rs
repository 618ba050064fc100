//! JSON bodies against what the reference writes: every recorded body is read, and what we write is compared with it.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod any_bytes;
mod fixtures;
mod kinds;
mod registration;
mod written_text;

use serde::Deserialize;

/// One recorded body.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Fixture {
    /// The body as text; absent for what is compressed.
    #[serde(default)]
    text: String,
    /// Its bytes as sent.
    hex: String,
    /// Their check sum, where one goes with them.
    #[serde(default)]
    crc32: i32,
    /// What the compressed bytes hold.
    #[serde(default)]
    inflated_hex: String,
}

impl Fixture {
    fn load(name: &str) -> Self {
        let path = format!("{}/tests/fixtures/body/body_{name}.json", env!("CARGO_MANIFEST_DIR"));
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
    }

    fn bytes(&self) -> Vec<u8> {
        from_hex(&self.hex)
    }
}

fn from_hex(hex: &str) -> Vec<u8> {
    hex.as_bytes().chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

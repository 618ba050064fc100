//! Settings as servers write and read them: a line `key=value` for each.

use std::collections::BTreeMap;

use bytes::Bytes;

/// Reads what a server has written: values as they are, since servers escape nothing when they write.
///
/// # Source
/// `org.apache.rocketmq.common.MixAll.properties2String` 4.9.7 (read).
pub(super) fn read(text: &str) -> BTreeMap<String, String> {
    text.lines()
        .filter_map(|line| line.split_once('='))
        .map(|(key, value)| (key.trim().to_owned(), value.to_owned()))
        .collect()
}

/// Writes what a server will read, which takes a backslash for the beginning of an escape.
///
/// # Source
/// `org.apache.rocketmq.common.MixAll.string2Properties` 4.9.7 (read), which is `java.util.Properties.load`.
pub(super) fn write(settings: &[(&str, &str)]) -> Bytes {
    let mut text = String::new();
    for (key, value) in settings {
        text += &format!("{}={}\n", escaped(key), escaped(value));
    }
    text.into()
}

/// A text that reads as itself, also as a key.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for (at, letter) in text.chars().enumerate() {
        match letter {
            '\n' => out += "\\n",
            '\r' => out += "\\r",
            '\\' | '=' | ':' | '#' | '!' => out.extend(['\\', letter]),
            // Blanks end a key, and are not part of a value that begins with them.
            ' ' if at == 0 => out += "\\ ",
            _ => out.push(letter),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_as_they_stand() {
        let read = read("a=1\nb=x=y\nempty=\npath=C:\\tmp\n\nno pair\n");
        let pairs: Vec<_> = read.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        assert_eq!(pairs, [("a", "1"), ("b", "x=y"), ("empty", ""), ("path", "C:\\tmp")]);
    }

    #[test]
    fn a_value_cannot_smuggle_in_another_key() {
        let written = write(&[("a", "1\nb=2"), ("path", " C:\\tmp")]);
        assert_eq!(written, "a=1\\nb\\=2\npath=\\ C\\:\\\\tmp\n");
    }
}

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

/// Writes what a server will read, which takes a backslash for the beginning of an escape, and each byte for a letter.
///
/// # Source
/// `org.apache.rocketmq.common.MixAll.string2Properties` 4.9.7 (read), which is `java.util.Properties.load` of a stream; what
/// is escaped is what `java.util.Properties.store` escapes (measured with Java 17).
pub(super) fn write(settings: &[(&str, &str)]) -> Bytes {
    let mut text = String::new();
    for (key, value) in settings {
        // Any blank ends a key; a value loses those that it begins with.
        text += &format!("{}={}\n", escaped(key, |_| true), escaped(value, |at| at == 0));
    }
    text.into()
}

/// A text that reads as itself, with the blanks escaped that would be lost.
fn escaped(text: &str, is_lost: impl Fn(usize) -> bool) -> String {
    let mut out = String::with_capacity(text.len());
    for (at, letter) in text.chars().enumerate() {
        match letter {
            '\t' => out += "\\t",
            '\u{c}' => out += "\\f",
            '\n' => out += "\\n",
            '\r' => out += "\\r",
            '\\' | '=' | ':' | '#' | '!' => out.extend(['\\', letter]),
            ' ' if is_lost(at) => out += "\\ ",
            ' '..='~' => out.push(letter),
            _ => letter.encode_utf16(&mut [0; 2]).iter().for_each(|unit| out += &format!("\\u{unit:04X}")),
        }
    }
    out
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
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

    #[test]
    fn what_is_written_is_read_as_it_was_by_servers_of_either_kind() {
        let settings =
            [("a b\tc", "x y\u{c}z"), ("tab", "\tx"), ("größe", "é\u{7f} 猫"), ("beyond", "\u{1F41E}\\ud83d")];
        // This is what Java writes of them, and it reads it as Latin-1.
        let lines =
            [r"a\ b\tc=x y\fz", r"tab=\tx", r"gr\u00F6\u00DFe=\u00E9\u007F \u732B", r"beyond=\uD83D\uDC1E\\ud83d"];
        let written = write(&settings);
        assert_eq!(written, lines.map(|line| format!("{line}\n")).concat());
        let read = crate::properties_file::entries("settings", &written).unwrap();
        let read: Vec<_> = read.iter().map(|entry| (entry.key.as_str(), entry.value.as_str())).collect();
        // Our servers cut blanks off both ends of a value, also such as were escaped.
        assert_eq!(read, [settings[0], ("tab", "x"), settings[2], settings[3]]);
    }
}

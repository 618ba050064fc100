//! Files of keys, as RocketMQ's `conf/tools.yml`: a line for each key and its value.
//!
//! That is the part of YAML which such files are written in. Whatever else there is, is refused with its line, so that nothing
//! is taken for a secret that YAML would read otherwise.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::protocol::signature::Credentials;

/// Why there are no keys in a file that should have them.
#[derive(Debug, Error)]
pub(in crate::cli) enum KeysFileError {
    #[error("cannot read the keys in {}: {source}", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("line {line} of {} is no key: {reason}; write accessKey: \"NAME\" and secretKey: \"SECRET\"", path.display())]
    Line { path: PathBuf, line: usize, reason: &'static str },
    #[error("{} has {there} and no {missing}", path.display())]
    Half { path: PathBuf, there: &'static str, missing: &'static str },
}

/// Reads a file; `None` if no keys are in it.
///
/// # Source
/// `org.apache.rocketmq.acl.common.AclUtils.getAclRPCHook` 4.9.7 (read), which passes over what else there is.
pub(super) fn read(path: &Path) -> Result<Option<Credentials>, KeysFileError> {
    let unreadable = |source| KeysFileError::Unreadable { path: path.into(), source };
    let text = std::fs::read_to_string(path).map_err(unreadable)?;
    let [mut access_key, mut secret_key, mut security_token] = [None, None, None];
    for (index, line) in text.lines().enumerate() {
        let wrong = |reason| KeysFileError::Line { path: path.into(), line: index + 1, reason };
        let Some((key, value)) = entry(line).map_err(wrong)? else { continue };
        match key {
            "accessKey" => access_key = value,
            "secretKey" => secret_key = value,
            "securityToken" => security_token = value,
            _ => {}
        }
    }
    let half = |there, missing| Err(KeysFileError::Half { path: path.into(), there, missing });
    match (access_key, secret_key) {
        (Some(access_key), Some(secret_key)) => Ok(Some(Credentials { access_key, secret_key, security_token })),
        (None, None) => Ok(None),
        (Some(_), None) => half("an accessKey", "secretKey"),
        (None, Some(_)) => half("a secretKey", "accessKey"),
    }
}

/// The key and the value of a line; nothing of a line without any, and no value if it is blank.
fn entry(line: &str) -> Result<Option<(&str, Option<String>)>, &'static str> {
    let bare = line.trim_end();
    if bare.is_empty() || bare == "---" || bare.trim_start().starts_with('#') {
        return Ok(None);
    }
    let Some((key, value)) = bare.split_once(':') else { return Err("a colon is missing") };
    if !key.starts_with(|first: char| first.is_ascii_alphabetic()) {
        return Err("it does not begin with the name of a key");
    }
    if !value.is_empty() && !value.starts_with([' ', '\t']) {
        return Err("a blank is missing behind the colon");
    }
    let value = scalar(value.trim())?;
    Ok(Some((key.trim_end(), Some(value).filter(|value| !value.trim().is_empty()))))
}

/// A value, quoted or not.
fn scalar(text: &str) -> Result<String, &'static str> {
    for quote in ['"', '\''] {
        let Some(quoted) = text.strip_prefix(quote) else { continue };
        let Some((inside, behind)) = quoted.split_once(quote) else { return Err("a quote is not closed") };
        if inside.contains('\\') && quote == '"' || !is_comment(behind) {
            return Err("what is quoted may hold neither quotes nor backslashes");
        }
        return Ok(inside.into());
    }
    let plain = match text.find(" #").or_else(|| text.starts_with('#').then_some(0)) {
        Some(comment) => text[..comment].trim_end(),
        None => text,
    };
    if plain.starts_with(['{', '[', '&', '*', '!', '|', '>', '%', '@', '`', '?', '-']) || plain.contains(": ") {
        return Err("the value needs quotes");
    }
    if is_another_number(plain) { Err("a number like that needs quotes") } else { Ok(plain.into()) }
}

fn is_comment(text: &str) -> bool {
    let bare = text.trim_start();
    bare.is_empty() || bare.starts_with('#') && bare.len() < text.len()
}

/// Whether YAML takes a text for a number which it would not write in the same way.
fn is_another_number(text: &str) -> bool {
    let is_of_numbers = |letter: char| letter.is_ascii_digit() || matches!(letter, '_' | '.' | ':' | '+');
    let is_number = text.starts_with("0x") || text.parse::<f64>().is_ok() || text.chars().all(is_of_numbers);
    is_number && !text.is_empty() && text.parse::<u64>().map(|number| number.to_string()).as_deref() != Ok(text)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    fn keys(text: &str) -> Result<Option<(String, String, Option<String>)>, String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        let found = read(file.path()).map_err(|error| error.to_string())?;
        Ok(found.map(|keys| (keys.access_key, keys.secret_key, keys.security_token)))
    }

    fn check(text: &str, access_key: &str, secret_key: &str, token: Option<&str>) {
        assert_eq!(keys(text), Ok(Some((access_key.into(), secret_key.into(), token.map(Into::into)))), "{text}");
    }

    #[test]
    fn keys_are_read_as_yaml_reads_them() {
        check("accessKey: rocketmq2\nsecretKey: 12345678\n", "rocketmq2", "12345678", None);
        check("---\n# keys\naccessKey: \"a # b\" # c\nsecretKey: 'x: \\y'\nother: 1.5e3x\n", "a # b", "x: \\y", None);
        check("accessKey: a#b\r\nsecretKey: c/d+e== # f\r\nsecurityToken: t\r\n", "a#b", "c/d+e==", Some("t"));
        check("accessKey: 'a'\nsecretKey: \"007\"\n", "a", "007", None);
    }

    #[test]
    fn a_file_need_not_have_keys() {
        for text in ["", "# nothing\n", "accessKey:\nsecretKey: \"\"\n", "accessKey: # later\nother: x\n"] {
            assert_eq!(keys(text), Ok(None), "{text}");
        }
    }

    #[test]
    fn what_yaml_would_read_otherwise_is_refused() {
        for (line, reason) in [
            ("secretKey: 0123", "a number like that needs quotes"),
            ("secretKey: 1e5", "a number like that needs quotes"),
            ("secretKey: 12_000", "a number like that needs quotes"),
            ("secretKey: 12:30:45", "a number like that needs quotes"),
            ("secretKey: 0xFF", "a number like that needs quotes"),
            ("secretKey: [a]", "the value needs quotes"),
            ("secretKey: a: b", "the value needs quotes"),
            ("secretKey: |", "the value needs quotes"),
            ("secretKey: \"a\\n\"", "neither quotes nor backslashes"),
            ("secretKey: 'it''s'", "neither quotes nor backslashes"),
            ("secretKey: \"a", "a quote is not closed"),
            ("secretKey:a", "a blank is missing behind the colon"),
            ("secretKey", "a colon is missing"),
            ("  secretKey: a", "does not begin with the name of a key"),
            ("{accessKey: a, secretKey: b}", "does not begin with the name of a key"),
        ] {
            let error = keys(&format!("accessKey: a\n{line}\n")).unwrap_err();
            assert!(error.starts_with("line 2 of ") && error.contains(reason), "{line}: {error}");
        }
    }

    #[test]
    fn half_of_the_keys_is_a_mistake() {
        assert!(keys("accessKey: a\n").unwrap_err().ends_with(" has an accessKey and no secretKey"));
        assert!(keys("secretKey: a\n").unwrap_err().ends_with(" has a secretKey and no accessKey"));
    }
}

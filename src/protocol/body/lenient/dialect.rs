//! Rewrites fastjson's dialect into strict JSON text, without building a tree.
//!
//! What it accepts beyond JSON: keys without quotes, objects as keys, single quotes, raw control characters in texts,
//! superfluous commas. What it leaves to serde_json, which reads its output: escapes, numbers.

use super::BodyError;

/// How deep objects and lists may nest; a heartbeat is four deep.
const DEPTH_MAX: usize = 64;

/// The strict form of `text`.
pub(super) fn rewrite(text: &str) -> Result<String, BodyError> {
    let mut rewriter = Rewriter { text, at: 0, out: String::with_capacity(text.len() + text.len() / 8), in_key: false };
    rewriter.value(0)?;
    rewriter.blanks();
    if rewriter.at < text.len() { rewriter.expected("the end") } else { Ok(rewriter.out) }
}

struct Rewriter<'a> {
    text: &'a str,
    at: usize,
    out: String,
    /// Inside an object that is a key. A key within a key is refused: each level would double the backslashes.
    in_key: bool,
}

impl<'a> Rewriter<'a> {
    fn value(&mut self, depth: usize) -> Result<(), BodyError> {
        self.blanks();
        match self.peek() {
            Some(b'{') => self.object(depth),
            Some(b'[') => self.list(depth),
            Some(quote @ (b'"' | b'\'')) => self.quoted(quote),
            _ => {
                let word = self.word();
                if word.is_empty() {
                    return self.expected("a value");
                }
                self.out.push_str(word);
                Ok(())
            }
        }
    }

    fn object(&mut self, depth: usize) -> Result<(), BodyError> {
        self.enter(depth)?;
        self.out.push('{');
        let mut first = true;
        loop {
            self.blanks_and_commas();
            match self.peek() {
                Some(b'}') => break,
                None => return self.expected("a key or }"),
                Some(_) => {}
            }
            let before = self.out.len();
            if !first {
                self.out.push(',');
            }
            self.key(depth)?;
            self.blanks();
            if !self.eat(b':') {
                return self.expected(":");
            }
            self.out.push(':');
            let value_at = self.out.len();
            self.value(depth + 1)?;
            // `null` means absent, and an absent field reads as its default.
            if &self.out[value_at..] == "null" {
                self.out.truncate(before);
            } else {
                first = false;
            }
            self.separator(b'}')?;
        }
        self.at += 1;
        self.out.push('}');
        Ok(())
    }

    fn list(&mut self, depth: usize) -> Result<(), BodyError> {
        self.enter(depth)?;
        self.out.push('[');
        let mut first = true;
        loop {
            self.blanks_and_commas();
            match self.peek() {
                Some(b']') => break,
                None => return self.expected("a value or ]"),
                Some(_) => {}
            }
            if !first {
                self.out.push(',');
            }
            first = false;
            self.value(depth + 1)?;
            self.separator(b']')?;
        }
        self.at += 1;
        self.out.push(']');
        Ok(())
    }

    fn key(&mut self, depth: usize) -> Result<(), BodyError> {
        match self.peek() {
            Some(quote @ (b'"' | b'\'')) => self.quoted(quote),
            Some(b'{') if self.in_key => self.expected("a key that is not an object"),
            Some(b'{') => {
                let outer = std::mem::take(&mut self.out);
                self.in_key = true;
                self.object(depth + 1)?;
                self.in_key = false;
                let object = std::mem::replace(&mut self.out, outer);
                self.push_text(&object);
                Ok(())
            }
            _ => {
                let word = self.word();
                if word.is_empty() {
                    return self.expected("a key");
                }
                self.push_text(word);
                Ok(())
            }
        }
    }

    /// Copies a text in quotes; escapes go through as they are, for serde_json to judge.
    fn quoted(&mut self, quote: u8) -> Result<(), BodyError> {
        self.at += 1;
        self.out.push('"');
        let rest = &self.text[self.at..];
        let mut escaped = false;
        for (index, character) in rest.char_indices() {
            match character {
                '\'' if escaped => self.out.push('\''),
                _ if escaped => self.out.extend(['\\', character]),
                '\\' => {}
                _ if character == char::from(quote) => {
                    self.at += index + 1;
                    self.out.push('"');
                    return Ok(());
                }
                '"' => self.out.push_str("\\\""),
                _ if character < ' ' => self.push_control(character),
                _ => self.out.push(character),
            }
            escaped = !escaped && character == '\\';
        }
        self.at = self.text.len();
        self.expected("the closing quote")
    }

    fn push_text(&mut self, text: &str) {
        self.out.push('"');
        for character in text.chars() {
            match character {
                '"' | '\\' => self.out.extend(['\\', character]),
                _ if character < ' ' => self.push_control(character),
                _ => self.out.push(character),
            }
        }
        self.out.push('"');
    }

    fn push_control(&mut self, character: char) {
        self.out.push_str(&format!("\\u{:04x}", u32::from(character)));
    }

    /// What stands without quotes: a number, `true`, a bare key.
    fn word(&mut self) -> &'a str {
        let rest = &self.text[self.at..];
        let length = rest
            .bytes()
            .position(|byte| !(byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'+' | b'.' | b'_' | b'$')))
            .unwrap_or(rest.len());
        self.at += length;
        &rest[..length]
    }

    fn separator(&mut self, end: u8) -> Result<(), BodyError> {
        self.blanks();
        match self.peek() {
            Some(b',') => Ok(()),
            Some(byte) if byte == end => Ok(()),
            _ => self.expected("a comma or the end of the object or list"),
        }
    }

    fn enter(&mut self, depth: usize) -> Result<(), BodyError> {
        if depth >= DEPTH_MAX {
            return self.expected("less nesting");
        }
        self.at += 1;
        Ok(())
    }

    fn blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    fn blanks_and_commas(&mut self) {
        self.blanks();
        while self.eat(b',') {
            self.blanks();
        }
    }

    fn eat(&mut self, byte: u8) -> bool {
        let there = self.peek() == Some(byte);
        self.at += usize::from(there);
        there
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn expected<T>(&self, expected: &'static str) -> Result<T, BodyError> {
        Err(BodyError::Syntax { at: self.at, expected })
    }
}

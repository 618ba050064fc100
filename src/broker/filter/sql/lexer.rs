//! The words of a condition, one at a time: what nobody asks for is not looked at, and so may be anything.
//!
//! As in the reference the longest word wins, and what can be no longer word falls apart: `007` is `0`, `0` and `7`, `0L` is
//! `0` and the name `L`.

use super::parser::Result;
use super::{Position, SqlError};

/// A word of a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// The end of the text.
    End,
    /// A property.
    Name(&'a str),
    /// A text as it stands between its quotes, doubled ones included.
    Text(&'a str),
    /// The digits of a whole number.
    Whole(&'a str),
    /// A number with a point or an exponent.
    Decimal(&'a str),
    And,
    Or,
    Not,
    In,
    Is,
    Between,
    True,
    False,
    Null,
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    Open,
    Close,
    Comma,
    Plus,
    Minus,
}

const KEYWORDS: [(&str, Token<'static>); 9] = [
    ("AND", Token::And),
    ("OR", Token::Or),
    ("NOT", Token::Not),
    ("IN", Token::In),
    ("IS", Token::Is),
    ("BETWEEN", Token::Between),
    ("TRUE", Token::True),
    ("FALSE", Token::False),
    ("NULL", Token::Null),
];

/// Longer ones before those that they begin with.
const SYMBOLS: [(&str, Token<'static>); 11] = [
    ("<>", Token::NotEqual),
    ("<=", Token::LessEqual),
    (">=", Token::GreaterEqual),
    ("=", Token::Equal),
    ("<", Token::Less),
    (">", Token::Greater),
    ("(", Token::Open),
    (")", Token::Close),
    (",", Token::Comma),
    ("+", Token::Plus),
    ("-", Token::Minus),
];

const LINE_BREAKS: [char; 2] = ['\n', '\r'];

/// Reads words from a text.
#[derive(Debug)]
pub(super) struct Lexer<'a> {
    text: &'a str,
    at: usize,
    /// The byte of the last line break: behind it no comment can end with a line, and none is looked for.
    last_break: Option<usize>,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0, last_break: text.rfind(LINE_BREAKS) }
    }

    pub(super) fn text(&self) -> &'a str {
        self.text
    }

    /// The next word, and the byte at which it begins.
    ///
    /// # Errors
    /// What is there begins no word.
    pub(super) fn next(&mut self) -> Result<(Token<'a>, usize)> {
        self.skip_blanks_and_comments();
        let start = self.at;
        let rest = self.rest();
        let (token, length) = match rest.bytes().next() {
            None => (Token::End, 0),
            Some(b'\'') => quoted(rest).ok_or_else(|| self.unexpected("a ' that ends the text", start))?,
            Some(b'0'..=b'9' | b'.') => {
                number(rest).ok_or_else(|| self.unexpected("a digit behind the point", start))?
            }
            Some(b'A'..=b'Z' | b'a'..=b'z' | b'_' | b'$') => name_or_keyword(rest),
            Some(_) => {
                let known = SYMBOLS.iter().find(|(symbol, _)| rest.starts_with(symbol));
                let (symbol, token) = known.ok_or_else(|| self.unexpected("a word of a condition", start))?;
                (*token, symbol.len())
            }
        };
        self.at = start + length;
        Ok((token, start))
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn skip_blanks_and_comments(&mut self) {
        loop {
            let rest = self.rest();
            let blanks = rest.len() - rest.trim_start_matches([' ', '\t', '\n', '\r', '\u{c}']).len();
            self.at += blanks;
            match self.comment() {
                None => return,
                Some(length) => self.at += length,
            }
        }
    }

    /// The length of a comment that begins here. One to the end of the line needs a line break: without it the two hyphens
    /// are two signs.
    fn comment(&self) -> Option<usize> {
        let rest = self.rest();
        if rest.starts_with("--") {
            return if self.last_break > Some(self.at) { rest.find(LINE_BREAKS) } else { None };
        }
        let body = rest.strip_prefix("/*")?;
        body.find("*/").map(|end| end + 4)
    }

    /// The error for something else than was expected.
    pub(super) fn unexpected(&self, expected: &'static str, at: usize) -> Box<SqlError> {
        SqlError::Syntax { at: Position::of(self.text, at), expected, found: excerpt(self.text, at) }.into()
    }
}

/// What stands at a place, for an error: up to a blank, and not too much.
fn excerpt(text: &str, at: usize) -> String {
    const CHARACTERS_MAX: usize = 24;
    let rest = text.get(at..).unwrap_or_default();
    let length = rest.char_indices().skip(1).take_while(|(_, c)| !c.is_whitespace()).take(CHARACTERS_MAX - 1);
    let end = length.last().map_or_else(|| rest.chars().next().map_or(0, char::len_utf8), |(at, c)| at + c.len_utf8());
    match rest.get(..end).unwrap_or_default() {
        "" => "the end".to_owned(),
        found => format!("`{found}`"),
    }
}

fn quoted(rest: &str) -> Option<(Token<'_>, usize)> {
    let mut quotes = rest.match_indices('\'').skip(1).map(|(at, _)| at).peekable();
    loop {
        let end = quotes.next()?;
        if quotes.next_if_eq(&(end + 1)).is_none() {
            return Some((Token::Text(rest.get(1..end)?), end + 1));
        }
    }
}

fn name_or_keyword(rest: &str) -> (Token<'_>, usize) {
    let is_inside = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '$';
    let length = rest.find(|c| !is_inside(c)).unwrap_or(rest.len());
    let name = rest.get(..length).unwrap_or_default();
    let keyword = KEYWORDS.iter().find(|(keyword, _)| keyword.eq_ignore_ascii_case(name));
    (keyword.map_or(Token::Name(name), |(_, token)| *token), length)
}

fn number(rest: &str) -> Option<(Token<'_>, usize)> {
    let whole = digits(rest, 0);
    let fraction = if rest.get(whole..)?.starts_with('.') { 1 + digits(rest, whole + 1) } else { 0 };
    if whole == 0 && fraction == 1 {
        return None;
    }
    let length = whole + fraction + exponent(rest.get(whole + fraction..)?);
    if length > whole {
        return Some((Token::Decimal(rest.get(..length)?), length));
    }
    // A whole number does not begin with 0, unless it is that.
    let whole = if rest.starts_with('0') { 1 } else { whole };
    let is_marked = !rest.starts_with('0') && rest.get(whole..)?.starts_with(['l', 'L']);
    Some((Token::Whole(rest.get(..whole)?), whole + usize::from(is_marked)))
}

/// How many digits stand at `from`.
fn digits(text: &str, from: usize) -> usize {
    text.bytes().skip(from).take_while(u8::is_ascii_digit).count()
}

/// The length of the exponent that stands here, if there is a whole one.
fn exponent(rest: &str) -> usize {
    let Some(behind) = rest.strip_prefix(['e', 'E']) else { return 0 };
    let signed = 1 + usize::from(behind.starts_with(['+', '-']));
    match digits(rest, signed) {
        0 => 0,
        digits => signed + digits,
    }
}

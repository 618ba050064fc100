//! Makes a tree of a condition's words, one function for each rule:
//!
//! ```text
//! or         = and { OR and }
//! and        = equality { AND equality }
//! equality   = comparison { ( = | <> ) comparison | IS [ NOT ] NULL }
//! comparison = unary { ( < | <= | > | >= ) unary | [ NOT ] BETWEEN unary AND unary | [ NOT ] IN ( text { , text } ) }
//! unary      = { + | - | NOT } primary
//! primary    = constant | property | ( or )
//! ```
//!
//! So signs and NOT bind tightest: `NOT a = 1` compares. Nothing is said about what follows the first `or`; the reference
//! does not look at it either, but for its first word.

use std::collections::BTreeMap;

use super::expression::{Between, Equality, Expression, Link, Order};
use super::lexer::{Lexer, Token};
use super::number::{Number, double};
use super::{DEPTH_MAX, NODES_MAX, Position, SqlError, TEXT_BYTES_MAX};

const OPERAND: &str = "a property, a constant or `(`";

/// Errors are boxed, because each level of nesting keeps a dozen of these on the stack.
pub(super) type Result<T> = std::result::Result<T, Box<SqlError>>;

/// A condition, and the properties that it asks for with their places.
pub(super) type Parsed = (Expression, BTreeMap<Box<str>, usize>);

pub(super) fn parse(text: &str) -> Result<Parsed> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(SqlError::TooLong { bytes: text.len() }.into());
    }
    let mut parser =
        Parser { lexer: Lexer::new(text), token: Token::End, at: 0, depth: 0, nodes: 0, names: BTreeMap::new() };
    parser.advance()?;
    let start = parser.at;
    let condition = parser.or()?;
    let condition = parser.condition(condition, start)?;
    Ok((condition, parser.names))
}

struct Parser<'a> {
    lexer: Lexer<'a>,
    /// The next word, and where it begins.
    token: Token<'a>,
    at: usize,
    /// How many parentheses, signs and NOTs are open.
    depth: usize,
    nodes: usize,
    names: BTreeMap<Box<str>, usize>,
}

impl<'a> Parser<'a> {
    fn or(&mut self) -> Result<Expression> {
        self.row(Token::Or, Self::and, Expression::Any)
    }

    fn and(&mut self) -> Result<Expression> {
        self.row(Token::And, Self::equality, Expression::All)
    }

    /// Operands between `separator`s; one alone need not be a condition.
    fn row(
        &mut self,
        separator: Token<'_>,
        operand: fn(&mut Self) -> Result<Expression>,
        together: fn(Vec<Expression>) -> Expression,
    ) -> Result<Expression> {
        let start = self.at;
        let first = operand(self)?;
        if self.token != separator {
            return Ok(first);
        }
        let mut operands = vec![self.condition(first, start)?];
        while self.token == separator {
            self.count_node()?;
            self.advance()?;
            let start = self.at;
            let next = operand(self)?;
            operands.push(self.condition(next, start)?);
        }
        Ok(together(operands))
    }

    fn equality(&mut self) -> Result<Expression> {
        let first = self.comparison()?;
        let mut links = Vec::new();
        loop {
            let at = self.at;
            let is_equal = match self.token {
                Token::Equal => true,
                Token::NotEqual => false,
                Token::Is => {
                    links.push(self.is_null()?);
                    continue;
                }
                _ if links.is_empty() => return Ok(first),
                _ => return Ok(Expression::Equality(Box::new(Equality { first, links }))),
            };
            self.count_node()?;
            self.advance()?;
            let right = self.comparison()?;
            // What is left of a link is a constant only before the first one.
            let left = links.is_empty().then_some(&first);
            self.check_equality(left, &right, at)?;
            links.push(if is_equal { Link::Equal(right) } else { Link::NotEqual(right) });
        }
    }

    fn is_null(&mut self) -> Result<Link> {
        self.count_node()?;
        self.advance()?;
        let is_negated = self.token == Token::Not;
        if is_negated {
            self.advance()?;
        }
        self.expect(Token::Null, if is_negated { "NULL" } else { "NULL or NOT NULL" })?;
        Ok(if is_negated { Link::IsNotNull } else { Link::IsNull })
    }

    fn comparison(&mut self) -> Result<Expression> {
        let mut left = self.unary()?;
        loop {
            let at = self.at;
            let order = match self.token {
                Token::Less => Order::Less,
                Token::LessEqual => Order::LessEqual,
                Token::Greater => Order::Greater,
                Token::GreaterEqual => Order::GreaterEqual,
                Token::Between | Token::In | Token::Not => {
                    left = self.between_or_in(left, at)?;
                    continue;
                }
                _ => return Ok(left),
            };
            self.count_node()?;
            self.advance()?;
            let right = self.unary()?;
            self.check_order([&left, &right], at)?;
            left = Expression::Order(order, Box::new(left), Box::new(right));
        }
    }

    fn between_or_in(&mut self, left: Expression, at: usize) -> Result<Expression> {
        self.count_node()?;
        let is_negated = self.token == Token::Not;
        if is_negated {
            self.advance()?;
        }
        let expression = match self.token {
            Token::Between => {
                self.advance()?;
                let low = self.unary()?;
                self.expect(Token::And, "AND")?;
                let high = self.unary()?;
                self.check_order([&left, &low, &high], at)?;
                let is_empty = match (&low, &high) {
                    (Expression::Number(low), Expression::Number(high)) => low.compare(*high).is_gt(),
                    _ => false,
                };
                if is_empty && !is_negated {
                    return Err(self.meaningless(at, "the first bound of BETWEEN is above the second"));
                }
                Expression::Between(Box::new(Between { value: left, low, high }))
            }
            Token::In => {
                self.advance()?;
                let texts = self.texts()?;
                let Expression::Property(place) = left else {
                    return Err(self.meaningless(at, "only a property can be IN texts"));
                };
                Expression::In(place, texts)
            }
            _ => return Err(self.unexpected("IN or BETWEEN")),
        };
        Ok(if is_negated { Expression::Not(Box::new(expression)) } else { expression })
    }

    /// The texts of an IN, sorted.
    fn texts(&mut self) -> Result<Box<[Box<str>]>> {
        self.expect(Token::Open, "`(`")?;
        let mut texts = Vec::new();
        loop {
            let Token::Text(quoted) = self.token else { return Err(self.unexpected("a text in single quotes")) };
            texts.push(unquoted(quoted));
            self.advance()?;
            if self.token != Token::Comma {
                break;
            }
            self.advance()?;
        }
        self.expect(Token::Close, "`,` or `)`")?;
        texts.sort_unstable();
        Ok(texts.into())
    }

    fn unary(&mut self) -> Result<Expression> {
        let sign = self.token;
        if !matches!(sign, Token::Plus | Token::Minus | Token::Not) {
            return self.primary();
        }
        self.count_node()?;
        self.open()?;
        let start = self.at;
        let operand = self.unary()?;
        self.depth -= 1;
        match sign {
            Token::Minus => Ok(Expression::Negated(Box::new(operand))),
            Token::Not => Ok(Expression::Not(Box::new(self.condition(operand, start)?))),
            _ => Ok(operand),
        }
    }

    fn primary(&mut self) -> Result<Expression> {
        self.count_node()?;
        let expression = match self.token {
            Token::Open => {
                self.open()?;
                let inner = self.or()?;
                self.expect(Token::Close, "an operator or `)`")?;
                self.depth -= 1;
                return Ok(inner);
            }
            Token::Name(name) => Expression::Property(self.place_of(name)),
            Token::Text(quoted) => Expression::Text(unquoted(quoted)),
            Token::Whole(digits) => match digits.parse() {
                Ok(value) => Expression::Number(Number::of_whole(value)),
                Err(_) => return Err(self.meaningless(self.at, "larger than 9223372036854775807")),
            },
            Token::Decimal(digits) => match double(digits) {
                // The reference asks for at least the smallest number that is more than zero.
                Some(value) if value > 0.0 && value.is_finite() => Expression::Number(Number::Double(value)),
                _ => return Err(self.meaningless(self.at, "zero with a point, or beyond what a double can hold")),
            },
            Token::True => Expression::Bool(true),
            Token::False => Expression::Bool(false),
            Token::Null => Expression::Null,
            _ => return Err(self.unexpected(OPERAND)),
        };
        self.advance()?;
        Ok(expression)
    }

    /// The place of a property's value among those of a record.
    fn place_of(&mut self, name: &str) -> usize {
        let next = self.names.len();
        *self.names.entry(name.into()).or_insert(next)
    }

    /// What stands where only a condition may: one, or a property, which is cast.
    fn condition(&self, expression: Expression, at: usize) -> Result<Expression> {
        match expression {
            Expression::Property(place) => Ok(Expression::Cast(place)),
            condition if condition.is_condition() => Ok(condition),
            _ => Err(self.meaningless(at, "this is a value, not a condition")),
        }
    }

    fn check_equality(&self, left: Option<&Expression>, right: &Expression, at: usize) -> Result<()> {
        match (left, right) {
            (Some(Expression::Null), _) | (_, Expression::Null) => {
                Err(self.meaningless(at, "NULL cannot be compared: write IS NULL or IS NOT NULL"))
            }
            (Some(Expression::Bool(_)), Expression::Number(_) | Expression::Text(_)) => {
                Err(self.meaningless(at, "TRUE and FALSE are neither number nor text"))
            }
            _ => Ok(()),
        }
    }

    fn check_order<const N: usize>(&self, operands: [&Expression; N], at: usize) -> Result<()> {
        let is_number_or_unknown = |operand: &&Expression| {
            matches!(operand, Expression::Number(_) | Expression::Property(_) | Expression::Negated(_))
        };
        if operands.iter().all(is_number_or_unknown) {
            return Ok(());
        }
        Err(self.meaningless(at, "`<`, `<=`, `>`, `>=` and BETWEEN compare numbers and properties only"))
    }

    fn advance(&mut self) -> Result<()> {
        (self.token, self.at) = self.lexer.next()?;
        Ok(())
    }

    fn expect(&mut self, token: Token<'_>, expected: &'static str) -> Result<()> {
        if self.token != token {
            return Err(self.unexpected(expected));
        }
        self.advance()
    }

    /// Takes a sign, a NOT or a parenthesis.
    fn open(&mut self) -> Result<()> {
        if self.depth == DEPTH_MAX {
            return Err(SqlError::TooDeep { at: self.position(self.at) }.into());
        }
        self.depth += 1;
        self.advance()
    }

    fn count_node(&mut self) -> Result<()> {
        if self.nodes == NODES_MAX {
            return Err(SqlError::TooMany { at: self.position(self.at) }.into());
        }
        self.nodes += 1;
        Ok(())
    }

    fn unexpected(&self, expected: &'static str) -> Box<SqlError> {
        self.lexer.unexpected(expected, self.at)
    }

    fn meaningless(&self, at: usize, reason: &'static str) -> Box<SqlError> {
        SqlError::Meaning { at: self.position(at), reason }.into()
    }

    fn position(&self, at: usize) -> Position {
        Position::of(self.lexer.text(), at)
    }
}

/// A text without the second of two quotes in a row.
fn unquoted(quoted: &str) -> Box<str> {
    quoted.replace("''", "'").into()
}

//! A parsed condition, and what it says about the properties of a record.
//!
//! Null is `None`. Rows of AND, OR and of equalities are one node each, so that a tree is only as deep as its text is nested
//! and evaluating it, or dropping it, needs a bounded stack.

use std::cmp::Ordering;

use super::number::{Number, compare_doubles, double};

/// A node of a condition.
#[derive(Debug)]
pub(super) enum Expression {
    Null,
    Bool(bool),
    Number(Number),
    Text(Box<str>),
    /// The property whose value stands at this place.
    Property(usize),
    /// A sign before anything but a number, which gives null.
    Negated(Box<Self>),
    /// A property where a condition is expected; it is no truth value, so this is false, or null without the property.
    Cast(usize),
    Not(Box<Self>),
    All(Vec<Self>),
    Any(Vec<Self>),
    Equality(Box<Equality>),
    Order(Order, Box<Self>, Box<Self>),
    Between(Box<Between>),
    /// Whether the property is one of the texts, which are sorted.
    In(usize, Box<[Box<str>]>),
}

/// An operand and what follows it.
#[derive(Debug)]
pub(super) struct Equality {
    pub(super) first: Expression,
    pub(super) links: Vec<Link>,
}

/// What follows an operand, and makes with it the operand for the next of these.
#[derive(Debug)]
pub(super) enum Link {
    Equal(Expression),
    NotEqual(Expression),
    IsNull,
    IsNotNull,
}

/// A comparison of numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
}

/// `value BETWEEN low AND high`.
#[derive(Debug)]
pub(super) struct Between {
    pub(super) value: Expression,
    pub(super) low: Expression,
    pub(super) high: Expression,
}

/// What a node gives, if it is not null.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Value<'a> {
    Bool(bool),
    Number(Number),
    Text(&'a str),
}

/// A value is not of the kind that it is compared with: the whole condition has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Failed;

impl Expression {
    /// Whether this gives a truth value or null, whatever the record.
    pub(super) fn is_condition(&self) -> bool {
        match self {
            Self::Number(_) | Self::Text(_) | Self::Property(_) | Self::Negated(_) => false,
            Self::Null
            | Self::Bool(_)
            | Self::Cast(_)
            | Self::Not(_)
            | Self::All(_)
            | Self::Any(_)
            | Self::Equality(_)
            | Self::Order(..)
            | Self::Between(_)
            | Self::In(..) => true,
        }
    }

    /// The answer for a record; `values` are those of its properties, by place.
    ///
    /// The order in which operands are looked at, and whether they are, decides about failures, and is the reference's.
    pub(super) fn evaluate<'a>(&'a self, values: &[Option<&'a str>]) -> Result<Option<Value<'a>>, Failed> {
        let value_of = |place: usize| values.get(place).copied().flatten();
        Ok(match self {
            Self::Null => None,
            Self::Bool(value) => Some(Value::Bool(*value)),
            Self::Number(number) => Some(Value::Number(*number)),
            Self::Text(text) => Some(Value::Text(text)),
            Self::Property(place) => value_of(*place).map(Value::Text),
            Self::Negated(operand) => match operand.evaluate(values)? {
                Some(Value::Number(number)) => Some(Value::Number(number.negated())),
                _ => None,
            },
            Self::Cast(place) => value_of(*place).map(|_| Value::Bool(false)),
            Self::Not(operand) => not(operand.truth(values)?).map(Value::Bool),
            Self::All(operands) => first_or_null(operands, false, values)?.map(Value::Bool),
            Self::Any(operands) => first_or_null(operands, true, values)?.map(Value::Bool),
            Self::Equality(equality) => equality.evaluate(values)?,
            Self::Order(order, left, right) => order.evaluate(left.evaluate(values)?, right, values)?.map(Value::Bool),
            Self::Between(between) => between.evaluate(values)?.map(Value::Bool),
            Self::In(place, texts) => {
                value_of(*place).map(|value| Value::Bool(texts.binary_search_by(|text| (**text).cmp(value)).is_ok()))
            }
        })
    }

    /// The answer of a condition.
    fn truth<'a>(&'a self, values: &[Option<&'a str>]) -> Result<Option<bool>, Failed> {
        debug_assert!(self.is_condition(), "the parser casts: {self:?}");
        Ok(self.evaluate(values)?.map(|value| value == Value::Bool(true)))
    }
}

fn not(truth: Option<bool>) -> Option<bool> {
    truth.map(|truth| !truth)
}

/// `decisive` as soon as an operand is that; otherwise null if one was null, or else the opposite.
fn first_or_null<'a>(
    operands: &'a [Expression],
    decisive: bool,
    values: &[Option<&'a str>],
) -> Result<Option<bool>, Failed> {
    let mut answer = Some(!decisive);
    for operand in operands {
        match operand.truth(values)? {
            Some(truth) if truth == decisive => return Ok(Some(decisive)),
            Some(_) => {}
            None => answer = None,
        }
    }
    Ok(answer)
}

impl Equality {
    fn evaluate<'a>(&'a self, values: &[Option<&'a str>]) -> Result<Option<Value<'a>>, Failed> {
        let mut left = self.first.evaluate(values)?;
        for link in &self.links {
            left = link.evaluate(left, values)?.map(Value::Bool);
        }
        Ok(left)
    }
}

impl Link {
    fn evaluate<'a>(&'a self, left: Option<Value<'a>>, values: &[Option<&'a str>]) -> Result<Option<bool>, Failed> {
        Ok(match self {
            Self::Equal(right) => equal(left, right.evaluate(values)?)?,
            Self::NotEqual(right) => not(equal(left, right.evaluate(values)?)?),
            Self::IsNull => Some(left.is_none()),
            Self::IsNotNull => Some(left.is_some()),
        })
    }
}

/// Two nulls are equal; beside a value, null is unknown on the left and different on the right.
fn equal(left: Option<Value<'_>>, right: Option<Value<'_>>) -> Result<Option<bool>, Failed> {
    match (left, right) {
        (None, None) => Ok(Some(true)),
        (None, Some(_)) => Ok(None),
        (Some(_), None) => Ok(Some(false)),
        (Some(left), Some(right)) => Ok(Some(compare(left, right)? == Ordering::Equal)),
    }
}

impl Order {
    fn evaluate<'a>(
        self,
        left: Option<Value<'a>>,
        right: &'a Expression,
        values: &[Option<&'a str>],
    ) -> Result<Option<bool>, Failed> {
        let Some(left) = left else { return Ok(None) };
        let Some(right) = right.evaluate(values)? else { return Ok(None) };
        let ordering = match (left, right) {
            (Value::Text(left), Value::Text(right)) => {
                compare_doubles(double(left).ok_or(Failed)?, double(right).ok_or(Failed)?)
            }
            (left, right) => compare(left, right)?,
        };
        Ok(Some(match self {
            Self::Less => ordering.is_lt(),
            Self::LessEqual => ordering.is_le(),
            Self::Greater => ordering.is_gt(),
            Self::GreaterEqual => ordering.is_ge(),
        }))
    }
}

impl Between {
    /// Both comparisons, the second only if the first does not decide.
    ///
    /// The value is evaluated once: were it twice, as in the reference, every BETWEEN within a BETWEEN would double the
    /// time.
    fn evaluate<'a>(&'a self, values: &[Option<&'a str>]) -> Result<Option<bool>, Failed> {
        let value = self.value.evaluate(values)?;
        let above_low = Order::GreaterEqual.evaluate(value, &self.low, values)?;
        if above_low == Some(false) {
            return Ok(above_low);
        }
        let below_high = Order::LessEqual.evaluate(value, &self.high, values)?;
        Ok(if below_high == Some(false) { below_high } else { above_low.and(below_high) })
    }
}

/// Compares values, a text as what the other one is. A truth value on the left of a text fails; beside a number it is
/// merely different.
fn compare(left: Value<'_>, right: Value<'_>) -> Result<Ordering, Failed> {
    match (left, right) {
        (Value::Text(left), Value::Text(right)) => Ok(left.cmp(right)),
        (Value::Bool(left), Value::Bool(right)) => Ok(left.cmp(&right)),
        (Value::Number(left), Value::Number(right)) => Ok(left.compare(right)),
        (Value::Text(left), Value::Number(right)) => Ok(right.like(left).ok_or(Failed)?.compare(right)),
        (Value::Number(left), Value::Text(right)) => Ok(left.compare(left.like(right).ok_or(Failed)?)),
        (Value::Text(left), Value::Bool(right)) => Ok(left.eq_ignore_ascii_case("true").cmp(&right)),
        (Value::Bool(_), Value::Text(_)) => Err(Failed),
        (Value::Bool(_), Value::Number(_)) | (Value::Number(_), Value::Bool(_)) => Ok(Ordering::Less),
    }
}

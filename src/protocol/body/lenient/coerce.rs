//! Lets a value of one JSON kind be read where another is wanted, as the reference's parser does.
//!
//! | wanted | also taken |
//! |---|---|
//! | number | text that is a number, truth value; for counts, below zero counts as zero |
//! | text | number, truth value |
//! | truth value | `"true"`, `"false"`, number |
//! | member of an enumeration | its ordinal |
//! | list | object (a `$ref`): empty |

use std::fmt;

use serde::de::value::StrDeserializer;
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, Error, IgnoredAny, IntoDeserializer, MapAccess, SeqAccess, Visitor,
};
use serde::forward_to_deserialize_any;

/// Reads strict JSON text, indulgent about kinds.
pub(super) fn from_strict<T: DeserializeOwned>(text: &str) -> Result<T, serde_json::Error> {
    let mut json = serde_json::Deserializer::from_str(text);
    let value = T::deserialize(Coerce(&mut json))?;
    json.end()?;
    Ok(value)
}

/// A deserializer, seed, map or list whose parts are coerced all the way down.
struct Coerce<T>(T);

/// What the type that is being read asked for.
#[derive(Clone, Copy, PartialEq)]
enum Want {
    Anything,
    Truth,
    Integer,
    Count,
    Fraction,
    Text,
    List,
    Member(&'static [&'static str]),
}

struct Coercing<V> {
    visitor: V,
    want: Want,
}

macro_rules! ask_for {
    ($($method:ident: $want:expr,)+) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
            self.0.deserialize_any(Coercing { visitor, want: $want })
        })+
    };
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Coerce<D> {
    type Error = D::Error;

    ask_for! {
        deserialize_any: Want::Anything,
        deserialize_bool: Want::Truth,
        deserialize_i8: Want::Integer,
        deserialize_i16: Want::Integer,
        deserialize_i32: Want::Integer,
        deserialize_i64: Want::Integer,
        deserialize_u8: Want::Count,
        deserialize_u16: Want::Count,
        deserialize_u32: Want::Count,
        deserialize_u64: Want::Count,
        deserialize_f32: Want::Fraction,
        deserialize_f64: Want::Fraction,
        deserialize_str: Want::Text,
        deserialize_string: Want::Text,
        deserialize_seq: Want::List,
        deserialize_map: Want::Anything,
        deserialize_identifier: Want::Text,
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_option(Coercing { visitor, want: Want::Anything })
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, D::Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.deserialize_map(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        members: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.0.deserialize_any(Coercing { visitor, want: Want::Member(members) })
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_ignored_any(visitor)
    }

    forward_to_deserialize_any! { i128 u128 char bytes byte_buf unit unit_struct tuple tuple_struct }
}

impl<'de, V: Visitor<'de>> Coercing<V> {
    fn member<E: Error>(self, name: &str) -> Result<V::Value, E> {
        let named: StrDeserializer<'_, E> = name.into_deserializer();
        self.visitor.visit_enum(named)
    }
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Coercing<V> {
    type Value = V::Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.visitor.expecting(formatter)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<V::Value, E> {
        match self.want {
            Want::Text => self.visitor.visit_str(if value { "true" } else { "false" }),
            Want::Integer | Want::Count => self.visitor.visit_u64(value.into()),
            _ => self.visitor.visit_bool(value),
        }
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<V::Value, E> {
        match self.want {
            Want::Text => self.visitor.visit_string(value.to_string()),
            Want::Truth => self.visitor.visit_bool(value != 0),
            Want::Count => self.visitor.visit_u64(value.max(0).unsigned_abs()),
            Want::Fraction => self.visitor.visit_f64(value as f64),
            _ => self.visitor.visit_i64(value),
        }
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<V::Value, E> {
        match self.want {
            Want::Text => self.visitor.visit_string(value.to_string()),
            Want::Truth => self.visitor.visit_bool(value != 0),
            Want::Fraction => self.visitor.visit_f64(value as f64),
            Want::Member(members) => {
                let member = usize::try_from(value).ok().and_then(|ordinal| members.get(ordinal));
                let name = member.ok_or_else(|| E::custom(format_args!("no member {value} among {members:?}")))?;
                self.member(name)
            }
            _ => self.visitor.visit_u64(value),
        }
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<V::Value, E> {
        match self.want {
            Want::Text => self.visitor.visit_string(value.to_string()),
            // The conversion saturates, so that no number is an error.
            Want::Integer => self.visitor.visit_i64(value as i64),
            Want::Count => self.visitor.visit_u64(value as u64),
            _ => self.visitor.visit_f64(value),
        }
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<V::Value, E> {
        let trimmed = text.trim();
        let not_a = |kind: &str| E::custom(format_args!("{text:?} is not {kind}"));
        match self.want {
            Want::Truth => match trimmed {
                "true" | "1" => self.visitor.visit_bool(true),
                "false" | "0" | "" => self.visitor.visit_bool(false),
                _ => Err(not_a("true or false")),
            },
            Want::Integer | Want::Count => {
                let number: i64 =
                    if trimmed.is_empty() { Ok(0) } else { trimmed.parse() }.map_err(|_| not_a("a number"))?;
                self.visit_i64(number)
            }
            Want::Fraction => self.visitor.visit_f64(trimmed.parse().map_err(|_| not_a("a number"))?),
            Want::Member(_) => self.member(text),
            _ => self.visitor.visit_str(text),
        }
    }

    fn visit_unit<E: Error>(self) -> Result<V::Value, E> {
        // Members that are null were dropped before; what is left stands in a list.
        self.visitor.visit_unit()
    }

    fn visit_none<E: Error>(self) -> Result<V::Value, E> {
        self.visitor.visit_none()
    }

    fn visit_some<D: Deserializer<'de>>(self, value: D) -> Result<V::Value, D::Error> {
        self.visitor.visit_some(Coerce(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<V::Value, A::Error> {
        self.visitor.visit_seq(Coerce(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<V::Value, A::Error> {
        if self.want == Want::List {
            while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            return self.visitor.visit_seq(Nothing(std::marker::PhantomData));
        }
        self.visitor.visit_map(Coerce(map))
    }
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Coerce<S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, value: D) -> Result<S::Value, D::Error> {
        self.0.deserialize(Coerce(value))
    }
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Coerce<A> {
    type Error = A::Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, A::Error> {
        self.0.next_element_seed(Coerce(seed))
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Coerce<A> {
    type Error = A::Error;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, A::Error> {
        self.0.next_key_seed(Coerce(seed))
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        self.0.next_value_seed(Coerce(seed))
    }
}

/// A list without elements, of any error type.
struct Nothing<E>(std::marker::PhantomData<E>);

impl<'de, E: Error> SeqAccess<'de> for Nothing<E> {
    type Error = E;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, _: S) -> Result<Option<S::Value>, E> {
        Ok(None)
    }
}

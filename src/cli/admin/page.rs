//! What a command has found, printed as tables for people or as one JSON value for machines.
//!
//! Both forms have the same names, so that who reads the one finds his way in the other. Times are milliseconds since the
//! epoch in JSON and dates of UTC in tables.

use std::collections::BTreeMap;

use comfy_table::{Table, presets};
use serde_json::{Map, Value};

use crate::cli::table::{align_right, table};
use crate::cli::times;

/// One value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Cell {
    /// A text.
    Text(String),
    /// A whole number.
    Number(i64),
    /// A rate.
    Real(f64),
    /// Yes or no.
    Flag(bool),
    /// A time, in milliseconds since the epoch.
    Time(i64),
    /// No value.
    Nothing,
}

impl Cell {
    /// A time that is 0 or negative where there is none.
    pub(super) fn time(ms: i64) -> Self {
        if ms > 0 { Self::Time(ms) } else { Self::Nothing }
    }

    fn show(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Number(number) => number.to_string(),
            Self::Real(number) => format!("{number:.2}"),
            Self::Flag(flag) => flag.to_string(),
            Self::Time(ms) => times::show(*ms),
            Self::Nothing => "-".into(),
        }
    }

    fn into_json(self) -> Value {
        match self {
            Self::Text(text) => text.into(),
            Self::Number(number) | Self::Time(number) => number.into(),
            Self::Real(number) => number.into(),
            Self::Flag(flag) => flag.into(),
            Self::Nothing => Value::Null,
        }
    }
}

macro_rules! cells {
    ($($from:ty => |$value:ident| $cell:expr,)*) => {
        $(impl From<$from> for Cell {
            fn from($value: $from) -> Self {
                $cell
            }
        })*
    };
}

cells! {
    String => |text| Self::Text(text),
    &str => |text| Self::Text(text.into()),
    i64 => |number| Self::Number(number),
    i32 => |number| Self::Number(number.into()),
    u32 => |number| Self::Number(number.into()),
    u64 => |number| Self::Number(i64::try_from(number).unwrap_or(i64::MAX)),
    usize => |number| Self::Number(i64::try_from(number).unwrap_or(i64::MAX)),
    f64 => |number| Self::Real(number),
    bool => |flag| Self::Flag(flag),
}

impl<T: Into<Self>> From<Option<T>> for Cell {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Nothing, Into::into)
    }
}

/// A row of cells of whatever makes cells.
macro_rules! row {
    ($($cell:expr),+ $(,)?) => {
        vec![$($crate::cli::admin::page::Cell::from($cell)),+]
    };
}
pub(super) use row;

/// Rows of cells under named columns.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Rows {
    columns: &'static [&'static str],
    rows: Vec<Vec<Cell>>,
}

impl Rows {
    pub(super) fn new(columns: &'static [&'static str]) -> Self {
        Self { columns, rows: Vec::new() }
    }

    pub(super) fn add(&mut self, row: Vec<Cell>) {
        assert_eq!(row.len(), self.columns.len(), "a cell for each of {:?}", self.columns);
        self.rows.push(row);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    fn to_text(&self) -> String {
        let shown = self.rows.iter().map(|row| row.iter().map(Cell::show).collect());
        let mut table = table(self.columns, shown, 0..0);
        for column in 0..self.columns.len() {
            let is_of_numbers =
                |row: &Vec<Cell>| matches!(row.get(column), Some(Cell::Number(_) | Cell::Real(_) | Cell::Nothing));
            if self.rows.iter().all(is_of_numbers) {
                align_right(&mut table, column);
            }
        }
        format!("{}\n", table.trim_fmt())
    }

    fn into_json(self) -> Value {
        let line = |row: Vec<Cell>| -> Value {
            let named = self.columns.iter().zip(row).map(|(name, cell)| ((*name).to_owned(), cell.into_json()));
            named.collect::<Map<_, _>>().into()
        };
        self.rows.into_iter().map(line).collect()
    }
}

/// All that a command prints.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Page {
    /// Rows.
    Rows(Rows),
    /// Names with a value each.
    Pairs(Vec<(String, Cell)>),
    /// Pages under a heading each.
    Parts(Vec<(String, Self)>),
    /// An object, whose members are lines for people.
    Fields(Value),
    /// What has no other form than JSON, over several lines for people.
    Json(Value),
    /// What was printed already.
    Printed,
}

impl From<Rows> for Page {
    fn from(rows: Rows) -> Self {
        Self::Rows(rows)
    }
}

impl From<BTreeMap<String, String>> for Page {
    fn from(table: BTreeMap<String, String>) -> Self {
        Self::Pairs(table.into_iter().map(|(name, value)| (name, value.into())).collect())
    }
}

impl Page {
    pub(super) fn print(self, as_json: bool) -> anyhow::Result<()> {
        match self {
            Self::Printed => Ok(()),
            page if as_json => crate::cli::print(&format!("{}\n", page.into_json())),
            page => crate::cli::print(&page.to_text()),
        }
    }

    fn to_text(&self) -> String {
        match self {
            Self::Rows(rows) => rows.to_text(),
            Self::Pairs(pairs) => lines(pairs.iter().map(|(name, value)| [name.clone(), value.show()])),
            Self::Fields(value) => {
                let fields = value.as_object().into_iter().flatten();
                let show = |value: &Value| value.as_str().map_or_else(|| value.to_string(), Into::into);
                lines(fields.map(|(name, value)| [name.clone(), show(value)]))
            }
            Self::Parts(parts) => {
                let texts: Vec<_> = parts.iter().map(|(name, page)| format!("{name}:\n{}", page.to_text())).collect();
                texts.join("\n")
            }
            Self::Json(value) => format!("{value:#}\n"),
            Self::Printed => String::new(),
        }
    }

    fn into_json(self) -> Value {
        match self {
            Self::Rows(rows) => rows.into_json(),
            Self::Pairs(pairs) => {
                pairs.into_iter().map(|(name, value)| (name, value.into_json())).collect::<Map<_, _>>().into()
            }
            Self::Parts(parts) => {
                parts.into_iter().map(|(name, page)| (name, page.into_json())).collect::<Map<_, _>>().into()
            }
            Self::Json(value) | Self::Fields(value) => value,
            Self::Printed => Value::Null,
        }
    }
}

/// A line for each name and its value.
fn lines(pairs: impl Iterator<Item = [String; 2]>) -> String {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).add_rows(pairs);
    format!("{}\n", table.trim_fmt())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> Rows {
        let mut rows = Rows::new(&["broker", "queue", "tps", "stored", "ordered"]);
        rows.add(row!["a", 7, 0.5, Cell::time(1_709_164_800_000), true]);
        rows.add(row!["broker-b", 12_u32, None::<f64>, Cell::time(0), false]);
        rows
    }

    #[test]
    fn rows_are_a_table_for_people() {
        let expected = [
            " broker    queue   tps  stored                    ordered\n",
            " a             7  0.50  2024-02-29T00:00:00.000Z  true\n",
            " broker-b     12     -  -                         false\n",
        ];
        assert_eq!(Page::from(rows()).to_text(), expected.concat());
    }

    #[test]
    fn and_objects_for_machines() {
        let expected = serde_json::json!([
            {"broker": "a", "queue": 7, "tps": 0.5, "stored": 1_709_164_800_000_i64, "ordered": true},
            {"broker": "broker-b", "queue": 12, "tps": null, "stored": null, "ordered": false},
        ]);
        assert_eq!(Page::from(rows()).into_json(), expected);
    }

    #[test]
    fn parts_have_headings() {
        let settings = BTreeMap::from([("key".to_owned(), "value".to_owned())]);
        let page = Page::Parts(vec![("h:1".into(), settings.clone().into()), ("h:2".into(), settings.into())]);
        assert_eq!(page.to_text(), "h:1:\n key  value\n\nh:2:\n key  value\n");
        assert_eq!(page.into_json(), serde_json::json!({"h:1": {"key": "value"}, "h:2": {"key": "value"}}));
    }
}

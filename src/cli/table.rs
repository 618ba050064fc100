//! Tables as people read them: columns with a name each, and no lines between them.

use std::ops::Range;

use comfy_table::{CellAlignment, Table, presets};

/// A table of which some columns hold numbers.
pub(in crate::cli) fn table(names: &[&str], rows: impl Iterator<Item = Vec<String>>, numbers: Range<usize>) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_header(names).add_rows(rows);
    for column in numbers {
        align_right(&mut table, column);
    }
    table
}

/// Puts a column's cells to its right end, as numbers are read.
pub(in crate::cli) fn align_right(table: &mut Table, column: usize) {
    if let Some(column) = table.column_mut(column) {
        column.set_cell_alignment(CellAlignment::Right);
    }
}

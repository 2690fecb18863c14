//! Rows of a database: values of any type where others are expected.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use libsql::Value;
use lockkeeper::data::vox::tables::{locks, log, messages, nodes};

/// A value as `SQLite` has them.
#[derive(Debug, Arbitrary)]
enum Cell {
    Null,
    Integer(i64),
    Real(f64),
    Text(String),
    Blob(Vec<u8>),
}

fn value(cell: Cell) -> Value {
    match cell {
        Cell::Null => Value::Null,
        Cell::Integer(number) => Value::Integer(number),
        Cell::Real(number) => Value::Real(number),
        Cell::Text(text) => Value::Text(text),
        Cell::Blob(bytes) => Value::Blob(bytes),
    }
}

fuzz_target!(|cells: Vec<Cell>| {
    let values: Vec<Value> = cells.into_iter().map(value).collect();
    let mut odd = Vec::new();
    let _ = nodes::HEARTBEATS.read_one(&values, &mut odd);
    let _ = nodes::LEADERS.read_one(&values, &mut odd);
    let _ = messages::A2A.read_one(&values, &mut odd);
    let _ = messages::MESH.read_one(&values, &mut odd);
    let _ = locks::DISTRIBUTED.read_one(&values, &mut odd);
    let _ = locks::VCS.read_one(&values, &mut odd);
    let _ = locks::LEASES.read_one(&values, &mut odd);
    let _ = log::OPLOG.read_one(&values, &mut odd);
    let _ = log::CONVERGENCE.read_one(&values, &mut odd);
    let _ = log::LINEAGE.read_one(&values, &mut odd);
});

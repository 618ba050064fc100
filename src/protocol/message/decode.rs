//! Records to messages.

use std::net::{IpAddr, SocketAddr};

use bytes::{Buf, Bytes};

use super::{Message, RecordError, RecordHead, Text};
use crate::protocol::sys_flag;
use crate::protocol::units::BornTime;

/// Decodes the record that `block` begins with, and tells how long it is. The message shares the block.
///
/// # Errors
/// Says what is wrong; [`RecordError::is_blank`] for the blank at the end of a segment.
pub fn decode(block: &Bytes) -> Result<(Message, usize), RecordError> {
    let head = RecordHead::parse(block)?;
    let size = head.total_size as usize;
    // The head has seen that the record is whole and its parts add up, so that a missing byte below cannot be met.
    let cut = |_| RecordError::Cut { needed: size, left: block.len() };
    let mut rest: &[u8] = block;
    rest.advance(16);
    let flag = rest.try_get_i32().map_err(cut)?;
    rest.advance(20);
    let born_time = BornTime(rest.try_get_i64().map_err(cut)?);
    let born_host = host(&mut rest, head.sys_flag & sys_flag::BORN_HOST_V6 != 0, "born host")?;
    rest.advance(8);
    let store_host = host(&mut rest, head.sys_flag & sys_flag::STORE_HOST_V6 != 0, "store host")?;
    let reconsume_times = rest.try_get_i32().map_err(cut)?;
    let message = Message {
        topic: Text::parse(block.slice_ref(head.topic.as_bytes()), "topic")?,
        queue_id: head.queue_id,
        flag,
        queue_offset: head.queue_offset,
        physical_offset: head.physical_offset,
        sys_flag: head.sys_flag,
        born_time,
        born_host,
        store_time: head.store_time,
        store_host,
        reconsume_times,
        prepared_transaction_offset: head.prepared_transaction_offset,
        body_crc: head.body_crc,
        body: block.slice_ref(head.body),
        properties: Text::parse(block.slice_ref(head.properties.as_bytes()), "properties")?,
    };
    Ok((message, size))
}

/// Decodes the records that lie one behind the other in a pull answer's body.
///
/// # Errors
/// As [`decode`]; nothing is returned of a body that is damaged anywhere.
pub fn decode_all(mut block: Bytes) -> Result<Vec<Message>, RecordError> {
    let mut messages = Vec::new();
    while !block.is_empty() {
        let (message, size) = decode(&block)?;
        messages.push(message);
        block.advance(size);
    }
    Ok(messages)
}

fn host(rest: &mut &[u8], v6: bool, field: &'static str) -> Result<SocketAddr, RecordError> {
    let cut = RecordError::Cut { needed: if v6 { 20 } else { 8 }, left: rest.len() };
    let address = if v6 {
        rest.try_get_u128().map(|bits| IpAddr::from(bits.to_be_bytes()))
    } else {
        rest.try_get_u32().map(|bits| IpAddr::from(bits.to_be_bytes()))
    };
    let (Ok(address), Ok(port)) = (address, rest.try_get_i32()) else {
        return Err(cut);
    };
    let port = u16::try_from(port).map_err(|_| RecordError::Number { field, value: i64::from(port) })?;
    Ok(SocketAddr::new(address, port))
}

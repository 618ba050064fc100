//! actors.
pub mod arbiters;
pub mod fault;
pub mod published;

//! actors.
pub mod fault;
pub mod published;
pub mod arbiters;

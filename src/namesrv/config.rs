//! namesrv/config

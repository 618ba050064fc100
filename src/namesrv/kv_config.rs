//! namesrv/kv_config

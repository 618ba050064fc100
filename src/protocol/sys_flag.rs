//! Placeholder of sys_flag.

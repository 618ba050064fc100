//! namesrv/route_table

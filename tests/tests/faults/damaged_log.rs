//! damaged_log

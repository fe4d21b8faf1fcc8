//! A place in a text being parsed.

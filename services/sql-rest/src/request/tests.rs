mod incoming;
mod query;

//! Double-entry balances; post() is the one place where money moves.

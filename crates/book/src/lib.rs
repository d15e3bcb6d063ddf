//! One order book: place, cancel, amend, match; knows no accounts and no money.

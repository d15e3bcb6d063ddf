//! The state machine: apply(frame) composes book, ledger and risk; no I/O, clock, thread or float.

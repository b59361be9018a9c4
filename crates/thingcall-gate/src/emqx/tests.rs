//! EMQX's questions, and that its list of topics allows what a device may do and no more.

//! A gate as brokers find it: what all questions have in common.

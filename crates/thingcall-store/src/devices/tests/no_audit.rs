//! A database without a log of changes.

use async_trait::async_trait;
use thingcall_core::{AuditFilter, AuditKept};

use super::Rows;
use crate::audit_table::{AuditReads, AuditSize};
use crate::failure::Failure;

#[async_trait]
impl AuditReads for Rows {
    async fn audit_entries(&self, _: &AuditFilter, _: usize) -> Result<Vec<AuditKept>, Failure> {
        Ok(Vec::new())
    }
    async fn audit_size(&self) -> Result<AuditSize, Failure> {
        Ok(AuditSize::default())
    }
}

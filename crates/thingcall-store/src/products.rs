//! What people change of a product beside its settings and its model.
//!
//! **Invariant:** a product is forgotten with its model and its subscription, and only while it has no devices: the database
//! sees to that, whoever registers one at the same time.

use thingcall_core::ProductKey;
use thingcall_tsl::{DirectoryError, ProductChange};

use crate::change::Subject;
use crate::failure::Stop;
use crate::registry_tables::Deleted;
use crate::shared::WriteSide;
use crate::{Store, changes};

impl Store {
    /// Changes what people are told of a product.
    pub(crate) async fn update_product(
        &self,
        side: &mut WriteSide,
        key: &ProductKey,
        change: ProductChange,
    ) -> Result<(), Stop<DirectoryError>> {
        let notes = change.notes.map(|notes| serde_json::to_string(&notes)).transpose();
        let notes = notes.map_err(|problem| Stop::Refused(DirectoryError::Store(problem.to_string())))?;
        let mut tx = side.conn.begin().await?;
        if !tx.change_product(key, change.name.as_deref(), notes.as_deref()).await? {
            return Err(Stop::Refused(DirectoryError::NoProduct(key.clone())));
        }
        changes::commit(tx, Subject::Product(key.clone())).await?;
        changes::follow(self.shared(), side).await
    }

    /// Forgets a product.
    pub(crate) async fn delete_product(
        &self,
        side: &mut WriteSide,
        key: &ProductKey,
    ) -> Result<(), Stop<DirectoryError>> {
        let mut tx = side.conn.begin().await?;
        let mut subjects = self.end_subscription(&mut *tx, key).await?;
        match tx.delete_product(key).await? {
            Deleted::Done => {}
            Deleted::NoProduct => return Err(Stop::Refused(DirectoryError::NoProduct(key.clone()))),
            Deleted::HasDevices(devices) => {
                return Err(Stop::Refused(DirectoryError::HasDevices { product: key.clone(), devices }));
            }
        }
        subjects.push(Subject::Product(key.clone()));
        changes::commit_all(tx, &subjects).await?;
        changes::follow(self.shared(), side).await
    }
}

//! What people change of a product.
//!
//! **Invariants:** what is changed from what it was is read in the transaction that writes it, with the product's row locked: no
//! change of another is written over. A product is forgotten with its model and its subscription, and only while it has no devices: the database
//! sees to that, whoever registers one at the same time.

use thingcall_core::{ProductKey, UnixMillis};
use thingcall_tsl::{DirectoryError, Edited, ProductChange, ProductEdit, ThingModel};

use crate::change::Subject;
use crate::database::Tx;
use crate::failure::{Failure, Stop};
use crate::registry_tables::Deleted;
use crate::shared::WriteSide;
use crate::{Store, changes};

impl Store {
    /// Changes a product's model or its settings from what they are.
    pub(crate) async fn edit(
        &self,
        side: &mut WriteSide,
        key: &ProductKey,
        edit: &mut ProductEdit<'_>,
    ) -> Result<(), Stop<DirectoryError>> {
        let mut tx = side.conn.begin().await?;
        let product = tx.locked_product(key).await?;
        let product = product.ok_or_else(|| Stop::Refused(DirectoryError::NoProduct(key.clone())))?;
        let is_there = match edit(&product) {
            None => return Ok(()),
            Some(Edited::Model(model)) => put_model(&mut *tx, key, &model).await?,
            Some(Edited::Settings(settings)) => {
                let settings = serde_json::to_string(&settings);
                let settings = settings.map_err(|problem| Stop::Refused(DirectoryError::Store(problem.to_string())))?;
                tx.set_settings(key, &settings).await?
            }
        };
        if !is_there {
            return Err(Stop::Refused(DirectoryError::NoProduct(key.clone())));
        }
        changes::commit(tx, Subject::Product(key.clone())).await?;
        changes::follow(self.shared(), side).await
    }

    /// Replaces a product's model.
    pub(crate) async fn replace_model(
        &self,
        side: &mut WriteSide,
        key: &ProductKey,
        model: &ThingModel,
    ) -> Result<(), Stop<DirectoryError>> {
        let mut tx = side.conn.begin().await?;
        if !put_model(&mut *tx, key, model).await? {
            return Err(Stop::Refused(DirectoryError::NoProduct(key.clone())));
        }
        changes::commit(tx, Subject::Product(key.clone())).await?;
        changes::follow(self.shared(), side).await
    }

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

/// A product's model and one more version of it; `false` if there is no such product.
async fn put_model(tx: &mut dyn Tx, key: &ProductKey, model: &ThingModel) -> Result<bool, Failure> {
    let texts: Vec<_> = std::iter::once(model.main_text()).chain(model.module_texts().map(|(_, text)| text)).collect();
    if !tx.set_model(key, &texts).await? {
        return Ok(false);
    }
    tx.put_version(key, &texts, UnixMillis::now()).await?;
    Ok(true)
}

//! The latest models of products: in the database alone, since calls look at the newest.

use async_trait::async_trait;
use thingcall_core::{ProductKey, UnixMillis};
use thingcall_tsl::{DirectoryError, ModelVersion, ModelVersions, ThingModel};

use crate::Store;
use crate::directory::unreadable;
use crate::failure::Stop;
use crate::registry_tables::Numbered;
use crate::shared::WriteSide;

#[async_trait]
impl ModelVersions for Store {
    async fn model_versions(&self, product: &ProductKey) -> Result<Vec<ModelVersion>, DirectoryError> {
        self.shared().reads.model_versions(product).await.map_err(|failure| unreadable(&failure))
    }

    async fn model_of(&self, product: &ProductKey, number: &str) -> Result<Option<ThingModel>, DirectoryError> {
        let found = self.shared().reads.model_texts(product, number).await;
        let Some(texts) = found.map_err(|failure| unreadable(&failure))? else { return Ok(None) };
        let unread = |why: String| DirectoryError::Store(format!("model {number} of {product} cannot be read: {why}"));
        let texts: Vec<String> = serde_json::from_str(&texts).map_err(|problem| unread(problem.to_string()))?;
        let (main, modules) = texts.split_first().ok_or_else(|| unread("it is empty".to_owned()))?;
        let modules: Vec<_> = modules.iter().map(String::as_str).collect();
        ThingModel::parse_stored(main, &modules).map(Some).map_err(|problems| unread(problems.to_string()))
    }

    async fn publish_model(
        &self,
        product: &ProductKey,
        number: Option<&str>,
        description: Option<&str>,
    ) -> Result<(), DirectoryError> {
        let mut side = self.shared().write.lock().await;
        let published = publish(&mut side, product, (number, description)).await;
        self.shared().ended(&mut side, published)
    }
}

async fn publish(
    side: &mut WriteSide,
    product: &ProductKey,
    (number, description): (Option<&str>, Option<&str>),
) -> Result<(), Stop<DirectoryError>> {
    let mut tx = side.conn.begin().await?;
    match tx.publish_model(product, (number, description), UnixMillis::now()).await? {
        Numbered::Done => Ok(tx.commit().await?),
        Numbered::NoModel => Err(Stop::Refused(DirectoryError::NoModel(product.clone()))),
        Numbered::Published(number) => Err(Stop::Refused(DirectoryError::Published(number))),
        Numbered::Taken => {
            let what = format!("version {} of the model of product {product}", number.unwrap_or_default());
            Err(Stop::Refused(DirectoryError::Exists(what)))
        }
    }
}

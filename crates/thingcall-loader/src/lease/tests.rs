//! Facts about `lease.rs`.

use super::*;
use crate::testsite::{Echo, call};

struct Answers;

#[async_trait::async_trait]
impl Handler for Answers {
    async fn handle(&self, call: &Call, device: &dyn DeviceLink) -> Result<Answer, CallError> {
        let command = thingcall_core::Command { service: call.service.clone(), params: call.args.clone() };
        device.call(command).await
    }
}

#[tokio::test]
async fn idle_ends_when_the_last_lease_is_gone() {
    let (in_use, mut idle) = in_use();
    let handler = HandlerLease::of(Arc::new(Answers), &in_use);
    drop(in_use);
    let found = handler.clone();
    drop(handler);
    assert_eq!(idle.try_recv(), Err(oneshot::error::TryRecvError::Empty), "a caller still has it");
    assert!(found.handle(&call("pk", "set"), &Echo::default()).await.is_ok());
    drop(found);
    assert!(idle.await.is_err());
}

//! Redis keeps the contracts.

use std::sync::Arc;

use thingcall_core::testing::{SharedUnderTest, assert_shared_nonces, assert_shared_quota};
use thingcall_core::{SharedNonces, SharedQuota};

use super::server::Server;

#[tokio::test]
async fn nonces_in_redis_keep_the_contract() {
    assert_shared_nonces(async || {
        let server = Server::start("");
        let instances: [Arc<dyn SharedNonces>; 2] = [server.redis(), server.redis()];
        SharedUnderTest { instances, keeps: Box::new(server) }
    })
    .await;
}

#[tokio::test]
async fn a_quota_in_redis_keeps_the_contract() {
    assert_shared_quota(async || {
        let server = Server::start("");
        let instances: [Arc<dyn SharedQuota>; 2] = [server.redis(), server.redis()];
        SharedUnderTest { instances, keeps: Box::new(server) }
    })
    .await;
}

//! The way to a server for a stored call whose caller may be gone.

use crate::connections::{CallRoute, Key, Pool};
use enforce::{Boxed, Pipeline, Route, Routes};
use serde_json::Map;
use std::sync::{Arc, Weak};
use vocab::id::SessionId;
use vocab::{Principal, Target};

/// Finds or opens a session's connection.
pub struct PoolRoutes {
    pipeline: Weak<Pipeline>,
    pool: Arc<Pool>,
}

impl PoolRoutes {
    /// Routes through a pool.
    #[must_use]
    pub const fn new(pipeline: Weak<Pipeline>, pool: Arc<Pool>) -> Self {
        Self { pipeline, pool }
    }
}

impl Routes for PoolRoutes {
    fn route<'a>(
        &'a self,
        session: &'a SessionId,
        _principal: &'a Principal,
        target: &'a Target,
    ) -> Boxed<'a, Result<Arc<dyn Route>, String>> {
        Box::pin(async move {
            let link = match self.pool.find(session, &target.server).await {
                Some(link) => link,
                None => {
                    let snapshot = self.pipeline.upgrade().ok_or("the gateway is ending")?.snapshot();
                    let server = snapshot.project.servers.get(&target.server);
                    let server = server.ok_or("the server is no longer declared")?;
                    let session = (!server.stateless).then(|| session.clone());
                    let key = Key { server: server.id.clone(), session, handshake: "mortise".to_owned() };
                    let link = self.pool.obtain(&key, server, Pool::own_hello()).await;
                    link.map_err(|error| error.to_string())?
                }
            };
            link.know_tools().await.map_err(|error| error.to_string())?;
            Ok(Arc::new(CallRoute { link, extra: Map::new(), progress: None }) as Arc<dyn Route>)
        })
    }
}

//! The seam: what a system must do to be watched.
//!
//! A source knows nothing of the screen or of other sources. It keeps its own cursor (what it has
//! already read), so that nothing outside can ask it to read history twice.

use crate::model::source::Fault;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use crate::model::observation::Observation;
use crate::model::text::Text;

/// A boxed future, as a source's poll returns it.
pub type Polling<'a> = Pin<Box<dyn Future<Output = Result<Observation, Fault>> + Send + 'a>>;

/// What the poller tells a source before it polls.
#[derive(Debug, Clone, Default)]
pub struct PollContext {
    /// Agents seen anywhere in the mesh: their inboxes can be asked for.
    pub agents: Arc<[Text]>,
    /// How many messages that wait in control planes the databases of the mesh show; nothing where none shows them now.
    pub shown: Option<i64>,
}

/// One place that facts come from.
pub trait Source: Send {
    /// Reads what is new. An observation without changes says that nothing changed.
    fn poll<'a>(&'a mut self, context: &'a PollContext) -> Polling<'a>;

    /// Bytes that came so far, where a poll may take long and be well: while they grow, it is waited for.
    fn progress(&self) -> Option<Arc<AtomicU64>> {
        None
    }
}

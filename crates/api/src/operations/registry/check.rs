//! Holding a schema against a type, while the caller sees how far it is.

use std::{pin::Pin, sync::Arc};

use futures_util::{Stream, stream};
use omni_registry::{CHECK_EVENTS, Progress, TypeOptions};
use tokio::sync::watch;

use crate::{
    App,
    call::Call,
    documents::{Check, CheckBody},
    operations::{
        registry::events,
        schema_check::{self, Proposed},
    },
    problem::Problem,
};

/// How far a check is, then what it found.
pub(crate) enum Step {
    Progress(Progress),
    Done(Box<Check>),
}

/// Says what a schema would break, and for whom; nothing is changed.
pub(crate) async fn check(
    app: &App,
    call: &Call,
    event_type: &str,
    body: CheckBody,
    progress: impl FnMut(Progress) + Send,
) -> Result<Check, Problem> {
    let named = super::name(app, call, event_type)?;
    let CheckBody { schema, compatibility, policy, limit } = body;
    let limit = events(limit)?.unwrap_or(CHECK_EVENTS);
    let options = TypeOptions { compatibility, policy, ..TypeOptions::default() };
    let proposed = Proposed { event_type: &named, schema, options: &options, limit };
    schema_check::check(app, call, proposed, progress).await
}

type Checking = Pin<Box<dyn Future<Output = Result<Check, Problem>> + Send>>;

struct Watched {
    checking: Checking,
    progress: watch::Receiver<Option<Progress>>,
}

/// The same, step by step; whoever reads slowly misses steps and not the end. Stops when it is dropped.
pub(crate) fn steps(
    app: Arc<App>,
    call: Call,
    event_type: String,
    body: CheckBody,
) -> impl Stream<Item = Result<Step, Problem>> + Send + use<> {
    let (sender, progress) = watch::channel(None);
    let checking = async move {
        let tell = move |step| {
            sender.send_replace(Some(step));
        };
        check(&app, &call, &event_type, body, tell).await
    };
    let watched = Watched { checking: Box::pin(checking), progress };
    stream::unfold(Some(watched), |watched| async move {
        let mut watched = watched?;
        tokio::select! {
            biased;
            done = &mut watched.checking => {
                Some((done.map(|check| Step::Done(Box::new(check))), None))
            }
            Ok(()) = watched.progress.changed() => {
                let step = *watched.progress.borrow_and_update();
                Some((Ok(Step::Progress(step?)), Some(watched)))
            }
        }
    })
}

//! The memory for bodies: what all requests of a listener hold together until they are answered.
//!
//! Each body has its own limit, but ten thousand senders that each stop one byte before it would together hold more
//! than the machine has.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Context, Poll, ready},
};

use axum::body::{Bytes, HttpBody};
use hyper::body::{Frame, Incoming, SizeHint};
use omni_api::NoRoom;

use super::{Cause, Counts, activity::Activity};

/// The bytes that are left for bodies.
#[derive(Clone, Debug)]
pub(super) struct Budget(Arc<AtomicUsize>);

/// What one request has taken of it; given back when the last clone is dropped.
#[derive(Clone, Debug)]
pub(super) struct Share(Arc<Taken>);

#[derive(Debug)]
struct Taken {
    budget: Budget,
    bytes: AtomicUsize,
    refused: AtomicBool,
}

impl Budget {
    pub(super) fn new(bytes: usize) -> Self {
        Self(Arc::new(AtomicUsize::new(bytes)))
    }

    pub(super) fn share(&self) -> Share {
        Share(Arc::new(Taken {
            budget: self.clone(),
            bytes: AtomicUsize::new(0),
            refused: AtomicBool::new(false),
        }))
    }
}

impl Share {
    /// Takes so many bytes more; false when they are not there.
    fn grow(&self, bytes: usize) -> bool {
        let left = &self.0.budget.0;
        let taken =
            left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(bytes));
        if taken.is_ok() {
            self.0.bytes.fetch_add(bytes, Ordering::Relaxed);
        }
        taken.is_ok()
    }

    /// Whether this is the first time that something was refused.
    fn refuse(&self) -> bool {
        !self.0.refused.swap(true, Ordering::Relaxed)
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.budget.0.fetch_add(*self.bytes.get_mut(), Ordering::Relaxed);
    }
}

/// The body of a request, as handlers read it.
#[derive(Debug)]
pub(super) struct Body {
    incoming: Incoming,
    share: Share,
    activity: Arc<Activity>,
    counts: Arc<Counts>,
    is_read: bool,
}

impl Body {
    pub(super) fn new(
        incoming: Incoming,
        share: Share,
        activity: Arc<Activity>,
        counts: Arc<Counts>,
    ) -> Self {
        Self { incoming, share, activity, counts, is_read: false }
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let frame = match ready!(Pin::new(&mut self.incoming).poll_frame(cx)) {
            Some(Ok(frame)) => frame,
            Some(Err(error)) => return Poll::Ready(Some(Err(error.into()))),
            None => {
                self.is_read = true;
                return Poll::Ready(None);
            }
        };
        if self.share.grow(frame.data_ref().map_or(0, Bytes::len)) {
            return Poll::Ready(Some(Ok(frame)));
        }
        if self.share.refuse() {
            self.counts.refuse(Cause::Memory);
        }
        Poll::Ready(Some(Err(NoRoom.into())))
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        if !self.is_read && !self.incoming.is_end_stream() {
            self.activity.left_unread();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_request_holds_another_cannot_have() {
        let budget = Budget::new(10);
        let (one, two) = (budget.share(), budget.share());
        assert!(one.grow(4) && one.grow(3));
        assert!(!two.grow(4), "three are left");
        assert!(two.grow(3));
        drop(one.clone());
        assert!(!two.grow(1), "a clone gives nothing back");
        drop(one);
        assert!(two.grow(7));
        assert!(two.refuse() && !two.refuse(), "told once");
    }
}

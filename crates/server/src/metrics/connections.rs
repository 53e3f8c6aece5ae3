//! The numbers of the listeners.

use std::{fmt, sync::Arc};

use prometheus_client::{
    encoding::{DescriptorEncoder, NoLabelSet},
    metrics::MetricType,
};

use crate::listener::{Cause, Counts};

/// What each listener counts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Connections {
    /// The listener for everything.
    pub(crate) main: Arc<Counts>,
    /// The listener for webhooks alone; all zero when there is none.
    pub(crate) ingest: Arc<Counts>,
}

impl Connections {
    fn all(&self) -> [(&'static str, &Counts); 2] {
        [("main", &self.main), ("ingest", &self.ingest)]
    }

    pub(super) fn encode(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let help = "Connections that are open";
        let mut open =
            encoder.encode_descriptor("connections_open", help, None, MetricType::Gauge)?;
        for (listener, counts) in self.all() {
            open.encode_family(&[("listener", listener)])?.encode_gauge(&counts.open_now())?;
        }
        self.counter(encoder, ("connections_accepted", "Connections admitted"), Counts::accepted)?;
        let failed = ("connections_accept_failed", "Times that no connection could be accepted");
        self.counter(encoder, failed, Counts::accepts_failed)?;
        let help = "Connections and requests that the listener refused or cut off, by cause";
        let mut refused =
            encoder.encode_descriptor("connections_refused", help, None, MetricType::Counter)?;
        for (listener, counts) in self.all() {
            for (cause, name) in Cause::ALL {
                refused
                    .encode_family(&[("listener", listener), ("cause", name)])?
                    .encode_counter::<NoLabelSet, _, u64>(&counts.refused(cause), None)?;
            }
        }
        Ok(())
    }

    fn counter(
        &self,
        encoder: &mut DescriptorEncoder<'_>,
        (name, help): (&str, &str),
        read: fn(&Counts) -> u64,
    ) -> fmt::Result {
        let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
        for (listener, counts) in self.all() {
            metric
                .encode_family(&[("listener", listener)])?
                .encode_counter::<NoLabelSet, _, u64>(&read(counts), None)?;
        }
        Ok(())
    }
}

//! The numbers of the schedules: what they fired, and how late.

use std::fmt;

use omni_schedules::{LATENESS_MS, Stats};
use prometheus_client::{
    encoding::{DescriptorEncoder, EncodeMetric as _, NoLabelSet},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
};

pub(super) fn encode(encoder: &mut DescriptorEncoder<'_>, stats: &Stats) -> fmt::Result {
    let help = "Instants of schedules by what became of them";
    let mut metric =
        encoder.encode_descriptor("schedule_fires", help, None, MetricType::Counter)?;
    let by_status = [
        ("fired", stats.fired),
        ("skipped", stats.skipped),
        ("missed", stats.missed),
        ("failed", stats.failed),
        ("cancelled", stats.cancelled),
    ];
    for (status, count) in by_status {
        let labels = [("status", status)];
        ConstCounter::new(count).encode(metric.encode_family(&labels)?)?;
    }
    let help = "Schedules whose next instant is over for more than a minute";
    let gauge = encoder.encode_descriptor("schedules_overdue", help, None, MetricType::Gauge)?;
    ConstGauge::new(stats.overdue).encode(gauge)?;
    let help = "How late events of schedules were recorded after they were due";
    let name = "schedule_lateness_seconds";
    let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Histogram)?;
    let bounds = LATENESS_MS.iter().map(|ms| *ms as f64 / 1e3).chain([f64::INFINITY]);
    let buckets: Vec<(f64, u64)> = bounds.zip(stats.lateness).collect();
    let count = stats.lateness.iter().sum();
    metric.encode_histogram::<NoLabelSet>(stats.lateness_sum_ms as f64 / 1e3, count, &buckets, None)
}

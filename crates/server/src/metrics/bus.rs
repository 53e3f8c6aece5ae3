//! The numbers of the bus: whether it can be reached, and what each consumer does.

use std::{fmt, time::Duration};

use omni_event_bus::{ConsumerStats, Health, Latency, Stats};
use prometheus_client::{
    encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet},
    metrics::MetricType,
};

/// A number of a consumer: its name, what it is, its kind, and how it is read.
type Number = (&'static str, &'static str, MetricType, fn(&ConsumerStats) -> u64);

#[rustfmt::skip] // A table is read by column.
const NUMBERS: [Number; 6] = [
    ("bus_consumer_delivered", "Messages handed out, each time counted", MetricType::Counter, |c| c.delivered),
    ("bus_consumer_redelivered", "Messages handed out again", MetricType::Counter, |c| c.redelivered),
    ("bus_consumer_acked", "Messages acknowledged", MetricType::Counter, |c| c.acked),
    ("bus_consumer_dead", "Messages given up", MetricType::Counter, |c| c.dead_lettered),
    ("bus_consumer_in_flight", "Messages handed out or waiting for a retry", MetricType::Gauge, |c| c.in_flight),
    ("bus_consumer_behind", "Messages not looked at yet", MetricType::Gauge, |c| c.behind),
];

pub(super) fn encode(
    encoder: &mut DescriptorEncoder<'_>,
    stats: &Stats,
    health: Health,
) -> fmt::Result {
    let help = "Whether the bus can be reached: 0 yes, 1 the connection is being made again, 2 for so long that somebody should look";
    encoder
        .encode_descriptor("bus_health", help, None, MetricType::Gauge)?
        .encode_gauge(&level(health))?;
    if stats.consumers.is_empty() {
        return Ok(());
    }
    for (name, help, kind, read) in NUMBERS {
        let mut metric = encoder.encode_descriptor(name, help, None, kind)?;
        for consumer in &stats.consumers {
            let labels = [("consumer", consumer.name.as_str())];
            let mut one = metric.encode_family(&labels)?;
            match kind {
                MetricType::Counter => {
                    one.encode_counter::<NoLabelSet, _, u64>(&read(consumer), None)?;
                }
                _ => one.encode_gauge(&read(consumer))?,
            }
        }
    }
    let help = "How long messages were out until they were acknowledged";
    let mut metric =
        encoder.encode_descriptor("bus_consumer_ack_seconds", help, None, MetricType::Histogram)?;
    for consumer in &stats.consumers {
        let labels = [("consumer", consumer.name.as_str())];
        histogram(metric.encode_family(&labels)?, &consumer.ack_latency)?;
    }
    Ok(())
}

fn histogram(mut metric: MetricEncoder<'_>, latency: &Latency) -> fmt::Result {
    let bounds = Latency::BOUNDS.iter().map(Duration::as_secs_f64).chain([f64::INFINITY]);
    let buckets: Vec<(f64, u64)> = bounds.zip(latency.counts).collect();
    metric.encode_histogram::<NoLabelSet>(latency.sum.as_secs_f64(), latency.count, &buckets, None)
}

fn level(health: Health) -> i64 {
    match health {
        Health::Up => 0,
        Health::Reconnecting { .. } => 1,
        Health::Degraded { .. } => 2,
    }
}

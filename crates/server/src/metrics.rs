//! The text of `/metrics`: counters that the parts keep, read when somebody asks.

mod bus;
mod connections;
mod schedules;

pub(crate) use self::connections::Connections;

use std::sync::{Arc, atomic::Ordering};

use omni_api::MetricsText;
use omni_automations::EngineStats;
use omni_event_bus::EventBus;
use omni_event_log::{DeadLetters, EventLog};
use omni_registry::Registry;
use omni_schedules::Schedules;
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric as _, text::encode},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge, info::Info},
};

use crate::VERSION;

#[derive(Debug)]
struct Counts {
    log: EventLog,
    dead_letters: DeadLetters,
    bus: EventBus,
    engine: Arc<EngineStats>,
    registry: Registry,
    connections: Connections,
    schedules: Schedules,
}

/// Makes the function that writes the metrics.
pub(crate) fn text(
    (log, dead_letters): (EventLog, DeadLetters),
    bus: EventBus,
    engine: Arc<EngineStats>,
    (registry, connections, schedules): (Registry, Connections, Schedules),
) -> MetricsText {
    let mut all = prometheus_client::registry::Registry::with_prefix("omni");
    all.register_collector(Box::new(Counts {
        log,
        dead_letters,
        bus,
        engine,
        registry,
        connections,
        schedules,
    }));
    let all = Arc::new(all);
    Arc::new(move || {
        let mut text = String::new();
        // Writing into a String does not fail.
        let _ = encode(&mut text, &all);
        text
    })
}

impl Counts {
    /// What may go up and down; the audit's only once there was one.
    fn gauges(&self) -> Vec<(&'static str, &'static str, i64)> {
        let behind = i64::try_from(self.log.stats().behind).unwrap_or(i64::MAX);
        let mut gauges = vec![
            ("log_behind", "Places of the log that the bus does not have yet", behind),
            (
                "dead_letters_open",
                "Dead letters that nobody is done with",
                self.dead_letters.open(),
            ),
        ];
        if let Some(audited) = self.log.audited() {
            gauges.extend([
                (
                    "conservation_difference",
                    "Events too many or too few in the accounts of the last audit",
                    audited.difference,
                ),
                (
                    "conservation_lost",
                    "Events that nobody has handled and nobody will",
                    audited.lost,
                ),
            ]);
        }
        gauges
    }
}

impl Collector for Counts {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let (log, bus) = (self.log.stats(), self.bus.stats());
        let engine = |count: &std::sync::atomic::AtomicU64| count.load(Ordering::Relaxed);
        let counters = [
            ("log_events_appended", "Events stored", log.appended),
            ("log_repeats", "Requests answered as the first was", log.repeats),
            ("log_commits", "Transactions of the event log", log.commits),
            ("log_commits_failed", "Transactions of the event log that failed", log.commits_failed),
            ("log_events_published", "Events handed to the bus", log.published),
            ("log_publish_failed", "Batches the bus refused", log.publish_failed),
            ("captures_stored", "Raw payloads kept after their event", log.captures_stored),
            ("captures_dropped", "Raw payloads not kept for lack of room", log.captures_dropped),
            ("bus_messages_published", "Messages put into streams", bus.published),
            ("bus_messages_duplicate", "Messages that were in a stream already", bus.duplicates),
            ("bus_messages_delivered", "Messages handed out", bus.delivered),
            ("bus_messages_redelivered", "Messages handed out again", bus.redelivered),
            ("bus_messages_acked", "Messages acknowledged", bus.acked),
            ("bus_messages_dead", "Messages given up", bus.dead_lettered),
            ("engine_events", "Events taken from the bus", engine(&self.engine.events)),
            (
                "engine_executions_succeeded",
                "Executions that succeeded",
                engine(&self.engine.succeeded),
            ),
            (
                "engine_executions_failed",
                "Executions with a failed action",
                engine(&self.engine.failed),
            ),
            (
                "engine_executions_skipped",
                "Automations whose pattern or conditions did not hold",
                engine(&self.engine.skipped),
            ),
            (
                "engine_executions_undecided",
                "Automations that could not be decided within the limits of work",
                engine(&self.engine.undecided),
            ),
            ("engine_events_repeated", "Events found done already", engine(&self.engine.repeated)),
            (
                "registry_unknown_custom",
                "Events of a custom type without a schema",
                self.registry.unknown_custom(),
            ),
            (
                "registry_warned",
                "Events taken with faults, because their type only warns",
                self.registry.warned(),
            ),
        ];
        for (name, help, value) in counters {
            let metric = ConstCounter::new(value);
            metric.encode(encoder.encode_descriptor(name, help, None, MetricType::Counter)?)?;
        }
        for (name, help, value) in self.gauges() {
            let gauge = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            ConstGauge::new(value).encode(gauge)?;
        }
        self.connections.encode(&mut encoder)?;
        schedules::encode(&mut encoder, &self.schedules.stats())?;
        bus::encode(&mut encoder, &bus, *self.bus.health().borrow())?;
        let build = Info::new([("version", VERSION)]);
        let help = "The version that runs";
        build.encode(encoder.encode_descriptor("build", help, None, MetricType::Info)?)
    }
}

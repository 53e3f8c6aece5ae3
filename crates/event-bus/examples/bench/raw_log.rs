//! The limit of the embedded bus: a log that keeps records on the disk and does nothing else.
//!
//! One thread takes whatever waits, appends it to one file as length, checksum and payload with one write, syncs the file
//! once (`fdatasync`), and then answers every publisher of the group. No ids, no streams, no consumers.

use std::{fs::File, io::Write, path::Path, sync::Arc, thread};

use bytes::Bytes;
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinSet,
};

use crate::{
    Extent,
    embedded::PUBLISHERS,
    events::{Messages, SIZE},
    meter::{Meter, Rate},
};

/// Records that may wait for the writer, as many as with the bus.
const WAITING_MAX: usize = 4096;

/// What stands before a payload, in bytes.
const HEAD: usize = 8;

struct Append {
    payload: Bytes,
    reply: oneshot::Sender<u64>,
}

/// As many publishers as there are on the bus, each with one record at a time.
pub(crate) async fn publish(folder: &Path, extent: &Extent, messages: &Arc<Messages>) -> Rate {
    let path = folder.join("raw.log");
    let file = File::create(&path).unwrap();
    let (sender, receiver) = mpsc::channel(WAITING_MAX);
    let writer = thread::spawn(move || write(file, receiver));
    let meter = Arc::new(Meter::default());
    let mut tasks = JoinSet::new();
    for _ in 0..PUBLISHERS {
        let (meter, messages, sender) = (Arc::clone(&meter), Arc::clone(messages), sender.clone());
        tasks.spawn(async move {
            while !meter.is_over() {
                let (reply, answer) = oneshot::channel();
                let payload = messages.take().data;
                assert!(sender.send(Append { payload, reply }).await.is_ok());
                answer.await.unwrap();
                meter.add(1);
            }
        });
    }
    drop(sender);
    let rate = meter.run(extent.time, None, tasks).await;
    writer.join().unwrap();
    assert_eq!(path.metadata().unwrap().len(), meter.done() * (HEAD + SIZE) as u64);
    std::fs::remove_file(path).unwrap();
    rate
}

fn write(mut file: File, mut receiver: mpsc::Receiver<Append>) {
    let (mut buffer, mut replies, mut sequence) = (Vec::new(), Vec::new(), 0);
    while let Some(first) = receiver.blocking_recv() {
        let mut next = Some(first);
        while let Some(Append { payload, reply }) = next {
            buffer.extend_from_slice(&(payload.len() as u32).to_le_bytes());
            buffer.extend_from_slice(&crc32fast::hash(&payload).to_le_bytes());
            buffer.extend_from_slice(&payload);
            replies.push(reply);
            next = receiver.try_recv().ok();
        }
        file.write_all(&buffer).unwrap();
        file.sync_data().unwrap();
        buffer.clear();
        for reply in replies.drain(..) {
            sequence += 1;
            let _ = reply.send(sequence);
        }
    }
}

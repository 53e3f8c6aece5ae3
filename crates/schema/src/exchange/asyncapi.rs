//! Event types in the messages of an AsyncAPI 3 document.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::{
    Imported, Imports, NotImported,
    payload::{Dialect, Payloads, TYPES_MAX, described, is_json, limited},
    place::{escaped, object, refused},
};

/// Most traits of one message; what has more is not written by hand.
const TRAITS_MAX: usize = 50;

/// Reads the messages of the components and of the channels, each once.
pub(super) fn read(document: &Value) -> Result<Imports, NotImported> {
    let mut payloads = Payloads::new(document);
    let mut reader =
        Reader { seen: BTreeSet::new(), names: BTreeSet::new(), imports: Imports::default() };
    let components = document.get("components");
    if let Some(messages) = components.and_then(|all| all.get("messages")) {
        reader.read_messages(&mut payloads, messages, "/components/messages")?;
    }
    let channels = [
        ("/channels", document.get("channels")),
        ("/components/channels", components.and_then(|all| all.get("channels"))),
    ];
    for (at, channels) in channels {
        let Some(channels) = channels else { continue };
        for key in limited(channels, at)?.keys() {
            let read = reader.read_channel(&mut payloads, format!("{at}/{}", escaped(key)));
            reader.imports.refused.extend(read.err());
            if reader.seen.len() > TYPES_MAX {
                return Err(refused(
                    at,
                    format!("holds more than {TYPES_MAX} messages: split the document"),
                ));
            }
        }
    }
    if reader.seen.is_empty() && reader.imports.refused.is_empty() {
        return Err(refused("", "has no messages, neither in `channels` nor in `components`"));
    }
    Ok(reader.imports)
}

struct Reader {
    /// Places of messages that were read, because channels refer to those of the components.
    seen: BTreeSet<String>,
    names: BTreeSet<String>,
    imports: Imports,
}

impl Reader {
    fn read_channel(&mut self, payloads: &mut Payloads<'_>, at: String) -> Result<(), NotImported> {
        let (at, channel) = payloads.source.follow(at)?;
        match object(channel, &at)?.get("messages") {
            Some(messages) => self.read_messages(payloads, messages, &format!("{at}/messages")),
            None => Ok(()),
        }
    }

    fn read_messages(
        &mut self,
        payloads: &mut Payloads<'_>,
        messages: &Value,
        at: &str,
    ) -> Result<(), NotImported> {
        for key in limited(messages, at)?.keys() {
            let place = payloads.source.follow(format!("{at}/{}", escaped(key)));
            let (at, message) = match place {
                Ok(found) => found,
                Err(refused) => {
                    self.imports.refused.push(refused);
                    continue;
                }
            };
            if !self.seen.insert(at.clone()) {
                continue;
            }
            // The key of the components tells more than that of a channel that refers there.
            let key = at
                .rsplit('/')
                .next()
                .map_or_else(|| key.clone(), |key| key.replace("~1", "/").replace("~0", "~"));
            let read = read_message(payloads, &key, &at, message)
                .and_then(|imported| self.name(imported, &at));
            match read {
                Ok(imported) => self.imports.types.push(imported),
                Err(refused) => self.imports.refused.push(refused),
            }
        }
        Ok(())
    }

    fn name(&mut self, imported: Imported, at: &str) -> Result<Imported, NotImported> {
        if self.names.insert(imported.name.clone()) {
            return Ok(imported);
        }
        Err(refused(at, format!("has the name `{}`, as another message has", imported.name)))
    }
}

fn read_message(
    payloads: &mut Payloads<'_>,
    key: &str,
    at: &str,
    message: &Value,
) -> Result<Imported, NotImported> {
    let members = with_traits(payloads, object(message, at)?, at)?;
    let default = payloads.source.document.get("defaultContentType");
    let content_type = members.get("contentType").or(default).and_then(Value::as_str);
    if let Some(other) = content_type.filter(|media| !is_json(media)) {
        let other: String = other.chars().take(100).collect();
        return Err(refused(at, format!("has the content type `{other}`; only JSON is read")));
    }
    if !members.contains_key("payload") {
        return Err(refused(at, "has no `payload`"));
    }
    let name = members
        .get("name")
        .and_then(Value::as_str)
        .filter(|name| !name.is_empty())
        .unwrap_or(key)
        .to_owned();
    let schema = payloads.schema(format!("{at}/payload"), Dialect::Draft7)?;
    Ok(Imported { name, description: described(&Value::Object(members)), schema })
}

/// A message with what its traits add: a later trait before an earlier one, the message itself before all.
fn with_traits(
    payloads: &Payloads<'_>,
    message: &Map<String, Value>,
    at: &str,
) -> Result<Map<String, Value>, NotImported> {
    let mut merged = Map::new();
    let words = ["name", "title", "summary", "description", "contentType"];
    let traits = message.get("traits").and_then(Value::as_array).map_or(0, Vec::len);
    if traits > TRAITS_MAX {
        return Err(refused(at, format!("has more than {TRAITS_MAX} traits")));
    }
    for place in 0..traits {
        let (at, applied) = payloads.source.follow(format!("{at}/traits/{place}"))?;
        for (word, value) in
            object(applied, &at)?.iter().filter(|(word, _)| words.contains(&word.as_str()))
        {
            merged.insert(word.clone(), value.clone());
        }
    }
    for (word, value) in message.iter().filter(|(word, _)| words.contains(&word.as_str())) {
        merged.insert(word.clone(), value.clone());
    }
    if message.contains_key("payload") {
        merged.insert("payload".to_owned(), Value::Null);
    }
    Ok(merged)
}

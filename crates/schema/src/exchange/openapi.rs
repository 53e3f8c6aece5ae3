//! Event types in the `webhooks` of an OpenAPI 3.1 document.

use serde_json::{Map, Value};

use super::{
    Imported, Imports, NotImported,
    payload::{Dialect, Payloads, described, is_json, limited},
    place::{escaped, object, refused},
};

/// Reads the webhooks; a document without any is refused, because it does not describe events.
pub(super) fn read(document: &Value) -> Result<Imports, NotImported> {
    let webhooks = document.get("webhooks").ok_or_else(|| {
        refused(
            "",
            "has no `webhooks`: `paths` are calls that others make, and are not read as events",
        )
    })?;
    let dialect = match document.get("jsonSchemaDialect") {
        None => Dialect::Draft202012,
        Some(Value::String(uri)) => Dialect::of(uri, "/jsonSchemaDialect")?,
        Some(_) => return Err(refused("/jsonSchemaDialect", "must be a text")),
    };
    let mut payloads = Payloads::new(document);
    let mut imports = Imports::default();
    for name in limited(webhooks, "/webhooks")?.keys() {
        match read_webhook(&mut payloads, name, dialect) {
            Ok(imported) => imports.types.push(imported),
            Err(refused) => imports.refused.push(refused),
        }
    }
    Ok(imports)
}

fn read_webhook(
    payloads: &mut Payloads<'_>,
    name: &str,
    dialect: Dialect,
) -> Result<Imported, NotImported> {
    let source = &payloads.source;
    let (at, item) = source.follow(format!("/webhooks/{}", escaped(name)))?;
    let operation = object(item, &at)?
        .get("post")
        .ok_or_else(|| refused(&at, "has no `post`: an event is sent with POST"))?;
    let post = format!("{at}/post");
    if object(operation, &post)?.get("requestBody").is_none() {
        return Err(refused(&post, "has no `requestBody`, so it carries no payload"));
    }
    let (at, body) = source.follow(format!("{post}/requestBody"))?;
    let content = object(body, &at)?.get("content").unwrap_or(&Value::Null);
    let content_at = format!("{at}/content");
    let media = media_type(object(content, &content_at)?).ok_or_else(|| {
        refused(&content_at, "has neither application/json nor another JSON type")
    })?;
    let (at, media) = source.follow(format!("{content_at}/{}", escaped(media)))?;
    if object(media, &at)?.get("schema").is_none() {
        return Err(refused(&at, "has no `schema`"));
    }
    // The name says nothing of itself, and is the summary where there is nothing else to say.
    let said = |value| described(value).filter(|text| text != name);
    let description = said(operation).or_else(|| said(item)).or_else(|| said(body));
    let schema = payloads.schema(format!("{at}/schema"), dialect)?;
    Ok(Imported { name: name.to_owned(), description, schema })
}

/// The media type to read: JSON itself before types that are written in JSON.
fn media_type(content: &Map<String, Value>) -> Option<&String> {
    let essence = |name: &String| {
        name.split(';')
            .next()
            .is_some_and(|name| name.trim().eq_ignore_ascii_case("application/json"))
    };
    content.keys().find(|name| essence(name)).or_else(|| content.keys().find(|name| is_json(name)))
}

//! `multipart/form-data`: fields as texts, files as `{fileName, contentType, size, base64}`.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use futures_util::{FutureExt as _, stream};
use multer::{Constraints, Field, Multipart, SizeLimit};
use omni_events::Payload;
use serde_json::{Map, Value, json};

use super::{
    Unreadable,
    form::{FIELDS_MAX, add},
};

/// Most parts that are files; each is held twice while it is encoded.
const FILES_MAX: usize = 100;

/// Reads an upload that is in memory already, so nothing here ever waits.
pub(super) fn read(said: &str, body: &Bytes) -> Result<Payload, Unreadable> {
    let boundary = multer::parse_boundary(said).map_err(|error| unreadable(&error))?;
    let whole = stream::iter([Ok::<_, std::convert::Infallible>(body.clone())]);
    // The body was bounded while it was read; a part cannot be larger than the whole.
    let limit = SizeLimit::new().whole_stream(body.len() as u64).per_field(body.len() as u64);
    let constraints = Constraints::new().size_limit(limit);
    let parts = fields(Multipart::with_constraints(whole, boundary, constraints));
    let fields = parts.now_or_never().unwrap_or_else(|| Err(cut_off()))?;
    Ok(Payload::from_value(&Value::Object(fields)))
}

async fn fields(mut parts: Multipart<'_>) -> Result<Map<String, Value>, Unreadable> {
    let mut fields = Map::new();
    let (mut count, mut files) = (0, 0);
    while let Some(part) = parts.next_field().await.map_err(|error| unreadable(&error))? {
        count += 1;
        files += usize::from(is_file(&part));
        if count > FIELDS_MAX || files > FILES_MAX {
            return Err(Unreadable::Other(format!(
                "The form has more than {FIELDS_MAX} parts or {FILES_MAX} files; send fewer."
            )));
        }
        let name = part.name().unwrap_or_default().to_owned();
        add(&mut fields, name, value(part).await?);
    }
    Ok(fields)
}

fn is_file(part: &Field<'_>) -> bool {
    part.file_name().is_some()
}

async fn value(part: Field<'_>) -> Result<Value, Unreadable> {
    let file = part.file_name().map(str::to_owned);
    let kind = part.content_type().map(ToString::to_string);
    let bytes = part.bytes().await.map_err(|error| unreadable(&error))?;
    Ok(match (file, str::from_utf8(&bytes)) {
        (None, Ok(text)) => text.into(),
        (file, _) => json!({
            "fileName": file, "contentType": kind, "size": bytes.len(), "base64": STANDARD.encode(&bytes),
        }),
    })
}

fn unreadable(error: &multer::Error) -> Unreadable {
    Unreadable::Other(format!("The body is no multipart form: {error}."))
}

fn cut_off() -> Unreadable {
    Unreadable::Other("The body is no multipart form: it ends before its last boundary.".to_owned())
}

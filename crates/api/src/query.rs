//! Reading the query and the path of a request, with problems instead of plain text.

use std::sync::Arc;

use axum::extract::{FromRequestParts, rejection::QueryRejection};
use http::request::Parts;
use serde::de::DeserializeOwned;

use crate::{
    App,
    problem::{FieldError, Kind, Problem},
};

/// The query of a request, read into `T`; unknown parameters are refused where `T` says so.
#[derive(Debug)]
pub(crate) struct Query<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequestParts<Arc<App>> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _app: &Arc<App>) -> Result<Self, Problem> {
        let query = axum::extract::Query::<T>::try_from_uri(&parts.uri);
        query.map(|axum::extract::Query(query)| Self(query)).map_err(query_problem)
    }
}

fn query_problem(rejection: QueryRejection) -> Problem {
    let told = rejection.body_text();
    let text = told.strip_prefix("Failed to deserialize query string: ").unwrap_or(&told);
    // `name: what is wrong`, or only what is wrong where it concerns no single parameter.
    let (pointer, detail) = match text.split_once(": ") {
        Some((name, detail)) if !name.contains(' ') => (name.to_owned(), detail.to_owned()),
        _ => (String::new(), text.to_owned()),
    };
    Problem::fields(vec![FieldError { pointer, detail }])
}

/// The placeholders of a path, read into `T`.
#[derive(Debug)]
pub(crate) struct Path<T>(pub(crate) T);

impl<T: DeserializeOwned + Send> FromRequestParts<Arc<App>> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        axum::extract::Path::<T>::from_request_parts(parts, app)
            .await
            .map(|axum::extract::Path(path)| Self(path))
            .map_err(|rejection| Problem::new(Kind::NotFound, rejection.body_text()))
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "camelCase", deny_unknown_fields)]
    struct Sample {
        #[expect(dead_code, reason = "only its reading is tested")]
        limit: Option<i64>,
    }

    fn fault(uri: &'static str) -> FieldError {
        let uri = http::Uri::from_static(uri);
        let rejection = axum::extract::Query::<Sample>::try_from_uri(&uri).unwrap_err();
        query_problem(rejection).errors.remove(0)
    }

    #[test]
    fn the_parameter_at_fault_is_named() {
        assert_eq!(fault("/?limit=many").pointer, "limit");
        let unknown = fault("/?limitt=5");
        assert!(unknown.detail.contains("unknown field `limitt`"), "{unknown:?}");
    }
}

//! The RPCs of the registry do what REST does.

use bytes::Bytes;
use futures_util::StreamExt as _;
use omni_proto::{
    CheckTypeRequest, ConfigureTypeRequest, DeleteTypeRequest, ExportTypesRequest, GetTypeRequest,
    GetTypeSettingsRequest, GetTypeVersionRequest, ImportTypesRequest, InferTypeRequest,
    ListTypeVersionsRequest, ListTypesRequest, RegisterTypeRequest, SetTypeSettingsRequest,
    check_type_response::Step, registry_service_client::RegistryServiceClient,
};
use serde_json::{Value, json};
use tonic::{Code, Request};
use tonic_types::StatusExt as _;

use super::{happened, noted, paid, totalling};
use crate::tests::Product;

fn bytes(value: &Value) -> Bytes {
    value.to_string().into()
}

fn read(bytes: &Bytes) -> Value {
    serde_json::from_slice(bytes).unwrap()
}

fn name() -> String {
    "custom.order.paid".to_owned()
}

#[tokio::test]
async fn types_are_ruled_by_rpc() {
    let product = Product::open().await;
    let mut types = RegistryServiceClient::new(product.router.clone());
    let register = |body: Value| RegisterTypeRequest { definition: bytes(&body) };
    let done = types.register(register(paid("number"))).await.unwrap().into_inner();
    assert_eq!(done.outcome, "created");
    let document = read(&done.document);
    assert_eq!((&document["outcome"], &document["version"]), (&json!("created"), &json!(1)));
    let info = done.r#type.unwrap();
    assert_eq!((info.event_type, info.version, info.created_by.as_str()), (name(), 1, "api"));
    let next = json!({ "eventType": "custom.order.paid", "schema": noted() });
    let done = types.register(register(next)).await.unwrap().into_inner();
    assert_eq!(done.outcome, "newVersion");

    let config = json!({ "validation": "warn", "compatibility": "BACKWARD", "policy": "exact", "stream": "MEDIA" });
    let config = ConfigureTypeRequest { event_type: name(), config: bytes(&config) };
    let changed = types.configure(config).await.unwrap().into_inner().r#type.unwrap();
    let get = GetTypeRequest { event_type: name() };
    let known = types.get_type(get.clone()).await.unwrap().into_inner().r#type.unwrap();
    assert_eq!(known, changed);
    assert_eq!(
        (
            known.validation.as_str(),
            known.compatibility.as_str(),
            known.policy.as_str(),
            known.stream.as_str()
        ),
        ("warn", "BACKWARD", "exact", "MEDIA")
    );
    let list = ListTypesRequest { namespace: "custom.order".to_owned() };
    assert_eq!(types.list_types(list).await.unwrap().into_inner().types, [known]);
    let list = ListTypeVersionsRequest { event_type: name(), before: 0 };
    let versions = types.list_versions(list).await.unwrap().into_inner().versions;
    assert_eq!(versions.iter().map(|one| one.version).collect::<Vec<_>>(), [2, 1]);
    let older = ListTypeVersionsRequest { event_type: name(), before: 2 };
    let older = types.list_versions(older).await.unwrap().into_inner();
    assert_eq!((older.versions.len(), older.versions[0].version, older.next), (1, 1, 0));
    let back = bytes(&json!({ "compatibility": null }));
    let back = ConfigureTypeRequest { event_type: name(), config: back };
    let back = types.configure(back).await.unwrap().into_inner().r#type.unwrap();
    assert_eq!((back.compatibility.as_str(), back.policy.as_str()), ("", "exact"));
    let first = GetTypeVersionRequest { event_type: name(), version: 1 };
    let first = types.get_version(first).await.unwrap().into_inner().version.unwrap();
    assert_eq!(read(&first.schema), totalling("number"));
    let none = GetTypeVersionRequest { event_type: name(), version: 0 };
    assert_eq!(types.get_version(none).await.unwrap_err().code(), Code::NotFound);

    let mut other = Request::new(get.clone());
    other.metadata_mut().insert("x-omni-org", "other".parse().unwrap());
    assert_eq!(types.get_type(other).await.unwrap_err().code(), Code::NotFound);

    let delete = |permanent| DeleteTypeRequest { event_type: name(), permanent };
    assert_eq!(types.delete(delete(true)).await.unwrap_err().code(), Code::FailedPrecondition);
    types.delete(delete(false)).await.unwrap();
    assert_eq!(types.get_type(get).await.unwrap_err().code(), Code::NotFound);
    types.delete(delete(true)).await.unwrap();
}

#[tokio::test]
async fn a_refusal_says_by_rpc_what_breaks() {
    let product = Product::open().await;
    let mut types = RegistryServiceClient::new(product.router.clone());
    let register = |body: Value| RegisterTypeRequest { definition: bytes(&body) };
    types.register(register(paid("number"))).await.unwrap();
    let status = types.register(register(paid("string"))).await.unwrap_err();
    assert_eq!(status.code(), Code::FailedPrecondition);
    assert_eq!(status.get_details_error_info().unwrap().reason, "OM0019");
    let fields = status.get_details_bad_request().unwrap().field_violations;
    assert!(fields[0].description.contains("For example: {\"total\":"), "{fields:?}");
    let wrong = json!({ "eventType": "custom.a", "schema": { "type": "nothing" } });
    let status = types.register(register(wrong)).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    let fields = status.get_details_bad_request().unwrap().field_violations;
    assert_eq!(fields[0].field, "/schema/type");
    let closed = json!({ "eventType": "message.received", "schema": true });
    let status = types.register(register(closed)).await.unwrap_err();
    assert_eq!(status.code(), Code::PermissionDenied);
}

#[tokio::test]
async fn a_check_by_rpc_ends_with_what_was_found() {
    let product = Product::open().await;
    let mut types = RegistryServiceClient::new(product.router.clone());
    happened(&product, &[json!({ "total": "5" }), json!({ "total": 7 })]).await;
    let check = |schema: Value| CheckTypeRequest {
        event_type: name(),
        spec: bytes(&json!({ "schema": schema })),
    };
    let steps = types.check(check(totalling("number"))).await.unwrap().into_inner();
    let steps: Vec<Step> = steps.map(|step| step.unwrap().step.unwrap()).collect().await;
    let (last, before) = steps.split_last().unwrap();
    let Step::Check(found) = last else { panic!("{last:?}") };
    assert_eq!(read(found)["evidence"]["failing"], 1);
    assert!(!before.is_empty() && before.iter().all(|step| matches!(step, Step::Progress(_))));
    let mut wrong = types.check(check(json!({ "type": 1 }))).await.unwrap().into_inner();
    let status = wrong.next().await.unwrap().unwrap_err();
    assert_eq!(status.get_details_error_info().unwrap().reason, "OM0002");

    let infer = InferTypeRequest { event_type: name(), limit: 1, ..Default::default() };
    let found = types.infer(infer).await.unwrap().into_inner();
    assert_eq!(found.documents, 1);
    assert!(read(&found.schema).is_object());
}

#[tokio::test]
async fn settings_and_documents_go_by_rpc() {
    let product = Product::open().await;
    let mut types = RegistryServiceClient::new(product.router.clone());
    let wanted = json!({ "compatibility": "BACKWARD", "policy": "exact" });
    let set = SetTypeSettingsRequest { settings: bytes(&wanted) };
    types.set_settings(set).await.unwrap();
    let known = types.get_settings(GetTypeSettingsRequest {}).await.unwrap().into_inner();
    assert_eq!(read(&known.settings), wanted);

    types.register(RegisterTypeRequest { definition: bytes(&paid("number")) }).await.unwrap();
    let export = |format: &str| ExportTypesRequest {
        format: format.to_owned(),
        namespace: "custom".to_owned(),
    };
    let document = types.export(export("asyncapi")).await.unwrap().into_inner().document;
    assert_eq!(types.export(export("raml")).await.unwrap_err().code(), Code::InvalidArgument);
    let spec = json!({ "document": read(&document), "dryRun": true });
    let told = types.import(ImportTypesRequest { spec: bytes(&spec) }).await.unwrap().into_inner();
    let told = read(&told.document);
    assert_eq!(told["types"][0]["eventType"], "custom.order.paid", "{told}");
}

//! What is let through, by the mode of the type, of its organisation, and against which versions.

use omni_registry::{
    Compared, Compatibility as C, Direction, Error, NewType, Outcome, Policy, Registry, Settings,
    TypeOptions, Validation,
};
use omni_store::{Store, schemas};
use serde_json::{Value, json};

use crate::world::{define, kind, loose, next_version, open, opened, org, register, with};

fn under(compatibility: C, schema: Value) -> NewType {
    let options = TypeOptions { compatibility: Some(compatibility), ..TypeOptions::default() };
    NewType { options, ..with("custom.a", schema) }
}

fn requiring(names: &[&str]) -> Value {
    json!({ "type": "object", "required": names, "properties": { "a": { "type": "string" }, "b": { "type": "string" } } })
}

async fn refused(registry: &Registry, new: NewType) -> Compared {
    match register(registry, new).await {
        Err(Error::Incompatible { compared, .. }) => *compared,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_break_is_refused_with_an_example_and_nothing_is_stored() {
    let registry = opened().await;
    register(&registry, with("custom.a", requiring(&["a"]))).await.unwrap();
    let compared = refused(&registry, with("custom.a", requiring(&["a", "b"]))).await;
    assert_eq!((compared.compatibility, compared.policy), (C::Full, Policy::Lenient));
    assert!(!compared.compatible);
    let found: Vec<_> = compared.refused().collect();
    let (version, finding) = found[0];
    assert_eq!((version, finding.direction, found.len()), (1, Direction::Backward, 1));
    let example = finding.counter_example.as_ref().unwrap();
    assert!(example.get("a").is_some() && example.get("b").is_none(), "{example}");
    assert_eq!(registry.versions(&org("acme"), "custom.a", None).await.unwrap().len(), 1);
}

#[tokio::test]
async fn the_mode_of_the_type_is_the_gate_and_the_rest_is_told() {
    let registry = opened().await;
    register(&registry, under(C::Forward, requiring(&["a"]))).await.unwrap();
    let next = register(&registry, with("custom.a", requiring(&["a", "b"]))).await.unwrap();
    assert_eq!(next.outcome, Outcome::NewVersion);
    assert!(next.compared.compatible);
    assert_eq!(next.compared.against[0].findings.len(), 1, "told all the same");
    assert_eq!(next.info.compatibility, Some(C::Forward));

    let compared = refused(&registry, with("custom.a", requiring(&["a"]))).await;
    assert_eq!(compared.refused().next().unwrap().1.direction, Direction::Forward);
    register(&registry, under(C::Backward, requiring(&["a"]))).await.unwrap();
    register(&registry, with("custom.a", requiring(&[]))).await.unwrap();
}

#[tokio::test]
async fn a_transitive_mode_looks_at_every_version() {
    let registry = opened().await;
    let of = |kind: &str| json!({ "properties": { "a": { "type": kind } } });
    register(&registry, loose("custom.a", of("string"))).await.unwrap();
    register(&registry, with("custom.a", json!({ "properties": {} }))).await.unwrap();
    let third = of("integer");
    let options = |mode| TypeOptions { compatibility: Some(mode), ..TypeOptions::default() };
    let held = |mode, options: TypeOptions| {
        let (registry, third) = (registry.clone(), third.clone());
        async move {
            let (acme, name) = (org("acme"), kind("custom.a"));
            let compared = registry.compare(&acme, &name, third, &options).await.unwrap();
            assert_eq!(compared.compatibility, mode);
            let versions: Vec<i32> = compared.against.iter().map(|one| one.version).collect();
            (versions, compared.refused().map(|(version, _)| version).collect::<Vec<_>>())
        }
    };
    for (mode, all) in [(C::Backward, false), (C::Full, false), (C::BackwardTransitive, true)] {
        let (versions, refused) = held(mode, options(mode)).await;
        assert_eq!(versions, if all { vec![2, 1] } else { vec![2] });
        assert_eq!(refused.contains(&1), all, "{mode:?}: {refused:?}");
    }
    for mode in [C::ForwardTransitive, C::FullTransitive] {
        assert!(held(mode, options(mode)).await.1.contains(&1), "{mode:?}");
    }
}

#[tokio::test]
async fn what_an_organisation_says_holds_for_types_that_say_nothing() {
    let registry = opened().await;
    let acme = org("acme");
    assert_eq!(registry.settings(&acme).await.unwrap(), Settings::default());
    let settings = Settings { compatibility: C::None, policy: Policy::Exact };
    registry.set_settings(&acme, settings).await.unwrap();
    assert_eq!(registry.settings(&acme).await.unwrap(), settings);
    assert_eq!(registry.settings(&org("other")).await.unwrap(), Settings::default());

    register(&registry, with("custom.a", requiring(&["a"]))).await.unwrap();
    let next = register(&registry, with("custom.a", requiring(&["b"]))).await.unwrap();
    assert_eq!((next.compared.compatibility, next.compared.policy), (C::None, Policy::Exact));
    assert_eq!(next.info.compatibility, None, "it still says nothing");
    refused(&registry, under(C::Full, requiring(&["a"]))).await;

    let full = Settings { compatibility: C::Full, policy: Policy::Lenient };
    registry.set_settings(&acme, full).await.unwrap();
    let compared = refused(&registry, with("custom.a", requiring(&["a"]))).await;
    assert_eq!(compared.policy, Policy::Lenient);
}

#[tokio::test]
async fn the_policy_of_the_type_decides_what_counts() {
    let registry = opened().await;
    let one = json!({ "type": "object", "properties": { "a": { "type": "string" } } });
    let two = json!({ "type": "object", "properties": { "a": { "type": "string" }, "b": { "type": "string" } } });
    register(&registry, with("custom.a", one.clone())).await.unwrap();
    let exact = TypeOptions { policy: Some(Policy::Exact), ..TypeOptions::default() };
    let new = NewType { options: exact.clone(), ..with("custom.a", two.clone()) };
    refused(&registry, new).await;
    assert_eq!(registry.get(&org("acme"), "custom.a").unwrap().policy, None, "nothing was stored");
    register(&registry, with("custom.a", two)).await.unwrap();
    registry.configure(&org("acme"), &kind("custom.a"), &exact).await.unwrap();
    refused(&registry, with("custom.a", one)).await;
}

#[tokio::test]
async fn the_same_schema_passes_under_every_mode() {
    let registry = opened().await;
    register(&registry, loose("custom.a", requiring(&["a"]))).await.unwrap();
    register(&registry, with("custom.a", requiring(&["b"]))).await.unwrap();
    let same = register(&registry, under(C::FullTransitive, requiring(&["b"]))).await.unwrap();
    assert_eq!((same.outcome, same.info.version), (Outcome::Configured, 2));
}

/// A version that this release cannot work with cannot be proved to be read.
#[tokio::test]
async fn a_version_that_cannot_be_used_any_more_is_not_passed_over() {
    let store = Store::temporary().await;
    define(&store, "acme", "custom.a", Validation::Enforce, json!({ "type": "nonsense" })).await;
    let (registry, _) = open(&store).await;
    let compared = refused(&registry, with("custom.a", requiring(&["a"]))).await;
    let rules: Vec<_> = compared.refused().map(|(_, finding)| &*finding.rule).collect();
    assert_eq!(rules, ["unproved", "unproved"]);
    let next = register(&registry, under(C::None, requiring(&["a"]))).await.unwrap();
    assert_eq!(next.info.version, 2);
    register(&registry, under(C::Full, requiring(&["a"]))).await.unwrap();
}

/// A version of which much is let through does not hide an older one that is refused.
#[tokio::test]
async fn two_hundred_findings_are_told_and_first_what_is_refused() {
    let store = Store::temporary().await;
    let of = |kind: &str, count: usize| {
        let names = (0..count).map(|n| (format!("p{n}"), json!({ "type": kind })));
        json!({ "type": "object", "properties": names.collect::<serde_json::Map<_, _>>() })
    };
    next_version(&store, "custom.a", &json!({ "properties": { "p0": { "type": "string" } } }))
        .await;
    for _ in 0..6 {
        next_version(&store, "custom.a", &of("integer", 90)).await;
    }
    let (registry, _) = open(&store).await;
    let compare = async |mode, schema| {
        let options = TypeOptions { compatibility: Some(mode), ..TypeOptions::default() };
        registry.compare(&org("acme"), &kind("custom.a"), schema, &options).await.unwrap()
    };
    let told = |compared: &Compared| -> Vec<(i32, usize)> {
        let against = compared.against.iter();
        against.map(|one| (one.version, one.findings.len())).collect()
    };

    let mild = compare(C::BackwardTransitive, of("number", 90)).await;
    let refused: Vec<i32> = mild.refused().map(|(version, _)| version).collect();
    assert!(!mild.compatible && refused.iter().all(|version| *version == 1), "{refused:?}");
    assert!(!refused.is_empty(), "{:?}", told(&mild));
    assert_eq!(told(&mild).iter().map(|(_, count)| count).sum::<usize>(), 200);
    assert_eq!(&told(&mild)[..3], [(7, 50), (6, 50), (5, 50)]);
    assert!(mild.omitted >= 100, "{}", mild.omitted);

    let all = compare(C::FullTransitive, of("boolean", 90)).await;
    assert_eq!(all.refused().count(), 200);
    assert_eq!(told(&all)[5..], [(2, 0), (1, 0)]);
    assert!(!all.compatible && all.omitted > 0);
    let short = compare(C::Full, of("number", 90)).await;
    assert_eq!((short.omitted, told(&short)), (0, vec![(7, 50)]));
}

#[tokio::test]
async fn comparing_changes_nothing() {
    let store = Store::temporary().await;
    let (registry, _) = open(&store).await;
    register(&registry, with("custom.a", requiring(&["a"]))).await.unwrap();
    let revision = async || schemas::revision(&mut store.read().await.unwrap()).await.unwrap();
    let before = revision().await;
    for name in ["custom.a", "custom.new"] {
        let options = TypeOptions { validation: Some(Validation::Off), ..TypeOptions::default() };
        let held = registry.compare(&org("acme"), &kind(name), requiring(&["b"]), &options).await;
        assert_eq!(held.unwrap().compatible, name == "custom.new");
    }
    assert_eq!(revision().await, before);
}
